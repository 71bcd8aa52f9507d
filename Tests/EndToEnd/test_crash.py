"""kill -9 at random moments under writing load: what was acknowledged is there, nothing is half, the feed is whole."""
import random
import threading
import time

import httpx
import pytest
from conftest import sign_in_all
from support.api import Api, uuid7
from support.care import all_items, appointment_of, consult_body, find_slots
from support.log import assert_exactly_once_in_order, read_log
from support.sockets import Feed
from websockets.exceptions import InvalidHandshake, WebSocketException

KILLS = 20
WRITERS = 4


class Writer(threading.Thread):
    """Requests, books, cancels, without pause; notes what was acknowledged, and repeats nothing that was not."""

    def __init__(self, people, slots: list, done: threading.Event):
        super().__init__(daemon=True)
        self.people, self.slots, self.done = people, slots, done
        self.acknowledged = {}  # consult id → the last acknowledged state
        self.wrong = []

    def run(self):
        while not self.done.is_set():
            api = Api(self.people.station.server, self.people.station.token)
            try:
                while not self.done.is_set():
                    self.one(api)
            except httpx.TransportError:
                time.sleep(0.02)  # Down, for now: the next attempt is as good as any.
            except Exception as error:  # shown by the main thread
                self.wrong.append(error)
                return
            finally:
                api.close()

    def one(self, api):
        consult = uuid7()
        self.write(api, consult, "/consults", consult_body(id=consult), 201, "requested")
        if self.slots and random.random() < 0.7:
            slot = self.slots.pop()
            self.write(api, consult, f"/consults/{consult}/appointment", appointment_of(slot), 201, "scheduled")
            if random.random() < 0.3:
                self.write(api, consult, f"/consults/{consult}/cancel", {"reason": "Thử"}, 200, "cancelled")

    def write(self, api, consult, path, body, status, state):
        answer = api.post(path, body)
        if answer.status_code == 503:
            raise httpx.ReadError("going down")
        assert answer.status_code == status, answer.text
        self.acknowledged[consult] = state


class Reader(threading.Thread):
    """Follows the feed across every crash, always from the last cursor it was given."""

    def __init__(self, people, after: str):
        super().__init__(daemon=True)
        self.people, self.cursor = people, after
        self.seen, self.wrong = [], []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                feed = Feed(self.people.monitor, after=self.cursor)
            except (OSError, InvalidHandshake, WebSocketException, TimeoutError):
                time.sleep(0.02)
                continue
            try:
                while feed.close_code is None and not self.stopping.is_set():
                    time.sleep(0.01)
                feed.drop()
                if any(frame["kind"] == "gap" for frame in feed.frames):
                    self.wrong.append(f"a gap: {feed.frames[-1]}")
                    return
                self.seen += feed.events
                self.cursor = feed.cursor or self.cursor
            except Exception as error:  # shown by the main thread
                self.wrong.append(error)
                return


@pytest.mark.timeout(900)
def test_twenty_kills(new_server):
    server = new_server()
    people = sign_in_all(server)
    before = people.monitor.fetch("/events", after="oldest", limit=1)["head"]
    pool = find_slots(people.station, days=60, limit=2000)
    done = threading.Event()
    # A share of the slots for each, so that no booking is refused for a good reason.
    writers = [Writer(people, pool[n::WRITERS], done) for n in range(WRITERS)]
    reader = Reader(people, before)
    for thread in [*writers, reader]:
        thread.start()
    for kill in range(KILLS):
        time.sleep(random.uniform(0.05, 1.5))  # the random moment
        sure = [dict(writer.acknowledged) for writer in writers]
        server.kill()
        server.start()
        assert not any(writer.wrong for writer in writers), [writer.wrong for writer in writers]
        assert_kept(people, sure, kill)
    done.set()
    for writer in writers:
        writer.join(120)
    assert sum(len(writer.acknowledged) for writer in writers) > KILLS, "too little was written to prove anything"
    # The reader has caught up when its socket has shown what paging shows.
    log = [event for _, event in read_log(people.monitor, after=before)]
    deadline = time.monotonic() + 120
    while not reader.wrong and time.monotonic() < deadline:
        reader.stopping.set()
        reader.join(60)
        if len(reader.seen) >= len(log):
            break
        reader = follow_on(people, reader)
        time.sleep(0.5)
    assert not reader.wrong, reader.wrong
    assert_exactly_once_in_order(reader.seen, log)
    assert_nothing_half(people, log)
    assert_kept(people, [writer.acknowledged for writer in writers], KILLS, samples=2000)
    server.command("verify")
    server.stop()
    server.command("verify")


def follow_on(people, reader) -> Reader:
    """A reader goes on where another was stopped."""
    next_reader = Reader(people, reader.cursor)
    next_reader.seen = reader.seen
    next_reader.start()
    return next_reader


def assert_kept(people, sure, kill, samples=12):
    """Each consult acknowledged before the kill is there, at least as far as it was."""
    api = Api(people.station.server, people.station.token)
    order = ["requested", "scheduled", "cancelled"]
    for acknowledged in sure:
        for consult in random.sample(sorted(acknowledged), min(samples, len(acknowledged))):
            answer = api.get(f"/consults/{consult}")
            assert answer.status_code == 200, f"kill {kill}: the acknowledged consult {consult} is gone: {answer.text}"
            state = answer.json()["state"]
            assert order.index(state) >= order.index(acknowledged[consult]), f"kill {kill}: {consult} fell back to {state}"
    api.close()


def assert_nothing_half(people, log):
    """Rows and events tell the same story: each consult has exactly the events that its state says."""
    told = {}
    for event in log:
        told.setdefault(event["subject"], []).append(event["type"].removeprefix("consult."))
    consults = {f"consults/{item['id']}": item for item in all_items(people.station, "/consults", limit=500)}
    stories = {"requested": ["requested"], "scheduled": ["requested", "scheduled"]}
    for subject, story in told.items():
        if subject.startswith("consults/"):
            consult = consults[subject]
            assert consult["state"] == "cancelled" or (consult["appointment"] is not None) == (consult["state"] == "scheduled"), consult
            assert story == stories.get(consult["state"], story), consult
            assert consult["state"] != "cancelled" or story[-1] == "cancelled"
    for subject, consult in consults.items():
        if consult["state"] in stories:
            assert subject in told or consult["requestedAt"] < log[0]["time"], f"{subject} exists without its event"
