"""The same write sent to two nodes is done once, and of two that want the same thing one gets it."""
import uuid

import pytest
from support.api import Api, good, problem, uuid7
from support.care import appointment_of, conclusion, consult_body, consult_in, find_slots, move, request_consult
from support.log import events_of
from support.waiting import eventually
from test_idempotency import count_of, keyed
from test_race import at_once

pytestmark = pytest.mark.postgres


def callers(pair, caller, count: int) -> list:
    """Connections of their own, by turns to each node."""
    return [Api(pair[n % 2], caller.token) for n in range(count)]


def test_the_kept_answer_is_given_at_the_other_node(at_a, at_b):
    key, body = keyed(), consult_body(situation=f"Lặp lại {uuid.uuid4()}")
    first = at_a.station.post("/consults", body, **key)
    again = at_b.station.post("/consults", body, **key)
    assert (again.status_code, again.content) == (first.status_code, first.content) and first.status_code == 201
    assert again.headers.get("etag") == first.headers.get("etag")
    assert count_of(at_a.station, body["situation"]) == 1
    problem(at_b.station.post("/consults", consult_body(), **key), "idempotency-key-reused")


def test_one_key_at_both_nodes_at_the_same_moment(pair, at_a, at_b):
    for _ in range(5):
        key, body = keyed(), consult_body(situation=f"Cùng lúc {uuid.uuid4()}")
        answers = at_once([lambda c=caller: c.post("/consults", body, **key) for caller in callers(pair, at_a.station, 10)])
        done = {answer.content for answer in answers if answer.status_code == 201}
        assert len(done) == 1
        for answer in answers:
            if answer.status_code != 201:
                problem(answer, "idempotency-in-progress")
        assert count_of(at_b.station, body["situation"]) == 1
        assert at_b.station.post("/consults", body, **key).content == done.pop()


def test_one_id_at_both_nodes_is_one_consult(pair, at_a):
    body = consult_body(id=uuid7())
    answers = at_once([lambda c=caller: c.post("/consults", body) for caller in callers(pair, at_a.station, 20)])
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert {answer.json()["id"] for answer in answers} == {body["id"]}
    assert events_of(at_a.admin, f"consults/{body['id']}") == ["consult.requested"]


def test_one_slot_wanted_at_both_nodes(pair, at_a):
    body = appointment_of(find_slots(at_a.station)[0])
    consults = [request_consult(at_a.station)["id"] for _ in range(40)]
    answers = at_once(
        [lambda c=caller, i=consult: c.post(f"/consults/{i}/appointment", body) for caller, consult in zip(callers(pair, at_a.station, 40), consults)]
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 39, [answer.text for answer in answers]
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, "slot-taken")["alternatives"]
    states = [at_a.station.fetch(f"/consults/{consult}")["state"] for consult in consults]
    assert states.count("scheduled") == 1
    for consult in consults:
        move(at_a.station, consult, "cancel")


def test_slots_taken_at_a_are_not_offered_at_b(at_a, at_b):
    for here, there in ((at_a, at_b), (at_b, at_a)):
        # Not the first one: that is too soon in a minute.
        slot = find_slots(there.station)[20]
        consult = request_consult(here.station)["id"]
        here.station.send(f"/consults/{consult}/appointment", appointment_of(slot), status=201)
        # A list of slots is a hint, and a node hears of another's changes within a moment.
        eventually(lambda: slot not in find_slots(there.station), "the booking at the other node", patience=3)
        move(there.station, consult, "cancel")
        eventually(lambda: slot in find_slots(here.station), "the freed slot at the first node", patience=3)


def test_many_accept_one_wins(pair, at_a):
    consult = consult_in(at_a, "requested")
    answers = at_once([lambda c=caller: c.post(f"/consults/{consult}/accept", {}) for caller in callers(pair, at_a.specialist, 30)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 29
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, "illegal-transition")["state"] == "assigned"


def test_concurrent_conclusions_are_one(pair, at_a, at_b):
    consult = consult_in(at_a, "inProgress")
    answers = at_once(
        [lambda n=n, c=caller: c.post(f"/consults/{consult}/conclude", conclusion(summary=f"Bản {n}")) for n, caller in enumerate(callers(pair, at_a.specialist, 20))]
    )
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    assert at_b.specialist.fetch(f"/consults/{consult}")["outcome"]["summary"] == winners[0].json()["outcome"]["summary"]


def test_a_change_by_the_command_line_counts_at_both(pair, at_a, tmp_path):
    """What one node or command changes in the directory, the other one's cache lets go of."""
    file = tmp_path / "import.csv"
    file.write_text(f"code,name,kind,parent,lat,lon,phone\n97001,Trạm y tế Hai Nút,station,{at_a.admin.facility},19.8,105.7,\n")
    for node in pair:
        good(Api(node, at_a.dispatcher.token).get("/facilities", q="hai nut"), 200)
    pair[0].command("import", "facilities", file)
    for node in pair:
        caller = Api(node, at_a.dispatcher.token)
        eventually(lambda: [i for i in caller.fetch("/facilities", q="hai nut")["items"] if i["id"] == "97001"], "the new station", patience=15)
    pair[1].command("verify")
