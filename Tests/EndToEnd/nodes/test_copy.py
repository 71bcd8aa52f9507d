"""`hoichan copy`: a province moves from its SQLite file to PostgreSQL, and nobody who follows it has to begin anew."""
import pytest
from conftest import sign_in_all
from support.api import good
from support.care import all_items, consult_body, consult_in, new_trip, pass_milestone, positions, request_consult
from support.database import SQLiteEngine
from support.log import read_log
from support.nodes import on
from support.sockets import Feed
from test_idempotency import keyed

pytestmark = pytest.mark.postgres
# A demo's key lies beside its file or in its database; a real province's is given, and is the same on both.
KEY = {"HOICHAN_SECRET_KEY": "a-key-of-the-tests-own-0123456789abcdef"}


@pytest.fixture
def source(new_server, tmp_path):
    """A server on SQLite with something of everything."""
    return new_server(database=SQLiteEngine(tmp_path / "sqlite").empty(), env=KEY)


def copy(source, target, check=True):
    return source.command("copy", "--from", source.database.url, "--to", target.url, check=check)


def test_a_province_moves(source, new_server, new_database):
    people = sign_in_all(source)
    states = ("requested", "scheduled", "waiting", "inProgress", "signed", "amended", "cancelled")
    consults = {state: consult_in(people, state) for state in states}
    half = people.monitor.fetch("/events", after="oldest", limit=1)["head"]
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "dispatched")
    good(people.crew.post(f"/trips/{trip}/positions", positions(3)), 200, 201, 202, 204)
    key, body = keyed(), consult_body(situation="Gửi hai lần")
    answered = people.station.post("/consults", body, **key)
    log = read_log(people.monitor)
    told = {consult: people.specialist.fetch(f"/consults/{consult}") for consult in consults.values() if consult != consults["cancelled"]}
    outcome = people.specialist.get(f"/consults/{consults['signed']}/outcome/1").content
    accesses = all_items(people.auditor, "/access-log", limit=500)
    directory = {path: all_items(people.dispatcher, path, limit=500) for path in ("/facilities", "/practitioners")}
    source.stop()

    target = new_database(empty=True)
    copy(source, target)
    server = new_server(database=target, mode="serve", env=KEY)
    server.command("verify")
    # Who was signed in still is; every cursor, kept answer, signature and log line means what it meant.
    people = on(server, people)
    assert read_log(people.monitor) == log
    for consult, before in told.items():
        assert people.specialist.fetch(f"/consults/{consult}") == before
    assert people.specialist.get(f"/consults/{consults['signed']}/outcome/1").content == outcome
    assert {path: all_items(people.dispatcher, path, limit=500) for path in directory} == directory
    again = people.station.post("/consults", body, **key)
    assert (again.status_code, again.content) == (answered.status_code, answered.content)
    kept = all_items(people.auditor, "/access-log", limit=500)
    assert kept[-len(accesses):] == accesses
    assert people.dispatcher.fetch(f"/trips/{trip}")["milestones"]
    with Feed(people.monitor, after=half) as feed:
        later = request_consult(people.station)["id"]
        feed.event("consult.requested", later)
        expected = [event for _, event in read_log(people.monitor, after=half)]
        feed.wait(lambda _: len(feed.events) >= len(expected), "everything since")
        assert feed.events == expected
    assert int(expected[-1]["sequence"]) == int(log[-1][1]["sequence"]) + 1
    server.command("verify")


def test_a_target_that_is_not_empty_is_left_alone(source, new_database):
    people = sign_in_all(source)
    request_consult(people.station)
    source.stop()
    for target in (new_database(), new_database(empty=True)):
        if not target.cluster.execute("SELECT to_regclass('consult')", database=target.name)[0][0]:
            copy(source, target)
        before = target.state()
        done = copy(source, target, check=False)
        assert done.returncode != 0 and done.stderr.strip() and "Fatal" not in done.stderr
        assert target.state() == before


def test_a_source_that_is_served_is_not_copied(source, new_database):
    target = new_database(empty=True)
    done = copy(source, target, check=False)
    assert done.returncode != 0 and done.stderr.strip() and "Fatal" not in done.stderr
    source.assert_alive()
    source.stop()
    # The attempt left nothing behind that would be in the way.
    copy(source, target)


def test_a_source_that_is_not_there(source, new_database, tmp_path):
    target = new_database(empty=True)
    source.stop()
    done = source.command("copy", "--from", f"sqlite:{tmp_path}/none.sqlite", "--to", target.url, check=False)
    assert done.returncode != 0 and "none.sqlite" in done.stderr
    assert not (tmp_path / "none.sqlite").exists()
