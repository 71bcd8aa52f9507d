"""Beginnings: an empty database, several nodes at once, and the settings without which there is none."""
import pytest
from support.api import good, sign_in
from support.care import consult_body, request_consult
from support.ports import free_port
from support.waiting import eventually

pytestmark = pytest.mark.postgres
KEY = {"HOICHAN_SECRET_KEY": "a-key-of-the-tests-own-0123456789abcdef"}


@pytest.fixture
def empty(new_database):
    return new_database(empty=True)


def test_several_nodes_start_at_once_on_an_empty_database(new_nodes, empty, tmp_path):
    nodes = new_nodes(4, database=empty, env=KEY)
    numbers = [number for (number,) in empty.rows("SELECT number FROM migration ORDER BY number")]
    assert numbers == sorted(set(numbers)) and numbers
    assert empty.rows("SELECT count(*) FROM setting WHERE name = 'urgency.urgent.minutes'") == [(1,)]

    file = tmp_path / "facilities.csv"
    file.write_text("code,name,kind,parent,lat,lon,phone\n38000,Thanh Hóa,province,,19.8,105.7,\n38001,Trạm y tế Một,station,38000,19.8,105.7,\n")
    nodes[0].command("import", "facilities", file)
    nodes[1].command("user", "add", "tram-mot", "--name", "Trạm Một", "--role", "station", "--facility", "38001", input="a-long-password-1\n")
    callers = [sign_in(node, "tram-mot", "a-long-password-1") for node in nodes]
    consults = []
    for caller in callers:
        # A node hears of the import within a moment; until then it knows no such station.
        asked = eventually(lambda: (answer := caller.post("/consults", consult_body())).status_code != 422 and answer, "the station at this node")
        consults.append(good(asked, 201)["id"])
    for caller in callers:
        for consult in consults:
            good(caller.get(f"/consults/{consult}"), 200)
    nodes[2].command("verify")


def test_a_node_that_joins_finds_everything(new_nodes, new_server):
    nodes = new_nodes(1)
    consult = request_consult(sign_in(nodes[0], "tram", "hoichan-demo"))["id"]
    late = new_server(database=nodes.database, mode="serve")
    assert sign_in(late, "tram", "hoichan-demo").fetch(f"/consults/{consult}")["id"] == consult


@pytest.mark.parametrize("key", [None, "short"])
def test_without_a_key_there_is_no_beginning(new_server, empty, key):
    """Nodes that made a key each could not read each other's seals."""
    server = new_server(database=empty, mode="serve", start=False, env={"HOICHAN_SECRET_KEY": key} if key else {})
    server.start(wait=False)
    assert server.child.process.wait(60) != 0
    assert "HOICHAN_SECRET_KEY" in server.log() and "Fatal" not in server.log()


def test_the_second_of_several_hosts_is_reached(new_server, new_database, cluster):
    """The first of the URI's hosts is down, as after a fail-over."""
    database = new_database()
    server = new_server(database=database, mode="serve", start=False)
    server.env["HOICHAN_DATABASE"] = f"postgres://postgres@127.0.0.1:{free_port()},127.0.0.1:{cluster.port}/{database.name}"
    server.start()
    request_consult(sign_in(server, "tram", "hoichan-demo"))


def test_a_password_in_the_uri_is_in_no_log(new_server, new_database, cluster):
    database = new_database()
    server = new_server(database=database, mode="serve", start=False)
    server.env["HOICHAN_DATABASE"] = f"postgres://postgres:rat-kin-dao@127.0.0.1:{cluster.port}/{database.name}"
    server.start()
    request_consult(sign_in(server, "tram", "hoichan-demo"))
    server.stop()
    assert "rat-kin-dao" not in server.log()
    # Nor when nobody is there to connect to.
    server.env["HOICHAN_DATABASE"] = f"postgres://postgres:rat-kin-dao@127.0.0.1:{free_port()}/{database.name}"
    server.start(wait=False)
    eventually(lambda: server.log() or not server.child.running(), "what it says")
    server.stop()
    assert "rat-kin-dao" not in server.log()
    done = server.command("verify", check=False)
    assert done.returncode != 0 and done.stderr.strip() and "rat-kin-dao" not in done.stderr + done.stdout
