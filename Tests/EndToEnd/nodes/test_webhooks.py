"""Webhooks of several nodes: one delivers, another goes on when it dies, and no two are ever at one receiver at once."""
import signal

import pytest
from conftest import sign_in_all
from support.load import Writers
from support.log import read_log
from support.nodes import on
from support.receiver import Receiver, add_webhook, shown
from support.waiting import eventually

pytestmark = pytest.mark.postgres
LOCAL = {"HOICHAN_WEBHOOK_PRIVATE": "1"}


@pytest.fixture
def receiver():
    with Receiver(work=0.005) as receiver:
        yield receiver


def deliverer(nodes):
    """The node that holds the lease, and its term."""
    rows = nodes.database.rows(
        "SELECT node.address, lease.term FROM lease JOIN node ON node.id = lease.holder WHERE lease.name = 'webhooks'"
    )
    assert rows, "nobody delivers"
    address, term = rows[0]
    found = [node for node in nodes if f"127.0.0.1:{node.port}" == address]
    assert found, address
    return found[0], term


def log_behind(people, webhook: dict) -> list:
    return [event for _, event in read_log(people.monitor, after=webhook["cursor"])]


def test_one_of_two_delivers_and_never_both(new_nodes, receiver):
    nodes = new_nodes(2, env=LOCAL)
    people = sign_in_all(nodes[0])
    made = add_webhook(people.admin, receiver)
    eventually(lambda: deliverer(nodes), "a node that delivers")
    # Written at both, and changed at both.
    writers = Writers(people, 4, where=nodes.any).start()
    writers.await_more(40)
    for node in nodes:
        on(node, people).admin.patch(f"/webhooks/{made['id']}", {"filter": {"types": ["*"]}})
    writers.await_more(40)
    writers.stop()
    log = log_behind(people, made)
    receiver.wait_for(len(log), patience=240)
    receiver.assert_in_order(log)
    receiver.assert_genuine(made["secret"])
    assert receiver.most_at_once == 1
    # A change drops the result of what was under way at that moment, and nothing else is sent twice.
    assert len(receiver.deliveries) <= len(log) + 2
    for node in nodes:
        assert shown(on(node, people).admin, made)["state"] == "active"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_another_goes_on_when_it_ends(new_nodes, receiver, end):
    nodes = new_nodes(2, env=LOCAL)
    people = sign_in_all(nodes[0])
    made = add_webhook(people.admin, receiver)
    writers = Writers(people, 2, where=nodes.any).start()
    receiver.wait_for(5)
    for _ in range(3):
        first, term = eventually(lambda: deliverer(nodes), "a node that delivers")
        getattr(first, end)()
        (other,) = nodes.others(first)
        then = len(receiver.ids)
        eventually(lambda: (now := deliverer(nodes))[1] > term and now[0] is other, "the other node", patience=30)
        receiver.wait_for(then + 5)
        first.start()
    writers.await_more(10)
    writers.stop()
    people = on(nodes[1], people)
    log = log_behind(people, made)
    receiver.wait_for(len(log), patience=240)
    receiver.assert_in_order(log)
    # Whoever stops lets go of a receiver that may still be busy with it.
    assert receiver.most_at_once == 1 or end == "stop"
    assert len(receiver.deliveries) <= len(log) + 3, "more was repeated than was under way"


@pytest.mark.timeout(600)
def test_a_node_that_freezes_and_wakes_sets_nothing_back(new_nodes, receiver):
    nodes = new_nodes(2, env=LOCAL)
    people = sign_in_all(nodes[0])
    made = add_webhook(people.admin, receiver)
    frozen, term = eventually(lambda: deliverer(nodes), "a node that delivers")
    (other,) = nodes.others(frozen)
    awake = on(other, people)
    writers = Writers(awake, 2, where=lambda: other).start()
    receiver.wait_for(5)
    frozen.child.process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: (now := deliverer(nodes))[1] > term and now[0] is other, "the other node", patience=30)
        then = len(receiver.ids)
        receiver.wait_for(then + 20)
    finally:
        frozen.child.process.send_signal(signal.SIGCONT)
    writers.await_more(20)
    writers.stop()
    log = log_behind(awake, made)
    receiver.wait_for(len(log), patience=240)
    assert receiver.once() == log
    # What it had sent before it froze may have been repeated by the other; nothing of it was recorded over the other's.
    assert len(receiver.deliveries) <= len(log) + 2
    eventually(lambda: shown(awake.admin, made)["behind"] == 0, "the webhook at the head")
