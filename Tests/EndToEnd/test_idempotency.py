"""`Idempotency-Key`: the same write sent again is answered again and done once."""
import uuid

from conftest import sign_in_all
from support.api import Api, any_problem, good, problem
from support.care import appointment_of, book, consult_body, find_slots, move, new_trip, request_consult
from test_race import at_once


def keyed(key=None) -> dict:
    return {"headers": {"Idempotency-Key": key or str(uuid.uuid4())}}


def count_of(caller, situation: str) -> int:
    return sum(item.get("situation") == situation for item in caller.fetch("/consults", limit=500)["items"])


def test_the_same_answer_again_and_one_consult(people):
    key, body = keyed(), consult_body(situation=f"Lặp lại {uuid.uuid4()}")
    first = people.station.post("/consults", body, **key)
    assert first.status_code == 201
    for _ in range(3):
        again = people.station.post("/consults", body, **key)
        assert (again.status_code, again.json()) == (201, first.json())
    assert count_of(people.station, body["situation"]) == 1


def test_another_body_is_refused(people):
    key = keyed()
    good(people.station.post("/consults", consult_body(), **key), 201)
    problem(people.station.post("/consults", consult_body(situation="Khác"), **key), "idempotency-key-reused")


def test_a_key_belongs_to_caller_method_and_path(people):
    key = keyed()
    consult = good(people.station.post("/consults", consult_body(), **key), 201)["id"]
    good(people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, **key), 200)
    trip = new_trip(people)["id"]
    good(people.dispatcher.post(f"/trips/{trip}/links", {}, **key), 201)


def test_a_transition_is_done_once(people):
    consult = request_consult(people.station)["id"]
    key = keyed()
    first = good(people.specialist.post(f"/consults/{consult}/accept", {}, **key), 200)
    again = good(people.specialist.post(f"/consults/{consult}/accept", {}, **key), 200)
    assert again == first
    # Without the key, it is a second attempt.
    problem(people.specialist.post(f"/consults/{consult}/accept", {}), "illegal-transition")


def test_a_refusal_is_not_turned_into_success(people):
    first, second = (request_consult(people.station)["id"] for _ in range(2))
    taken = book(people.station, first)
    key = keyed()
    problem(people.station.post(f"/consults/{second}/appointment", taken, **key), "slot-taken")
    other = appointment_of(find_slots(people.station)[0])
    # The key was for the refused body; a new attempt wants a new key.
    answer = people.station.post(f"/consults/{second}/appointment", other, **key)
    assert answer.status_code == 201 or problem(answer, "idempotency-key-reused")
    move(people.station, second, "cancel")


def test_at_the_same_moment(people):
    key, body = keyed(), consult_body(situation=f"Cùng lúc {uuid.uuid4()}")
    clients = [Api(people.station.server, people.station.token) for _ in range(20)]
    answers = at_once([lambda c=client: c.post("/consults", body, **key) for client in clients])
    done = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert done and len(set(done)) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, "idempotency-in-progress")
    assert count_of(people.station, body["situation"]) == 1
    assert good(people.station.post("/consults", body, **key), 201)["id"] == done[0]


def test_tickets_never_repeat(people):
    key = keyed()
    tickets = {good(people.station.post("/tickets", {"purpose": "events"}, **key), 200, 201)["ticket"] for _ in range(3)}
    assert len(tickets) == 3


def test_sessions_never_repeat(server):
    with server.plain() as client:
        body = {"username": "tram", "password": "hoichan-demo"}
        tokens = {good(client.post("/api/v1/session", json=body, **keyed("one-key")), 200, 201)["token"] for _ in range(2)}
    assert len(tokens) == 2


def test_keys_of_odd_shapes(people):
    for key in ("k" * 5000, ""):
        answer = people.station.post("/consults", consult_body(), **{"headers": {"Idempotency-Key": key}})
        assert answer.status_code == 201 or any_problem(answer)
    any_problem(people.station.post("/consults", consult_body(), headers={"Idempotency-Key": "k" * 5000}))


def test_a_key_outlives_a_restart(new_server):
    server = new_server()
    people = sign_in_all(server)
    key, body = keyed(), consult_body()
    first = good(people.station.post("/consults", body, **key), 201)
    server.kill()
    server.start()
    # The session too is a row, not a memory.
    again = good(Api(server, people.station.token).post("/consults", body, **key), 201)
    assert again == first
