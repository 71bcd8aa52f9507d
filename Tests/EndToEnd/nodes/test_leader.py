"""Whoever numbers the events may die or freeze at any moment: the log has neither a hole nor a double."""
import random
import signal

import pytest
from conftest import sign_in_all
from support.api import Api
from support.care import request_consult
from support.load import Reader, Writers, assert_gapless, assert_kept, assert_nothing_half, assert_told, log_from
from support.log import assert_exactly_once_in_order
from support.nodes import on
from support.waiting import eventually

pytestmark = pytest.mark.postgres
WRITERS = 8
READERS = 8


class Watch:
    """Writers at one node, readers that come and go at any, and what all of it must add up to."""

    def __init__(self, nodes, writing_at):
        self.nodes, self.at = nodes, writing_at
        self.people = on(writing_at, sign_in_all(writing_at))
        self.before = self.people.monitor.fetch("/events", after="oldest", limit=1)["head"]
        stay = lambda: random.randint(1, 60)
        self.readers = [Reader(self.people, self.before, where=nodes.any, stay=stay) for _ in range(READERS)]
        self.writers = Writers(self.people, WRITERS, where=lambda: self.at)
        for reader in self.readers:
            reader.start()
        self.writers.start()
        self.writers.await_more(40)

    def assert_whole(self):
        self.writers.stop()
        log = log_from(self.people, self.before)
        for reader in self.readers:
            reader.finish(log)
            assert_exactly_once_in_order(reader.seen, log)
        assert_gapless(self.people)
        assert_told(log, self.writers.acknowledged())
        assert_nothing_half(self.people, log)
        assert_kept(self.people, self.writers.acknowledged(), "at the end", samples=50)
        self.at.command("verify")


def test_there_is_one_leader_and_it_is_one_of_us(new_nodes):
    nodes = new_nodes(3)
    assert eventually(nodes.leader, "a leader") in list(nodes)
    assert len(nodes.database.rows("SELECT name FROM lease WHERE name = 'sequencer'")) == 1
    addresses = {address for (address,) in nodes.database.rows("SELECT address FROM node WHERE state = 'serving'")}
    assert addresses >= {f"127.0.0.1:{node.port}" for node in nodes}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_leader_goes_under_load(new_nodes, end):
    nodes = new_nodes(2)
    old = eventually(nodes.lease, "a leader")
    leader = nodes.leader()
    (other,) = nodes.others(leader)
    watch = Watch(nodes, writing_at=other)
    getattr(leader, end)()
    new = eventually(lambda: (now := nodes.lease()).term > old.term and now, "another leader")
    assert new.holder != old.holder and nodes.leader() is other
    watch.writers.await_more(40)
    # The old one comes back as anybody.
    leader.start()
    watch.writers.await_more(40)
    watch.assert_whole()


@pytest.mark.timeout(600)
def test_one_leader_after_another_dies(new_nodes):
    nodes = new_nodes(3)
    # Nodes die by turns; writers go to whichever runs, as phones behind a balancer do.
    watch = Watch(nodes, writing_at=nodes[0])
    for writer in watch.writers.threads:
        writer.where = nodes.any
    for _ in range(4):
        before = eventually(nodes.lease, "a leader")
        leader = nodes.leader()
        leader.kill()
        eventually(lambda: nodes.lease().term > before.term, "another leader")
        watch.writers.await_more(20)
        leader.start()
    watch.assert_whole()


@pytest.mark.timeout(600)
def test_a_leader_that_freezes_and_wakes_doubles_nothing(new_nodes):
    nodes = new_nodes(2)
    old = eventually(nodes.lease, "a leader")
    leader = nodes.leader()
    (other,) = nodes.others(leader)
    watch = Watch(nodes, writing_at=other)
    leader.child.process.send_signal(signal.SIGSTOP)
    try:
        # It sleeps until somebody else leads and has numbered events of its own.
        eventually(lambda: nodes.lease().term > old.term, "another leader")
        watch.writers.await_more(40)
    finally:
        leader.child.process.send_signal(signal.SIGCONT)
    leader.await_ready()
    # What it writes now is numbered by the new leader.
    station = Api(leader, watch.people.station.token)
    consult = request_consult(station)["id"]
    watch.writers.await_more(40)
    assert nodes.lease().term > old.term
    watch.assert_whole()
    assert watch.people.station.fetch(f"/consults/{consult}")["state"] == "requested"
    assert_gapless(on(leader, watch.people))
