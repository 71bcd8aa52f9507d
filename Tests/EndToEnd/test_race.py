"""Many clients want the same thing at the same moment: one gets it, and nobody else is told so."""
import concurrent.futures
import threading

from support.api import Api, problem, uuid7
from support.care import appointment_of, conclusion, consult_body, consult_in, find_slots, move, request_consult

RACERS = 200


def at_once(tasks) -> list:
    """Runs the callables in a thread each, released together; their results in order."""
    gate = threading.Barrier(len(tasks))

    def run(task):
        gate.wait(60)
        return task()

    with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(180) for future in [pool.submit(run, task) for task in tasks]]


def test_two_hundred_clients_one_slot(people):
    body = appointment_of(find_slots(people.station)[0])
    consults = [request_consult(people.station)["id"] for _ in range(RACERS)]
    # A client, so a connection, each.
    clients = [Api(people.station.server, people.station.token) for _ in consults]
    answers = at_once([lambda c=client, i=consult: c.post(f"/consults/{i}/appointment", body) for client, consult in zip(clients, consults)])
    winners = [consult for consult, answer in zip(consults, answers) if answer.status_code == 201]
    losers = [answer for answer in answers if answer.status_code != 201]
    assert len(winners) == 1, [answer.text for answer in answers if answer.status_code == 201]
    assert len(losers) == RACERS - 1
    offered = {}
    for answer in losers:
        for slot in problem(answer, "slot-taken")["alternatives"]:
            offered[(slot["practitionerId"], slot["start"])] = slot
        assert answer.json()["alternatives"]
    # Nobody booked anything else meanwhile: each alternative must be free indeed.
    spare = iter(consult for consult in consults if consult not in winners)
    for slot in offered.values():
        people.station.send(f"/consults/{next(spare)}/appointment", appointment_of(slot), status=201)
    states = [people.station.fetch(f"/consults/{consult}")["state"] for consult in consults]
    assert states.count("scheduled") == 1 + len(offered)
    for consult, client in zip(consults, clients):
        if consult not in winners:
            move(people.station, consult, "cancel")
        client.close()


def test_many_accept_one_wins(people):
    consult = consult_in(people, "requested")
    answers = at_once([lambda: Api(people.specialist.server, people.specialist.token).post(f"/consults/{consult}/accept", {}) for _ in range(30)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 29
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, "illegal-transition")["state"] == "assigned"


def test_one_id_many_times_is_one_consult(people):
    body = consult_body(id=uuid7())
    answers = at_once([lambda: Api(people.station.server, people.station.token).post("/consults", body) for _ in range(30)])
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert {answer.json()["id"] for answer in answers} == {body["id"]}
    events = people.admin.fetch("/events", after="oldest", subject=f"consults/{body['id']}", limit=100)["items"]
    assert [item["event"]["type"] for item in events] == ["consult.requested"]


def test_concurrent_conclusions_are_one(people):
    consult = consult_in(people, "inProgress")
    answers = at_once(
        [lambda n=n: Api(people.specialist.server, people.specialist.token).post(f"/consults/{consult}/conclude", conclusion(summary=f"Bản {n}")) for n in range(20)]
    )
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    assert people.specialist.fetch(f"/consults/{consult}")["outcome"]["summary"] == winners[0].json()["outcome"]["summary"]
