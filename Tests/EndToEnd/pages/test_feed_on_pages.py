"""How a page follows the feed (feed.js): what it does with each frame and each end, and that it never shows an event twice.

The last tests have no server behind the page's socket: what one says once in a year is said here."""
import json
import re

import pytest
from conftest import ACCOUNTS
from playwright.sync_api import expect
from support.api import sign_in
from support.server import PASSWORD
from support.visits import SECOND
from support.waiting import eventually


class Socket:
    """The server's end of a page's socket."""

    def __init__(self, route):
        self.route = route

    @property
    def after(self) -> str | None:
        """The cursor from which the page wants to go on."""
        found = re.search(r"[?&]after=([^&]*)", self.route.url)
        return found[1] if found else None

    def say(self, kind: str, **members):
        self.route.send(json.dumps({"kind": kind, **members}))

    def ready(self, cursor: str) -> "Socket":
        self.say("ready", cursor=cursor, oldest="oldest-cursor", head="head-cursor")
        return self

    def event(self, *numbers: int) -> "Socket":
        for number in numbers:
            event = {
                "specversion": "1.0", "id": f"id-{number}", "type": "consult.requested", "source": "/facilities/38001", "subject": "consults/x",
                "time": "2026-11-21T08:30:00+07:00", "sequence": f"{number:012}", "datacontenttype": "application/json", "data": {},
            }  # fmt: skip
            self.say("event", cursor=f"cursor-{number}", event=event)
        return self

    def close(self, code: int):
        self.route.close(code=code, reason="as the test wants")


class Monitor:
    """The monitor's page, its sockets in the test's hands, and its clock too."""

    def __init__(self, page):
        self.page, self.routes = page, []
        url = page.url
        # The page that is there has a socket of its own, which must be gone before the first of ours can come.
        page.goto("about:blank")
        page.route_web_socket(re.compile(r"/api/v1/events"), lambda route: self.routes.append(route))
        page.goto(url)

    def socket(self, number: int) -> Socket:
        """Waits until the page has opened so many."""

        def opened():
            self.count()
            return len(self.routes) >= number

        eventually(opened, f"socket {number} of the page")
        assert len(self.routes) == number, "one more than was wanted"
        return Socket(self.routes[-1])

    def count(self) -> int:
        # Playwright hands over what has happened while it is asked for something.
        self.page.evaluate("0")
        return len(self.routes)

    def shows(self, *numbers: int):
        wanted = [f"{number:012}" for number in numbers]
        rows = "rows => rows.map((row) => row.dataset.sequence).reverse()"
        eventually(lambda: self.page.get_by_test_id("event-row").evaluate_all(rows) == wanted, f"the events {numbers}")

    def state(self, name: str):
        expect(self.page.get_by_test_id("feed-state")).to_have_attribute("data-state", name)

    def pass_time(self, seconds: float):
        self.page.clock.fast_forward(int(seconds * 1000))


@pytest.fixture
def monitor(open_page):
    return Monitor(open_page("monitor", "/monitor", clock=True))


def test_an_ended_session_shows_the_sign_in(open_page, server):
    caller = sign_in(server, ACCOUNTS["monitor"], PASSWORD)
    page = open_page(caller, "/monitor")
    state = page.get_by_test_id("feed-state")
    expect(state).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id("session-ended")).to_be_hidden()
    caller.delete("/session")
    expect(state).to_have_attribute("data-state", "signed-out")
    expect(page.get_by_test_id("session-ended")).to_be_visible()
    page.get_by_test_id("session-ended").get_by_role("link").click()
    page.get_by_test_id("username").fill(ACCOUNTS["monitor"])
    page.get_by_test_id("password").fill(PASSWORD)
    page.get_by_test_id("submit").click()
    page.wait_for_url(lambda url: url.endswith("/monitor") and "sign-in" not in url)
    expect(state).to_have_attribute("data-state", "live")


def test_a_session_that_ended_while_the_link_was_away(open_page, server, link):
    """The upgrade is refused with 401, which no script may see; the page must find out all the same."""
    caller = sign_in(server, ACCOUNTS["monitor"], PASSWORD)
    page = open_page(caller, "/monitor", origin=link.origin)
    state = page.get_by_test_id("feed-state")
    expect(state).to_have_attribute("data-state", "live")
    link.cut()
    expect(state).to_have_attribute("data-state", "connecting")
    caller.delete("/session")
    link.mend()
    # It asks for its session at some of its attempts, which lie further and further apart.
    expect(state).to_have_attribute("data-state", "signed-out", timeout=90 * SECOND)
    expect(page.get_by_test_id("session-ended")).to_be_visible()


def test_never_twice_and_never_in_disorder(monitor):
    monitor.socket(1).ready("cursor-0").event(1, 2, 2, 1, 3)
    monitor.shows(1, 2, 3)
    # It would not be the page's fault, but the page says so.
    expect(monitor.page.get_by_test_id("order")).to_have_attribute("data-disorder", "2")
    # What was refused has moved no cursor.
    monitor.socket(1).close(1011)
    second = monitor.socket(2)
    assert second.after == "cursor-3"
    second.ready("cursor-3").event(3, 4)
    monitor.shows(1, 2, 3, 4)


@pytest.mark.parametrize("code", [1001, 1006, 1011, 4408])
def test_it_comes_again_from_its_cursor(monitor, code):
    first = monitor.socket(1).ready("cursor-0").event(1, 2)
    monitor.shows(1, 2)
    first.say("volatile", event={"type": "presence", "data": {}})
    first.say("something-newer", cursor="no cursor of ours")
    first.close(code)
    second = monitor.socket(2)
    assert second.after == "cursor-2"
    second.ready("cursor-2")
    monitor.state("live")
    second.say("bookmark", cursor="cursor-7")
    second.close(code)
    third = monitor.socket(3)
    assert third.after == "cursor-7"
    third.ready("cursor-7").event(8)
    monitor.shows(1, 2, 8)


@pytest.mark.parametrize(
    ("reason", "after", "shown"),
    [("epoch-changed", "oldest-cursor", [1]), ("too-old", "oldest-cursor", [1, 2, 9]), ("ahead", "head-cursor", [1])],
)
def test_a_gap_is_said_and_gone_on_from(monitor, reason, after, shown):
    first = monitor.socket(1).ready("cursor-0").event(1, 2)
    monitor.shows(1, 2)
    first.say("gap", reason=reason, oldest="oldest-cursor", head="head-cursor")
    first.close(4410)
    expect(monitor.page.get_by_test_id("gap")).to_have_attribute("data-reason", reason)
    second = monitor.socket(2)
    assert second.after == after
    # Another log has the same numbers for other events; a log with a hole goes on with higher ones.
    second.ready(after).event(shown[-1])
    monitor.shows(*shown)
    expect(monitor.page.get_by_test_id("order")).to_have_attribute("data-disorder", "0")


@pytest.mark.parametrize(("code", "state"), [(4401, "signed-out"), (4403, "forbidden")])
def test_what_waiting_does_not_mend_is_not_tried_again(monitor, code, state):
    monitor.socket(1).ready("cursor-0").close(code)
    monitor.state(state)
    expect(monitor.page.get_by_test_id("session-ended")).to_be_visible(visible=code == 4401)
    monitor.pass_time(600)
    monitor.state(state)
    assert monitor.count() == 1


def test_too_many_means_half_a_minute(monitor):
    monitor.socket(1).ready("cursor-0").event(1)
    monitor.shows(1)
    monitor.socket(1).close(4429)
    monitor.state("connecting")
    monitor.pass_time(20)
    assert monitor.count() == 1
    monitor.pass_time(41)
    assert monitor.socket(2).after == "cursor-1"


def test_a_silent_link_is_given_up(monitor):
    """A link that died without a word looks like a quiet province, and an old page like a live one."""
    monitor.socket(1).ready("cursor-0").event(1)
    monitor.shows(1)
    monitor.pass_time(50)
    monitor.state("live")
    assert monitor.count() == 1
    monitor.pass_time(30)
    second = monitor.socket(2)
    assert second.after == "cursor-1"
    # What the old link still had is nobody's any more.
    second.ready("cursor-1").event(2)
    monitor.shows(1, 2)
    monitor.state("live")
