"""The feed at one node of what is written at another: the same events, the same cursors, the same order."""
import threading

import pytest
from conftest import sign_in_all
from support.api import Api, good
from support.care import consult_in, move, new_trip, positions, request_consult
from support.log import assert_exactly_once_in_order, read_log
from support.nodes import on
from support.sockets import Feed
from support.stream import EventStream
from support.waiter import Waiter
from support.waiting import eventually

pytestmark = pytest.mark.postgres


def head(caller) -> str:
    return caller.fetch("/events", after="oldest", limit=1)["head"]


def write_at(nodes, people, rounds: int) -> list:
    """Threads that write at each of the nodes; started."""
    def write(node):
        station = Api(node, people.station.token)
        for _ in range(rounds):
            consult = request_consult(station)["id"]
            move(station, consult, "cancel")
        station.close()

    threads = [threading.Thread(target=write, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    return threads


def test_a_reader_at_b_sees_the_writes_at_a(at_a, at_b):
    before = head(at_a.monitor)
    with Feed(at_b.monitor) as live, Feed(at_b.monitor, after=before) as replayed, EventStream(at_b.monitor, after=before) as stream:
        live.ready(), replayed.ready()
        consult = consult_in(at_a, "signed")
        for feed in (live, replayed):
            feed.event("consult.signed", consult)
        log = read_log(at_a.monitor, after=before)
        assert [event["type"] for _, event in log] == [f"consult.{name}" for name in ("requested", "accepted", "started", "concluded", "signed")]
        for feed in (live, replayed):
            assert [(frame["cursor"], frame["event"]) for frame in feed.frames if frame["kind"] == "event"] == log
        stream.wait(lambda items: len(stream.cloud_events()) == len(log), "the same by SSE")
        assert stream.cloud_events() == [event for _, event in log]
    assert read_log(at_b.monitor, after=before) == log


def test_what_was_answered_at_a_is_there_at_b(at_a, at_b):
    """No waiting: whoever was answered finds it everywhere at once, in a page of events and in a new subscription."""
    for _ in range(10):
        before = head(at_b.monitor)
        consult = request_consult(at_a.station)["id"]
        subjects = [item["event"]["subject"] for item in at_b.monitor.fetch("/events", after=before)["items"]]
        assert subjects == [f"consults/{consult}"]
        with Feed(at_b.monitor) as feed:
            feed.ready()
            assert feed.events == [], "from now on means: nothing of before"
        assert at_b.station.fetch(f"/consults/{consult}")["state"] == "requested"


def test_a_page_that_waits_at_b_is_answered_by_a_write_at_a(at_a, at_b):
    waiter = Waiter(at_b.monitor, after=head(at_b.monitor), types="consult.requested", wait=25)
    consult = request_consult(at_a.station)["id"]
    assert [item["event"]["subject"] for item in waiter.page()["items"]] == [f"consults/{consult}"]
    assert waiter.took < 20


def test_writers_and_readers_at_both(pair, at_a, at_b):
    before = head(at_a.monitor)
    with Feed(at_a.monitor, after=before) as one, Feed(at_b.monitor, after=before) as two:
        for thread in write_at([*pair, *pair], at_a, rounds=20):
            thread.join()
        log = [event for _, event in read_log(at_a.monitor, after=before)]
        assert len(log) == 4 * 20 * 2
        for feed in (one, two):
            feed.wait(lambda _: len(feed.events) >= len(log), f"{len(log)} events")
            assert_exactly_once_in_order(feed.events, log)
    # Of one subject, the earlier stands before the later, wherever they were written.
    for subject in {event["subject"] for event in log}:
        assert [event["type"] for event in log if event["subject"] == subject] == ["consult.requested", "consult.cancelled"]


def test_a_consult_that_moves_between_nodes_keeps_its_order(at_a, at_b):
    before = head(at_a.monitor)
    consults = []
    for n in range(10):
        here, there = (at_a, at_b) if n % 2 else (at_b, at_a)
        consult = request_consult(here.station)["id"]
        move(there.specialist, consult, "accept")
        move(here.specialist, consult, "start")
        move(there.specialist, consult, "conclude")
        move(here.specialist, consult, "sign")
        consults.append(consult)
    log = [event for _, event in read_log(at_b.monitor, after=before)]
    for consult in consults:
        told = [event["type"].removeprefix("consult.") for event in log if event["subject"] == f"consults/{consult}"]
        assert told == ["requested", "accepted", "started", "concluded", "signed"]


def test_positions_at_a_reach_readers_at_b(at_a, at_b):
    trip = new_trip(at_a)["id"]
    with Feed(at_b.dispatcher, types="trip.*") as feed:
        feed.ready()
        # What is volatile may be lost on the way to a reader who has only just come; a vehicle sends again and again.
        def arrives():
            good(at_a.crew.post(f"/trips/{trip}/positions", positions(1, lat=19.9)), 200, 201, 202, 204)
            return [f for f in list(feed.frames) if f["kind"] == "volatile" and trip in f["event"]["subject"]]

        frame = eventually(arrives, "the position at B", every=0.2)[0]
        assert frame["event"]["type"] == "trip.position" and "cursor" not in frame
        assert frame["event"]["data"]["lat"] == pytest.approx(19.9)
    assert at_b.dispatcher.fetch(f"/trips/{trip}")["position"]["lat"] == pytest.approx(19.9)


def test_a_reader_moves_on_when_its_node_stops(new_nodes):
    first, second = new_nodes(2)
    at_a = sign_in_all(first)
    at_b = on(second, at_a)
    before = head(at_a.monitor)
    with Feed(at_b.monitor, after=before) as feed, EventStream(at_b.monitor, after=before) as stream:
        feed.ready()
        threads = write_at([first, first], at_a, rounds=30)
        feed.wait(lambda _: len(feed.events) > 5, "some events")
        stream.wait(lambda _: len(stream.cloud_events()) > 5, "some events of the stream")
        assert second.stop() == 0
        assert feed.wait_closed() == 1001
        assert feed.frames[-1]["kind"] == "bookmark"
        eventually(lambda: stream.ended, "the end of the event stream")
        seen, cursor = feed.events, feed.frames[-1]["cursor"]
        streamed = stream.cloud_events()
        streamed_to = next(item["id"] for item in reversed(stream.items) if item["id"])
    for thread in threads:
        thread.join()
    log = [event for _, event in read_log(at_a.monitor, after=before)]
    for seen, cursor in ((seen, cursor), (streamed, streamed_to)):
        with Feed(at_a.monitor, after=cursor) as feed:
            feed.wait(lambda _: len(seen) + len(feed.events) >= len(log), "the rest at A")
            assert_exactly_once_in_order(seen + feed.events, log)
