"""A province whose oldest events have left the feed: verdicts everywhere, and an audit that still has everything."""
import pytest
from conftest import sign_in_all
from support.api import good, sign_in
from support.care import consult_in, request_consult
from support.log import read_log
from support.server import PASSWORD
from support.waiting import eventually
from test_events import expect_gap
from test_events_tail import Tail


def head(caller) -> str:
    return caller.fetch("/events", after="oldest", limit=1)["head"]


def kept(server) -> list:
    return [row[0] for row in server.database.rows("SELECT seq FROM event ORDER BY seq")]


@pytest.fixture
def cut(new_server):
    """A server whose log was cut to its newest ten, the cursors of before, and a head that was noted then."""
    server = new_server()
    people = {name: sign_in(server, name, PASSWORD) for name in ("tram", "giamsat", "quantri")}
    first = people["giamsat"].fetch("/events", after="oldest", limit=1)["oldest"]
    for _ in range(3):
        request_consult(people["tram"])
    early = head(people["giamsat"])
    noted = server.command("verify").stdout
    for _ in range(20):
        request_consult(people["tram"])
    server.stop()
    server.env |= {"HOICHAN_EVENTS_KEEP_COUNT": "10"}
    server.start()
    eventually(lambda: len(kept(server)) == 10, "the log to be cut")
    server.people, server.first, server.early, server.noted = people, first, early, noted
    return server


def test_cursors_from_before_are_too_old_everywhere(cut):
    monitor, station = cut.people["giamsat"], cut.people["tram"]
    for cursor in (cut.first, cut.early):
        expect_gap(monitor, cursor, "too-old")
        assert monitor.get("/events", after=cursor, wait=25).status_code == 410
        with Tail(cut, "--after", cursor) as tail:
            status, said, _ = tail.ended()
            assert status == 3 and said[-1]["reason"] == "too-old"
    page = monitor.fetch("/events", after="oldest", limit=500)
    sequences = [int(item["event"]["sequence"]) for item in page["items"]]
    assert sequences == kept(cut) and len(sequences) == 10
    # What is offered is served from its very beginning, and the log goes on.
    assert [event["sequence"] for _, event in read_log(monitor, after=page["oldest"])] == [f"{n:012}" for n in sequences]
    consult = request_consult(station)["id"]
    assert [event["subject"] for _, event in read_log(monitor, after=page["head"])] == [f"consults/{consult}"]


def test_the_audit_has_everything(cut, tmp_path):
    noted = tmp_path / "noted"
    noted.write_text(cut.noted)
    said = cut.command("verify", "--head", noted).stdout
    total = cut.database.rows("SELECT max(seq) FROM event")[0][0]
    assert f"{total} events ({total - 10} archived)" in said
    assert cut.database.rows("SELECT count(*), max(seq) FROM event_archive")[0] == (total - 10, total - 10)
    # What was archived can't be changed unseen either.
    cut.stop()
    assert cut.database.change("UPDATE event_archive SET actor = 'x' WHERE seq = 2") == 1
    done = cut.command("verify", check=False)
    assert done.returncode == 1 and "Event 2 " in done.stderr


def test_a_signed_outcome_is_still_proved(new_server):
    server = new_server()
    people = sign_in_all(server)
    consult_in(people, "signed")
    for _ in range(5):
        request_consult(people.station)
    server.stop()
    server.env |= {"HOICHAN_EVENTS_KEEP_COUNT": "2"}
    server.start()
    eventually(lambda: len(kept(server)) == 2, "the log to be cut")
    said = server.command("verify").stdout
    assert "1 signatures" in said and "no problem found" in said


def test_a_backup_holds_the_archive(cut, tmp_path):
    monitor = cut.people["giamsat"]
    log = [event for _, event in read_log(monitor)]
    before = cut.command("verify").stdout.splitlines()
    cut.command("backup", tmp_path / "backup")
    cut.stop()
    cut.command("restore", tmp_path / "backup")
    after = cut.command("verify").stdout.splitlines()
    assert after[0].split(", ")[0] == before[0].split(", ")[0] and after[-1] == before[-1]
    cut.start()
    monitor = sign_in(cut, "giamsat", PASSWORD)
    assert [event for _, event in read_log(monitor)] == log
    expect_gap(monitor, cut.early, "epoch-changed")


def test_a_copy_holds_the_archive(cut, new_database):
    cut.stop()
    before = cut.command("verify").stdout
    target = new_database(empty=True)
    cut.command("copy", "--from", cut.database.url, "--to", target.url)
    after = cut.command("verify", env=target.environment).stdout
    assert after.splitlines()[0].split(", ")[0] == before.splitlines()[0].split(", ")[0]
    assert after.splitlines()[-1] == before.splitlines()[-1]


def test_by_default_a_year_is_kept(new_server):
    server = new_server()
    station = sign_in(server, "tram", PASSWORD)
    for _ in range(3):
        request_consult(station)
    eventually(lambda: kept(server) == [1, 2, 3], "the log to have them")
    server.restart()
    good(sign_in(server, "giamsat", PASSWORD).get("/events"), 200)
    assert kept(server) == [1, 2, 3] and server.database.rows("SELECT count(*) FROM event_archive")[0][0] == 0


@pytest.mark.parametrize(("name", "value"), [("HOICHAN_EVENTS_KEEP_DAYS", "-1"), ("HOICHAN_EVENTS_KEEP_DAYS", "a year"), ("HOICHAN_EVENTS_KEEP_COUNT", "1.5")])
def test_what_is_no_bound_is_refused_at_the_start(server, name, value):
    done = server.command("verify", env={name: value}, check=False)
    assert done.returncode != 0 and name in done.stderr
