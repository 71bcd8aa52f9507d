"""Pages of events that wait: answered by the event that belongs on them, or when the time is over."""
import threading
import time

import httpx
import pytest
from support.accounts import new_person
from support.api import good, problem, sign_in
from support.care import consult_in, move, request_consult
from support.log import assert_exactly_once_in_order, read_log
from support.server import PASSWORD
from support.waiter import Waiter
from support.waiting import eventually


def head(caller) -> str:
    return caller.fetch("/events", after="oldest", limit=1)["head"]


def waiting(server) -> int:
    """How many requests wait, by the server's own count."""
    with server.plain() as client:
        lines = client.get("/metrics").text.splitlines()
    return int(next((line.split()[-1] for line in lines if line.startswith("hoichan_feed_waiting ")), "0").split(".")[0])


@pytest.fixture
def alone(new_server):
    """A server on which nothing happens but what the test does."""
    server = new_server()
    return server, sign_in(server, "giamsat", PASSWORD), sign_in(server, "tram", PASSWORD)


def test_the_event_answers(alone):
    server, monitor, station = alone
    before = head(monitor)
    waiter = Waiter(monitor, after=before, wait=25)
    eventually(lambda: waiting(server) == 1, "the request to wait")
    consult = request_consult(station)["id"]
    page = waiter.page()
    assert [item["event"]["subject"] for item in page["items"]] == [f"consults/{consult}"]
    assert page["next"] is None and page["cursor"] == page["items"][-1]["cursor"] == page["head"]
    assert waiter.took < 20
    assert waiting(server) == 0


def test_what_is_there_is_answered_at_once(people):
    before = head(people.monitor)
    consult = request_consult(people.station)["id"]
    page = people.monitor.fetch("/events", after=before, wait=25, subject=f"consults/{consult}")
    assert [item["event"]["type"] for item in page["items"]] == ["consult.requested"]


def test_the_time_ends_it(alone):
    server, monitor, station = alone
    before = head(monitor)
    waiter = Waiter(monitor, after=before, wait=10, types="consult.signed")
    eventually(lambda: waiting(server) == 1, "the request to wait")
    request_consult(station)
    page = waiter.page()
    # What was not asked for did not answer it, and is behind its position.
    assert waiter.took >= 10 and page["items"] == [] and page["next"] is None
    assert page["cursor"] == page["head"] != before


@pytest.mark.parametrize("wait", ["-1", "26", "ever", "1.5", ""])
def test_what_is_no_wait_is_refused(people, wait):
    refused = problem(people.monitor.get("/events", wait=wait), "invalid")
    assert [error["pointer"] for error in refused["errors"]] == ["wait"]


def test_a_gap_waits_for_nothing(alone):
    _, monitor, _ = alone
    cursor = head(monitor)
    made_up = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    problem(monitor.get("/events", after=made_up, wait=25), "cursor-gap")


def test_a_revoked_sign_in_ends_it(alone):
    server, monitor, _ = alone
    leaver = sign_in(server, "giamsat", PASSWORD)
    waiters = [Waiter(leaver, after=head(monitor), wait=25), Waiter(monitor, after=head(monitor), wait=15)]
    eventually(lambda: waiting(server) == 2, "both to wait")
    leaver.delete("/session")
    problem(waiters[0].wait(), "unauthenticated")
    assert waiters[0].took < 20
    # Another session of the same person goes on.
    assert waiters[1].page()["items"] == []


def test_a_disabled_account_ends_it(people):
    caller = new_person(people, "monitor", [people.station.facility])
    waiter = Waiter(caller, after=head(people.admin), wait=25, types="trip.closed")
    good(people.admin.patch(f"/users/{caller.user['id']}", {"disabled": True}), 200)
    problem(waiter.wait(), "unauthenticated")


def test_a_stopping_server_answers_it(alone):
    server, monitor, _ = alone
    waiter = Waiter(monitor, after=head(monitor), wait=25)
    eventually(lambda: waiting(server) == 1, "the request to wait")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 15
    assert waiter.page()["items"] == []


def test_a_client_that_goes_is_not_waited_for(alone):
    server, monitor, _ = alone
    cursor = head(monitor)
    with server.plain(headers={"Authorization": f"Bearer {monitor.token}"}) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/v1/events", params={"after": cursor, "wait": 25}, timeout=2)
    eventually(lambda: waiting(server) == 0, "its place to be free", patience=10)


def test_following_by_pages_misses_nothing(people):
    """Page after page, each from the cursor of the one before, while others write."""
    before = head(people.monitor)
    last = []
    seen = []

    def follow():
        cursor = before
        while not last or not any(last[0] in event["subject"] and event["type"] == "consult.signed" for event in seen):
            page = people.monitor.fetch("/events", after=cursor, wait=5, limit=3)
            seen.extend(item["event"] for item in page["items"])
            cursor = page["cursor"]

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    for _ in range(10):
        move(people.station, request_consult(people.station)["id"], "cancel")
    last.append(consult_in(people, "signed"))
    follower.join(60)
    assert not follower.is_alive()
    log = [event for _, event in read_log(people.monitor, after=before)]
    assert_exactly_once_in_order(seen, log[: len(seen)])
    assert len(seen) >= 25
