"""What an administrator is told of the feed, and what it may take in memory."""
import pytest
from support.api import problem, sign_in
from support.care import request_consult
from support.server import PASSWORD
from support.sockets import Feed
from support.waiting import eventually

MEBIBYTE = 1024 * 1024


def test_the_status_follows_what_happens(new_server):
    server = new_server(env={"HOICHAN_FEED_MEMORY_MB": "3", "HOICHAN_FEED_BACKLOG_MB": "2"})
    admin, monitor, station = (sign_in(server, name, PASSWORD) for name in ("quantri", "giamsat", "tram"))
    status = lambda: admin.fetch("/feed/status")
    before = status()
    assert before["subscribers"] == {"sockets": 0, "streams": 0, "waiting": 0}
    assert before["ring"] == {"events": 0, "bytes": 0, "maxBytes": 3 * MEBIBYTE, "since": None}
    assert before["backlog"] == {"bytes": 0, "maxBytes": 2 * MEBIBYTE}
    with Feed(monitor) as one, Feed(monitor) as two:
        for feed in (one, two):
            feed.ready()
        consult = request_consult(station)["id"]
        for feed in (one, two):
            feed.event("consult.requested", consult)
        now = eventually(lambda: (now := status())["deliveries"] >= 2 and now, "the deliveries to be counted")
        assert now["subscribers"]["sockets"] == 2
        # Encoded once, whoever reads it.
        assert now["encodes"] == now["ring"]["events"] >= 1 and now["deflates"] <= now["encodes"]
        assert 0 < now["ring"]["bytes"] <= 3 * MEBIBYTE and now["ring"]["since"] is not None
        assert now["lagMilliseconds"] is not None and now["pagesRead"] == 0
        monitor.call("DELETE", "/session")
        eventually(lambda: status()["subscribers"]["sockets"] == 0, "the sockets to be gone")
        # Who sees that they are gone sees also why.
        assert status()["ends"]["signedOut"] == 2


def test_only_an_administrator_is_told(people):
    for caller in (people.monitor, people.dispatcher, people.station, people.auditor):
        problem(caller.get("/feed/status"), "forbidden")
    people.admin.fetch("/feed/status")


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "much", "16385"])
@pytest.mark.parametrize("name", ["HOICHAN_FEED_MEMORY_MB", "HOICHAN_FEED_BACKLOG_MB"])
def test_what_is_no_memory_is_refused_at_the_start(server, name, value):
    done = server.command("verify", env={name: value}, check=False)
    assert done.returncode != 0 and name in done.stderr
