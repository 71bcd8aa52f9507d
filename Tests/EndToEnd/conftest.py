"""What every end-to-end test stands on: a real province on a real server, and people signed in to it."""
import os
import pathlib
import signal
import types

import pytest
from support import api as api_module
from support.browser import launch
from support.certificate import Certificate
from support.server import PASSWORD, Server, copy_province
from support.turn import Turn

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ACCOUNTS = {
    "station": "tram",
    "specialist": "bacsi",
    "dispatcher": "dieuphoi",
    "crew": "xe",
    "monitor": "giamsat",
    "admin": "quantri",
    "auditor": "kiemtra",
}


def pytest_addoption(parser):
    parser.addoption("--binary", default=str(REPOSITORY / ".build/debug/hoichan"), help="the hoichan to test")


def pytest_configure(config):
    # Stopped by ops/test or by a time limit: end as on ctrl-C, so that every fixture stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    # A developer's own settings must not reach the servers under test.
    for name in [name for name in os.environ if name.startswith("HOICHAN_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def binary(pytestconfig) -> pathlib.Path:
    path = pathlib.Path(pytestconfig.getoption("--binary")).resolve()
    assert path.exists(), f"{path} is not built: run ops/test, or swift build --product hoichan"
    return path


@pytest.fixture(scope="session")
def seeded(binary, tmp_path_factory) -> pathlib.Path:
    """The data folder of a fresh demo whose server has stopped. Never started again: tests copy it."""
    data = tmp_path_factory.mktemp("seeded") / "data"
    server = Server(binary, data)
    try:
        server.start()
        server.stop()
    finally:
        server.dispose()
    return data


@pytest.fixture(scope="session")
def turn():
    turn = Turn()
    yield turn
    turn.dispose()


@pytest.fixture(scope="session")
def server(binary, seeded, turn, tmp_path_factory):
    """The shared server. Tests leave it running, and make consults and trips of their own in it."""
    data = copy_province(seeded, tmp_path_factory.mktemp("shared") / "data")
    server = Server(binary, data, env=turn.settings).start()
    yield server
    server.dispose()


@pytest.fixture(autouse=True)
def shared_server_survives(request):
    """Whatever a test sent, its server must still stand after it."""
    server = request.getfixturevalue("server") if "server" in request.fixturenames else None
    yield
    if server:
        server.assert_alive()


@pytest.fixture
def new_server(binary, seeded, tmp_path):
    """Makes servers that a test may stop and kill: `new_server(mode="serve", env=…)`, on a copy of the province."""
    made = []

    def make(data=None, start=True, **options):
        data = data or copy_province(seeded, tmp_path / f"data{len(made)}")
        server = Server(binary, data, **options)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.dispose()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


def sign_in_all(server) -> types.SimpleNamespace:
    """A caller for each role, by the demo's accounts: `people.station`, `people.specialist`, …"""
    return types.SimpleNamespace(**{role: api_module.sign_in(server, name, PASSWORD) for role, name in ACCOUNTS.items()})


@pytest.fixture(scope="session")
def people(server):
    """Everyone, signed in to the shared server. Nobody signs these sessions out."""
    return sign_in_all(server)


@pytest.fixture(scope="session")
def nobody(server):
    return api_module.Api(server)


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
