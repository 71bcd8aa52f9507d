"""What the tests of the pages share."""
import pytest
from support.browser import LAPTOP
from support.link import Link
from support.visits import Visits


@pytest.fixture
def visits(browser, server):
    visits = Visits(browser, server)
    yield visits
    visits.close()


@pytest.fixture
def open_page(visits, people):
    """Opens a page as somebody who is signed in: `open_page("station", "/station/new", PHONE)`; `None` is a stranger."""

    def open_as(role, path, device=LAPTOP, **options):
        return visits.open(getattr(people, role) if isinstance(role, str) else role, path, device, **options)

    return open_as


@pytest.fixture
def link(server):
    """A link to the shared server that a test may cut: open pages with `origin=link.origin`."""
    link = Link(server)
    yield link
    link.dispose()
