"""PostgreSQL goes away, refuses, stalls, fills up: requests hear 503, nothing crashes, and it mends itself."""
import pathlib
import random
import subprocess
import tempfile

import httpx
import pytest
from conftest import sign_in_all
from support.api import Api, good, problem, sign_in, uuid7
from support.care import consult_body, request_consult
from support.database import PostgresEngine
from support.load import Reader, Writers, assert_gapless, assert_kept, assert_nothing_half, assert_told, log_from
from support.log import assert_exactly_once_in_order, read_log
from support.nodes import on
from support.postgres import Cluster
from support.server import PASSWORD
from support.sockets import Feed
from support.waiting import eventually

pytestmark = pytest.mark.postgres


@pytest.fixture
def new_cluster():
    """Makes clusters that a test may break."""
    made = []

    def make(**options) -> Cluster:
        cluster = Cluster(**options)
        made.append(cluster)
        return cluster.start()

    yield make
    for cluster in made:
        cluster.dispose()


@pytest.fixture
def province(new_cluster, seeded):
    """A copy of the province in a cluster of its own."""
    return seeded.copy_into(PostgresEngine(new_cluster()).place())


def unavailable(answer: httpx.Response):
    problem(answer, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def is_ready(server) -> bool:
    answer = Api(server).get("/readyz")
    if answer.status_code != 200:
        unavailable(answer)
    return answer.status_code == 200


def await_unready(server):
    eventually(lambda: not is_ready(server), "/readyz to say no")
    good(Api(server).get("/livez"), 200)


def await_mended(server, people) -> dict:
    """Ready again by itself; a write goes through as ever."""
    eventually(lambda: is_ready(server), "/readyz to say yes", patience=120)
    server.assert_alive()
    return request_consult(people.station)


def test_postgresql_dies_and_comes_back(new_server, province):
    server = new_server(database=province, mode="serve")
    people = sign_in_all(server)
    kept = request_consult(people.station)["id"]
    with Feed(people.monitor, after="oldest") as feed:
        feed.event("consult.requested", kept)
        province.cluster.crash()
        body = consult_body(id=uuid7())
        unavailable(people.station.post("/consults", body))
        unavailable(people.station.get(f"/consults/{kept}"))
        unavailable(people.monitor.get("/events", after="oldest"))
        with server.plain() as client:
            unavailable(client.post("/api/v1/session", json={"username": "tram", "password": PASSWORD}))
        await_unready(server)
        server.assert_alive()
        cursor = feed.cursor

        province.cluster.start()
        after = await_mended(server, people)["id"]
        good(people.station.get(f"/consults/{kept}"), 200)
        # A phone repeats what it did not get through.
        good(people.station.post("/consults", body), 201)
        # The reader was kept, or comes back from where it was: either way it misses nothing.
        if feed.close_code is None:
            feed.event("consult.requested", after)
            feed.event("consult.requested", body["id"])
        else:
            with Feed(people.monitor, after=cursor) as again:
                again.event("consult.requested", after)
                again.event("consult.requested", body["id"])
    subjects = [event["subject"] for _, event in read_log(people.monitor)]
    assert [subjects.count(f"consults/{consult}") for consult in (kept, after, body["id"])] == [1, 1, 1]
    assert_gapless(people)
    server.command("verify")


def test_two_nodes_come_back_and_one_leads(new_nodes, province):
    nodes = new_nodes(2, database=province)
    at_a = sign_in_all(nodes[0])
    at_b = on(nodes[1], at_a)
    province.cluster.crash()
    for node in nodes:
        await_unready(node)
    province.cluster.start()
    for node, people in zip(nodes, (at_a, at_b)):
        await_mended(node, people)
    with Feed(at_b.monitor) as feed:
        feed.ready()
        feed.event("consult.requested", request_consult(at_a.station)["id"])
    assert_gapless(at_b)


def test_a_server_starts_before_its_database(new_server, province):
    province.cluster.stop()
    server = new_server(database=province, mode="serve", start=False)
    server.start(wait=False)

    def lives():
        # Not an AssertionError: a server that ended will not live.
        if not server.child.running():
            raise RuntimeError(f"The server ended instead of waiting:\n{server.log()[-3000:]}")
        try:
            return Api(server).get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    eventually(lives, "/livez")
    unavailable(Api(server).get("/readyz"))
    unavailable(Api(server, "made-up").get("/session"))
    province.cluster.start()
    # What answered until now makes way for the server itself: for a moment nobody may listen.
    server.await_ready()
    request_consult(sign_in(server, "tram", PASSWORD))
    assert "rror" in server.log() or "arning" in server.log(), "it waited without a word"


def test_a_table_that_is_locked(new_server, province):
    server = new_server(database=province, mode="serve")
    people = sign_in_all(server)
    kept = request_consult(people.station)["id"]
    body = consult_body(id=uuid7())
    with province.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE consult IN ACCESS EXCLUSIVE MODE")
        unavailable(people.station.post("/consults", body))
        unavailable(people.station.get(f"/consults/{kept}"))
        # What has nothing to do with it goes on.
        good(people.station.get("/session"), 200)
        good(people.dispatcher.get("/facilities", limit=5), 200)
        holder.rollback()
    eventually(lambda: people.station.get(f"/consults/{kept}").status_code == 200, "the consult again")
    problem(people.station.get(f"/consults/{body['id']}"), "not-found")
    good(people.station.post("/consults", body), 201)
    await_mended(server, people)
    assert_gapless(people)
    server.command("verify")


@pytest.fixture
def small_disk():
    """A file system of a few hundred megabytes, which a test may fill."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hoichan-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "hoichan-test", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a file system can't be mounted here (root may): {mounted.stderr.strip()}")
    yield folder
    # A process that is just ending may still have a file open in it.
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def test_a_full_disk(small_disk, new_cluster, new_server, seeded):
    cluster = new_cluster(folder=small_disk / "data")
    server = new_server(database=seeded.copy_into(PostgresEngine(cluster).place()), mode="serve")
    people = sign_in_all(server)
    kept = request_consult(people.station)["id"]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass  # Full: as wanted.
    refused = []

    def is_full():
        """Pages that have room take a few more; then there is none."""
        body = consult_body(id=uuid7(), background="Đầy ổ đĩa. " * 150)
        answer = people.station.post("/consults", body)
        if answer.status_code == 503:
            unavailable(answer)
            refused.append(body)
            return True
        good(answer, 201)
        return False

    eventually(is_full, "the first refusal", patience=120, every=0)
    await_unready(server)
    server.assert_alive()
    filler.unlink()

    def goes_through():
        answer = people.station.post("/consults", refused[0])
        return answer.status_code == 201 or unavailable(answer)

    eventually(goes_through, "the refused request", every=0.2)
    await_mended(server, people)
    good(people.station.get(f"/consults/{kept}"), 200)
    assert_gapless(people)
    server.command("verify")


@pytest.mark.timeout(600)
def test_connections_that_die_at_random(new_nodes, province):
    nodes = new_nodes(2, database=province)
    people = sign_in_all(nodes[0])
    before = people.monitor.fetch("/events", after="oldest", limit=1)["head"]
    readers = [Reader(people, before, where=lambda node=node: node) for node in nodes]
    writers = Writers(people, 6, where=nodes.any)
    for reader in readers:
        reader.start()
    writers.start()
    for _ in range(40):
        writers.await_more(4)
        victims = province.cluster.sessions(province.name)
        # The sequencer's and the node's own connections are among them.
        province.cluster.execute("SELECT pg_terminate_backend(%s)", random.choice(victims))
    writers.await_more(20)
    writers.stop()
    for node in nodes:
        node.assert_alive()
        eventually(lambda: is_ready(node), "/readyz to say yes")
    log = log_from(people, before)
    for reader in readers:
        reader.finish(log)
        assert_exactly_once_in_order(reader.seen, log)
    assert_gapless(people)
    assert_told(log, writers.acknowledged())
    assert_nothing_half(people, log)
    assert_kept(people, writers.acknowledged(), "at the end", samples=2000)
    nodes[1].command("verify")
