"""What every end-to-end test stands on: a real province on a real server, and people signed in to it."""
import os
import pathlib
import signal
import types

import pytest
from support import api as api_module
from support import described
from support.browser import launch
from support.certificate import Certificate
from support.database import PostgresEngine, SQLiteEngine
from support.postgres import Cluster
from support.server import PASSWORD, Server
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
ENGINES = ("sqlite", "postgres")


def pytest_addoption(parser):
    parser.addoption("--binary", default=str(REPOSITORY / ".build/debug/hoichan"), help="the hoichan to test")
    parser.addoption("--engine", default="sqlite", choices=ENGINES, help="what keeps the provinces of the servers under test")


def pytest_configure(config):
    # Stopped by ops/test or by a time limit: end as on ctrl-C, so that every fixture stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    # A developer's own settings must not reach the servers under test.
    for name in [name for name in os.environ if name.startswith("HOICHAN_")]:
        del os.environ[name]


def pytest_collection_modifyitems(config, items):
    """A test marked for one engine is no test of the other: it is left out, not skipped."""
    engine = config.getoption("--engine")
    foreign = {name for name in ENGINES if name != engine}
    other = [item for item in items if foreign & {marker.name for marker in item.iter_markers()}]
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in set(other)]


@pytest.fixture(scope="session")
def binary(pytestconfig) -> pathlib.Path:
    path = pathlib.Path(pytestconfig.getoption("--binary")).resolve()
    assert path.exists(), f"{path} is not built: run ops/test, or swift build --product hoichan"
    return path


def assert_described():
    faults = described.take()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session", autouse=True)
def all_that_is_said(binary):
    """Whatever any test receives is held against `/asyncapi.json`, and each server's log when the server goes."""
    described.begin(binary)
    yield
    # The shared servers go after the last test.
    assert_described()


@pytest.fixture(autouse=True)
def said_as_described(all_that_is_said):
    """An event or frame that is not as described fails the test that received it."""
    yield
    assert_described()


@pytest.fixture(scope="session")
def cluster():
    """The PostgreSQL of this run. Tests that stop or break it make one of their own."""
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.dispose()


@pytest.fixture(scope="session")
def engine(pytestconfig, request, tmp_path_factory):
    """Makes places for provinces, on the engine of this run."""
    if pytestconfig.getoption("--engine") == "postgres":
        return PostgresEngine(request.getfixturevalue("cluster"))
    return SQLiteEngine(tmp_path_factory.mktemp("provinces"))


@pytest.fixture(scope="session")
def seeded(binary, engine):
    """The province of a fresh demo whose server has stopped. Never started again: tests copy it."""
    server = Server(binary, engine.empty())
    try:
        server.start()
        server.stop()
    finally:
        server.dispose()
    return server.database


@pytest.fixture(scope="session")
def turn():
    turn = Turn()
    yield turn
    turn.dispose()


@pytest.fixture(scope="session")
def server(binary, engine, seeded, turn):
    """The shared server. Tests leave it running, and make consults and trips of their own in it."""
    server = Server(binary, engine.copy(seeded), env=turn.settings)
    try:
        yield server.start()
    finally:
        server.dispose()


@pytest.fixture(autouse=True)
def shared_server_survives(request):
    """Whatever a test sent, its server must still stand after it."""
    server = request.getfixturevalue("server") if "server" in request.fixturenames else None
    yield
    if server:
        server.assert_alive()


@pytest.fixture
def new_database(engine, seeded):
    """Makes databases that are gone after the test: copies of the province, or of another, or empty ones."""
    made = []

    def make(empty=False, of=None):
        database = engine.empty() if empty else engine.copy(of or seeded)
        made.append(database)
        return database

    yield make
    for database in made:
        database.remove()


@pytest.fixture
def new_server(binary, new_database):
    """Makes servers that a test may stop and kill: `new_server(mode="serve", env=…)`, on a copy of the province."""
    made = []

    def make(database=None, start=True, **options):
        server = Server(binary, database or new_database(), **options)
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
