"""What must happen at a time happens once, however many nodes look at the clock."""
import datetime

import pytest
from conftest import sign_in_all
from support.care import consult_in, new_trip, pass_milestone, positions, request_consult
from support.clock import ahead
from support.log import events_of, read_log
from support.nodes import on
from support.waiting import eventually

pytestmark = pytest.mark.postgres
REQUESTS = 20


def minutes(count) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)


def told(people, subjects, type: str) -> dict:
    """How often each subject had this event."""
    found = dict.fromkeys(subjects, 0)
    for _, event in read_log(people.monitor, types=type):
        if event["subject"] in found:
            found[event["subject"]] += 1
    return found


def test_three_nodes_escalate_once(new_server, new_nodes):
    server = new_server()
    people = sign_in_all(server)
    waiting = [request_consult(people.station, urgency="emergency")["id"] for _ in range(REQUESTS)]
    later = [request_consult(people.station, urgency="urgent")["id"] for _ in range(REQUESTS)]
    answered = consult_in(people, "assigned", urgency="emergency")
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    people.crew.post(f"/trips/{trip}/positions", positions(1))
    server.stop()

    # All of them find the same overdue rows when they start.
    nodes = new_nodes(3, database=server.database, env=ahead(minutes(11)))
    people = sign_in_all(nodes[0])
    overdue, due = [{f"consults/{consult}" for consult in some} for some in (waiting, later)]
    eventually(lambda: all(told(people, overdue, "consult.escalated").values()), "the escalations")
    eventually(lambda: "trip.stale" in events_of(people.dispatcher, f"trips/{trip}"), "the event trip.stale", patience=90)
    for node in nodes:
        at_node = on(node, people)
        for consult in waiting:
            kept = at_node.station.fetch(f"/consults/{consult}")
            assert kept["state"] == "requested" and kept["overdue"] is True
    for node in nodes:
        node.stop()

    # And once more, without the one that would have done it.
    nodes = new_nodes(3, database=server.database, env=ahead(minutes(62)), start=False)
    for node in nodes:
        node.start(wait=False)
    for node in nodes:
        node.await_ready()
    leader = eventually(nodes.leader, "a leader")
    leader.kill()
    people = sign_in_all(nodes.others(leader)[0])
    eventually(lambda: all(told(people, due, "consult.escalated").values()), "the later escalations")
    assert set(told(people, overdue | due, "consult.escalated").values()) == {1}
    assert events_of(people.dispatcher, f"trips/{trip}").count("trip.stale") == 1
    assert "consult.escalated" not in events_of(people.monitor, f"consults/{answered}")
    nodes.others(leader)[0].command("verify")
