"""Writers and readers that go on while servers die: what was acknowledged, and what a reader of the feed saw."""
import random
import threading
import time

import httpx
from websockets.exceptions import InvalidHandshake, WebSocketException

from .api import Api, uuid7
from .care import all_items, appointment_of, consult_body, find_slots
from .log import read_log
from .sockets import Feed
from .waiting import eventually


class Writer(threading.Thread):
    """Requests, books, cancels, without pause; notes what was acknowledged, and repeats nothing that was not.

    `where()` names the server for its next connection."""

    def __init__(self, people, slots: list, done: threading.Event, where=None):
        super().__init__(daemon=True)
        self.people, self.slots, self.done = people, slots, done
        self.where = where or (lambda: people.station.server)
        self.acknowledged = {}  # consult id → the last acknowledged state
        self.wrong = []

    def run(self):
        while not self.done.is_set():
            api = Api(self.where(), self.people.station.token)
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


class Writers:
    """Several of them, with a share of the free slots each, so that no booking is refused for a good reason."""

    def __init__(self, people, count: int, where=None, days=60):
        self.done = threading.Event()
        pool = find_slots(people.station, days=days, limit=2000)
        self.threads = [Writer(people, pool[n::count], self.done, where) for n in range(count)]

    def start(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def count(self) -> int:
        return sum(len(thread.acknowledged) for thread in self.threads)

    def assert_right(self):
        wrong = [error for thread in self.threads for error in thread.wrong]
        assert not wrong, wrong

    def await_more(self, more=10, patience=120):
        """Waits until so many further requests were acknowledged."""
        wanted = self.count() + more

        def written():
            if any(thread.wrong for thread in self.threads):
                raise RuntimeError(f"a writer was refused: {[thread.wrong for thread in self.threads]}")
            return self.count() >= wanted

        eventually(written, f"{more} more acknowledged writes", patience, every=0.02)

    def acknowledged(self) -> list:
        return [dict(thread.acknowledged) for thread in self.threads]

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(120)
        self.assert_right()


class Reader(threading.Thread):
    """Follows the feed across every crash, always from the last cursor it was given.

    `where()` names the server for its next connection, `stay()` how many events it takes before it leaves for another
    one; without, it stays as long as it may."""

    def __init__(self, people, after: str, where=None, stay=None):
        super().__init__(daemon=True)
        self.people, self.cursor = people, after
        self.where = where or (lambda: people.monitor.server)
        self.stay = stay
        self.seen, self.wrong = [], []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                feed = Feed(Api(self.where(), self.people.monitor.token), after=self.cursor)
            except (OSError, InvalidHandshake, WebSocketException, TimeoutError):
                time.sleep(0.02)  # Down, for now.
                continue
            try:
                enough = self.stay() if self.stay else float("inf")
                while feed.close_code is None and not self.stopping.is_set() and len(feed.frames) < enough:
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

    def finish(self, log: list):
        """Stops it; what of `log` it has not seen yet is read from its last cursor on, by the socket."""
        self.stopping.set()
        self.join(60)
        assert not self.wrong, self.wrong
        if len(self.seen) < len(log):
            with Feed(self.people.monitor, after=self.cursor) as feed:
                missing = len(log) - len(self.seen)
                feed.wait(lambda _: len(feed.events) >= missing, f"the last {missing} of {len(log)} events")
                self.seen += feed.events


def log_from(people, start: str) -> list:
    return [event for _, event in read_log(people.monitor, after=start)]


def assert_kept(people, sure, when: str, samples=12):
    """Each consult acknowledged before is there, at least as far as it was."""
    api = Api(people.station.server, people.station.token)
    order = ["requested", "scheduled", "cancelled"]
    for acknowledged in sure:
        for consult in random.sample(sorted(acknowledged), min(samples, len(acknowledged))):
            answer = api.get(f"/consults/{consult}")
            assert answer.status_code == 200, f"{when}: the acknowledged consult {consult} is gone: {answer.text}"
            state = answer.json()["state"]
            assert order.index(state) >= order.index(acknowledged[consult]), f"{when}: {consult} fell back to {state}"
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
            assert len(story) == len(set(story)), f"{subject} has an event twice: {story}"
            assert consult["state"] != "cancelled" or story[-1] == "cancelled"
    for subject, consult in consults.items():
        if consult["state"] in stories:
            assert subject in told or consult["requestedAt"] < log[0]["time"], f"{subject} exists without its event"


def assert_told(log, acknowledged: list):
    """The event of each acknowledged write stands in the log, once."""
    told = {}
    for event in log:
        told.setdefault(event["subject"], []).append(event["type"].removeprefix("consult."))
    ways = {"requested": ["requested"], "scheduled": ["requested", "scheduled"], "cancelled": ["requested", "scheduled", "cancelled"]}
    for consult, state in ((consult, state) for one in acknowledged for consult, state in one.items()):
        story = told.get(f"consults/{consult}", [])
        assert story[: len(ways[state])] == ways[state], f"{consult} was acknowledged as {state}, and the log says {story}"
        assert len(story) == len(set(story)), f"{consult} has an event twice: {story}"


def assert_gapless(people):
    """Who sees everything sees every number."""
    sequences = [int(event["sequence"]) for _, event in read_log(people.admin)]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences))), "the log has holes, or numbers twice"
