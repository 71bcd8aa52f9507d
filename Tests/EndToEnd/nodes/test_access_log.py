"""Who looked at a record stands in the access log once in five minutes, through whichever nodes they looked."""
import itertools

import pytest
from support.care import all_items, move, request_consult
from support.log import assert_exactly_once_in_order, read_log
from support.sockets import Feed

pytestmark = pytest.mark.postgres
MOVES = ("accept", "start", "interrupt", "resume", "conclude", "sign")


def test_a_record_looked_at_through_both_nodes(at_a, at_b):
    """The second look comes while the first one's entry is on its way from the outbox into the log."""
    before = at_a.monitor.fetch("/events", after="oldest", limit=1)["head"]
    consults = []
    for n in range(100):
        here, there = (at_a, at_b) if n % 2 else (at_b, at_a)
        consult = request_consult(here.station)["id"]
        # Each move shows the record to the specialist.
        for transition, caller in zip(MOVES, itertools.cycle([there.specialist, here.specialist])):
            move(caller, consult, transition)
        consults.append(consult)
    # An entry that came twice must not stand in the way of what comes behind it.
    with Feed(at_b.monitor, after=before) as feed:
        count = len(consults) * (1 + len(MOVES))
        feed.wait(lambda _: len(feed.events) >= count, f"{count} events", patience=60)
        assert_exactly_once_in_order(feed.events, [event for _, event in read_log(at_a.monitor, after=before)])
    entries = all_items(at_a.auditor, "/access-log", limit=500)
    looks = [entry["subject"] for entry in entries if entry["personId"] == at_a.specialist.person["id"]]
    for consult in consults:
        # Two, when five minutes ended in between.
        assert 1 <= sum(consult in subject for subject in looks) <= 2
