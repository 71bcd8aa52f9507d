"""The consult: a request's facts, and every transition of CONTRACT.md's table, allowed and refused."""
import datetime
import hashlib

import pytest
from support.api import moment, now, problem, stamp, uuid7
from support.care import (
    ACTOR, ALLOWED, BODIES, TRANSITIONS, amendment, book, conclusion, consult_body, consult_in, find_slots,
    appointment_of, move, request_consult, state_of,
)  # fmt: skip

AFTER = {
    "accept": "assigned", "decline": "requested", "arrive": "waiting", "start": "inProgress", "interrupt": "interrupted",
    "resume": "inProgress", "conclude": "concluded", "sign": "signed", "amend": "amended", "cancel": "cancelled",
}  # fmt: skip


def test_a_request_keeps_its_facts(people):
    body = consult_body()
    consult = request_consult(people.station)
    assert consult["state"] == "requested"
    assert consult["stationId"] == people.station.facility
    for member in ("specialty", "urgency", "mode", "situation", "background", "assessment", "request"):
        assert consult[member] == body[member]
    for member, value in body["patient"].items():
        assert consult["patient"][member] == value
    for member, value in body["vitals"].items():
        assert consult["vitals"][member] == value
    assert consult["practitionerId"] is None and consult["appointment"] is None and consult["outcome"] is None
    assert abs(moment(consult["requestedAt"]) - now()) < datetime.timedelta(minutes=5)
    assert moment(consult["dueAt"]) - moment(consult["requestedAt"]) == datetime.timedelta(minutes=60)
    assert consult["overdue"] is False
    again = people.station.fetch(f"/consults/{consult['id']}")
    assert again == consult


def test_an_emergency_is_due_in_ten_minutes(people):
    consult = request_consult(people.station, urgency="emergency", urgencyReason="Ngừng tim")
    assert moment(consult["dueAt"]) - moment(consult["requestedAt"]) == datetime.timedelta(minutes=10)
    # Ten minutes later it would be escalated, in the middle of another test.
    move(people.station, consult["id"], "cancel")


def test_location_leads_to_the_consult(people):
    answer = people.station.post("/consults", consult_body())
    assert answer.status_code == 201
    if "location" in answer.headers:
        assert people.station.get(answer.headers["location"].removeprefix(people.station.server.origin)).status_code == 200


def test_a_clients_id_is_kept_and_may_be_repeated(people):
    body = consult_body(id=uuid7())
    first = people.station.send("/consults", body, status=201)
    assert first["id"] == body["id"]
    again = people.station.send("/consults", body)
    assert again["id"] == first["id"] and again["requestedAt"] == first["requestedAt"]
    problem(people.station.post("/consults", body | {"situation": "Khác hẳn"}), "id-taken")
    assert people.station.fetch(f"/consults/{body['id']}")["situation"] == body["situation"]


def test_a_temporary_patient_needs_no_name(people):
    consult = request_consult(people.station, patient={"temporary": True, "sex": "unknown"})
    assert consult["patient"]["temporary"] is True


@pytest.mark.parametrize("state", ALLOWED)
@pytest.mark.parametrize("transition", sorted(TRANSITIONS))
def test_transition(people, state, transition):
    consult = consult_in(people, state)
    caller = getattr(people, ACTOR[transition])
    if transition in ALLOWED[state]:
        answer = move(caller, consult, transition, status=200)
        if transition == "sign":
            assert set(answer) >= {"version", "sha256", "signedBy", "signedAt"}
        else:
            assert answer["state"] == AFTER[transition]
        expected = AFTER[transition]
    else:
        refused = problem(caller.post(f"/consults/{consult}/{transition}", BODIES.get(transition, {})), "illegal-transition")
        assert refused["state"] == state
        assert transition not in refused["allowed"]
        assert set(refused["allowed"]) <= ALLOWED[state]
        expected = state
    assert state_of(people.station, consult) == expected


@pytest.mark.parametrize("state", ALLOWED)
def test_appointment_in_each_state(people, state):
    consult = consult_in(people, state)
    slot = find_slots(people.station, practitioner=people.specialist.person["practitionerId"])[0]
    answer = people.station.post(f"/consults/{consult}/appointment", appointment_of(slot))
    if "appointment" in ALLOWED[state]:
        assert answer.status_code == 201, answer.text
        kept = people.station.fetch(f"/consults/{consult}")
        assert kept["state"] == "scheduled"
        assert kept["appointment"] == {name: slot[name] for name in ("practitionerId", "start", "end")}
    else:
        assert problem(answer, "illegal-transition")["state"] == state
        assert state_of(people.station, consult) == state


def test_allowed_tells_each_caller_its_own_moves(people):
    consult = consult_in(people, "requested")
    # What one may do is a part of what the machine takes, for each who sees it.
    for role in ("station", "specialist", "dispatcher", "monitor", "auditor"):
        seen = getattr(people, role).get(f"/consults/{consult}")
        if seen.status_code == 200:
            assert set(seen.json()["allowed"]) <= ALLOWED["requested"], role
    assert {"appointment", "cancel"} <= set(people.station.fetch(f"/consults/{consult}")["allowed"])
    assert "accept" in people.specialist.fetch(f"/consults/{consult}")["allowed"]
    assert "accept" not in people.station.fetch(f"/consults/{consult}")["allowed"]
    assert people.auditor.fetch(f"/consults/{consult}")["allowed"] == []


def test_start_by_the_station(people):
    consult = consult_in(people, "waiting")
    assert move(people.station, consult, "start", status=200)["state"] == "inProgress"


@pytest.mark.parametrize("state", ["assigned", "scheduled"])
def test_a_written_consult_concludes_without_a_call(people, state):
    consult = consult_in(people, state, mode="written")
    assert move(people.specialist, consult, "conclude", status=200)["state"] == "concluded"


def test_decline_and_cancel_free_the_time(people):
    practitioner = people.specialist.person["practitionerId"]
    for transition in ("decline", "cancel"):
        consult = request_consult(people.station)["id"]
        taken = book(people.station, consult, practitioner)
        starts = lambda: [slot["start"] for slot in find_slots(people.station, practitioner=practitioner)]
        assert taken["start"] not in starts()
        move(getattr(people, ACTOR[transition]), consult, transition)
        assert taken["start"] in starts()


def test_moving_frees_the_old_time(people):
    practitioner = people.specialist.person["practitionerId"]
    consult = request_consult(people.station)["id"]
    old = book(people.station, consult, practitioner)
    new = appointment_of(find_slots(people.station, practitioner=practitioner)[3])
    people.station.send(f"/consults/{consult}/appointment", new, status=201)
    starts = [slot["start"] for slot in find_slots(people.station, practitioner=practitioner)]
    assert old["start"] in starts and new["start"] not in starts
    assert people.station.fetch(f"/consults/{consult}")["appointment"]["start"] == new["start"]


def test_moving_onto_a_taken_time_keeps_the_old(people):
    practitioner = people.specialist.person["practitionerId"]
    first, second = (request_consult(people.station)["id"] for _ in range(2))
    taken = book(people.station, first, practitioner)
    kept = book(people.station, second, practitioner)
    problem(people.station.post(f"/consults/{second}/appointment", taken), "slot-taken")
    assert people.station.fetch(f"/consults/{second}")["appointment"]["start"] == kept["start"]
    # Overlapping its own time is a move, not a collision.
    people.station.send(f"/consults/{first}/appointment", taken | {"minutes": 25}, status=201)


def test_no_show_only_after_the_start(people):
    consult = consult_in(people, "scheduled")
    for side in ("station", "specialist"):
        refused = problem(people.station.post(f"/consults/{consult}/noShow", {"side": side}), "illegal-transition")
        assert refused["state"] == "scheduled" and "noShow" not in refused["allowed"]


def test_the_first_specialist_to_accept_wins(people):
    consult = consult_in(people, "assigned")
    assert people.station.fetch(f"/consults/{consult}")["practitionerId"] == people.specialist.person["practitionerId"]
    problem(people.specialist.post(f"/consults/{consult}/accept", {}), "illegal-transition")


def test_signing_seals_exact_bytes(people):
    consult = consult_in(people, "concluded")
    concluded = people.specialist.fetch(f"/consults/{consult}")["outcome"]
    assert concluded["signature"] is None
    for member, value in conclusion().items():
        assert concluded[member] == value
    signed = move(people.specialist, consult, "sign", status=200)
    for caller in (people.station, people.specialist):
        document = caller.get(f"/consults/{consult}/outcome/{signed['version']}")
        assert document.status_code == 200
        assert hashlib.sha256(document.content).hexdigest() == signed["sha256"]
    kept = people.station.fetch(f"/consults/{consult}")["outcome"]
    assert kept["signature"] == {name: signed[name] for name in ("sha256", "signedBy", "signedAt")}


def test_an_amendment_is_a_new_version_beside_the_old(people):
    consult = consult_in(people, "signed")
    first = people.station.fetch(f"/consults/{consult}")["outcome"]
    old = people.station.get(f"/consults/{consult}/outcome/{first['version']}").content
    move(people.specialist, consult, "amend", amendment(), status=200)
    second = move(people.specialist, consult, "sign", status=200)
    assert second["version"] == first["version"] + 1 and second["sha256"] != first["signature"]["sha256"]
    assert people.station.get(f"/consults/{consult}/outcome/{first['version']}").content == old
    outcomes = people.station.fetch(f"/consults/{consult}")["outcomes"]
    assert [outcome["version"] for outcome in outcomes] == [first["version"], second["version"]]
    problem(people.station.get(f"/consults/{consult}/outcome/{second['version'] + 1}"), "not-found")


@pytest.mark.parametrize("transition", ["decline", "cancel"])
def test_reasons_are_required(people, transition):
    consult = consult_in(people, "assigned")
    problem(getattr(people, ACTOR[transition]).post(f"/consults/{consult}/{transition}", {}), "invalid")
    assert state_of(people.station, consult) == "assigned"


@pytest.mark.parametrize(
    "change",
    [
        {"summary": None}, {"diagnoses": None}, {"diagnoses": []}, {"disposition": "cured"}, {"recommendation": None},
        {"diagnoses": [{"code": "I21.0", "main": True}, {"code": "I10", "main": True}]},
        {"diagnoses": [{"code": "I21.0", "main": False}]}, {"diagnoses": [{"code": "heart", "main": True}]},
        {"diagnoses": [{"code": "I21.0", "main": True}] + [{"code": f"A{n:02}", "main": False} for n in range(13)]},
        {"issues": [{"question": "?"}]}, {"followUpAt": "2026-02-30T08:00:00+07:00"},
    ],
)  # fmt: skip
def test_a_conclusion_is_checked(people, change):
    consult = consult_in(people, "inProgress")
    body = {name: value for name, value in conclusion(**change).items() if value is not None}
    refused = problem(people.specialist.post(f"/consults/{consult}/conclude", body), "invalid")
    assert any(next(iter(change)) in error["pointer"] for error in refused["errors"])
    assert state_of(people.station, consult) == "inProgress"


@pytest.mark.parametrize(
    ("vitals", "members", "total", "band"),
    [
        # The worked totals of the Royal College of Physicians' chart.
        ({"respiratoryRate": 16, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {}, 0, "low"),
        ({"respiratoryRate": 8, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {}, 3, "lowMedium"),
        ({"respiratoryRate": 22, "spo2": 93, "oxygen": False, "systolic": 104, "pulse": 112, "consciousness": "alert", "temperature": 36.8}, {}, 7, "high"),
        ({"respiratoryRate": 21, "spo2": 94, "oxygen": True, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {}, 5, "medium"),
        ({"respiratoryRate": 25, "spo2": 97, "spo2Scale": 2, "oxygen": True, "systolic": 90, "pulse": 131, "consciousness": "voice", "temperature": 35.0}, {}, 20, "high"),
        ({"respiratoryRate": 16, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert"}, {}, None, None),
        ({"respiratoryRate": 16, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {"pregnant": True}, None, None),
        ({"respiratoryRate": 16, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {"patient": {"name": "Bé An", "birthDate": "2020-01-01"}}, None, None),
        ({"respiratoryRate": 16, "spo2": 98, "oxygen": False, "systolic": 120, "pulse": 70, "consciousness": "alert", "temperature": 37.0}, {"patient": {"temporary": True}}, 0, "low"),
    ],
)  # fmt: skip
def test_news2(people, vitals, members, total, band):
    news2 = request_consult(people.station, vitals=vitals, **members)["news2"]
    if total is None:
        assert news2 is None
    else:
        assert (news2["total"], news2["band"]) == (total, band)
        assert sum(news2["scores"].values()) == total


def test_filters_of_the_list(people):
    waiting = consult_in(people, "waiting")
    cancelled = consult_in(people, "cancelled", specialty="neurology")
    ids = lambda **query: [item["id"] for item in people.station.fetch("/consults", limit=200, **query)["items"]]
    assert waiting in ids(state="waiting") and cancelled not in ids(state="waiting")
    assert cancelled in ids(specialty="neurology") and waiting not in ids(specialty="neurology")
    assert waiting in ids(practitioner=people.specialist.person["practitionerId"])
    assert cancelled not in ids(practitioner=people.specialist.person["practitionerId"])
    assert waiting in ids(station=people.station.facility)
    assert waiting in ids(from_=stamp(now() - datetime.timedelta(hours=1)), to=stamp(now() + datetime.timedelta(days=60)))
    problem(people.station.get("/consults", state="sleeping"), "invalid")
