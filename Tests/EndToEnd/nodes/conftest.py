"""What the tests of several nodes share. All of it is PostgreSQL's."""
import pytest
from conftest import sign_in_all
from support.nodes import Nodes, on


@pytest.fixture
def new_nodes(binary, new_database):
    """Starts nodes on one copy of the province: `new_nodes(3, env=…)`."""
    made = []

    def make(count=2, database=None, start=True, **options):
        nodes = Nodes(binary, database or new_database(), count, **options)
        made.append(nodes)
        return nodes.start() if start else nodes

    yield make
    for nodes in made:
        nodes.dispose()


@pytest.fixture(scope="module")
def pair(binary, engine, seeded, turn):
    """Two nodes that the tests of a file share, and leave running."""
    nodes = Nodes(binary, engine.copy(seeded), 2, env=turn.settings)
    try:
        yield nodes.start()
    finally:
        nodes.dispose()


@pytest.fixture(scope="module")
def at_a(pair):
    """Everyone, signed in at node A."""
    return sign_in_all(pair[0])


@pytest.fixture(scope="module")
def at_b(pair, at_a):
    """The same sessions, used at node B."""
    return on(pair[1], at_a)


@pytest.fixture(autouse=True)
def both_survive(request):
    """Whatever a test sent, the shared nodes must still stand after it."""
    pair = request.getfixturevalue("pair") if "pair" in request.fixturenames else ()
    yield
    for node in pair:
        node.assert_alive()
