"""Who may what: CONTRACT.md's "Who may", from outside, role by role. 404 for what one may not see, 403 for what one may not do."""
import pytest
from support.accounts import new_person, other_specialist, other_station
from support.api import Api, good, now, problem, stamp
from support.care import (
    BODIES, appointment_of, book, conclusion, consult_body, consult_in, find_slots, move, new_trip, positions, request_consult, trip_body,
)  # fmt: skip

CLINICAL = ("situation", "background", "assessment", "request", "vitals")
SECRETS = {
    "patient": {"name": "Phạm Thị Giấu Tên", "birthDate": "1961-07-01", "phone": "0977000111"},
    "situation": "Bí mật lâm sàng một",
    "background": "Bí mật lâm sàng hai",
    "assessment": "Bí mật lâm sàng ba",
    "request": "Bí mật lâm sàng bốn",
}
CLINICAL_TEXTS = [SECRETS[name] for name in ("situation", "background", "assessment", "request")]


@pytest.fixture(scope="module")
def strangers(people):
    """Another station's person, a cardiologist and a neurologist who are not `bacsi`, a monitor of another station only."""

    class Strangers:
        station = other_station(people)
        cardiologist = other_specialist(people)
        neurologist = other_specialist(people, "neurology")
        monitor = new_person(people, "monitor", [station.facility])
        auditor = new_person(people, "auditor", [station.facility])
        dispatcher = new_person(people, "dispatcher", [station.facility])

    return Strangers


def shows(answer) -> str:
    good(answer, 200)
    return answer.text


# Reading a consult

def test_the_station_reads_its_own_consult_whole(people):
    consult = request_consult(people.station, **SECRETS)
    text = shows(people.station.get(f"/consults/{consult['id']}"))
    assert all(value in text for value in [SECRETS["patient"]["name"], *CLINICAL_TEXTS])


def test_another_station_does_not_see_it(people, strangers):
    consult = consult_in(people, "concluded", **SECRETS)
    problem(strangers.station.get(f"/consults/{consult}"), "not-found")
    problem(strangers.station.get(f"/consults/{consult}/outcome/1"), "not-found")
    problem(strangers.station.post(f"/consults/{consult}/cancel", {"reason": "x"}), "not-found")
    assert consult not in strangers.station.get("/consults", limit=500).text


def test_specialists_of_the_specialty_see_facts_without_identity(people, strangers):
    consult = request_consult(people.station, **SECRETS)["id"]
    for caller in (people.specialist, strangers.cardiologist):
        answer = caller.get(f"/consults/{consult}")
        text = shows(answer)
        assert all(value in text for value in CLINICAL_TEXTS)
        assert "patient" not in answer.json()
        assert SECRETS["patient"]["name"] not in text and SECRETS["patient"]["phone"] not in text
        listed = next(item for item in caller.fetch("/consults", limit=500)["items"] if item["id"] == consult)
        assert "patient" not in listed
    problem(strangers.neurologist.get(f"/consults/{consult}"), "not-found")
    problem(strangers.neurologist.post(f"/consults/{consult}/accept", {}), "not-found")


def test_after_accepting_it_is_the_accepting_specialists(people, strangers):
    consult = consult_in(people, "assigned", **SECRETS)
    assert SECRETS["patient"]["name"] in shows(people.specialist.get(f"/consults/{consult}"))
    problem(strangers.cardiologist.get(f"/consults/{consult}"), "not-found")
    # Declined, it is open to all of the specialty again, and its identity hidden again.
    move(people.specialist, consult, "decline")
    for caller in (people.specialist, strangers.cardiologist):
        assert SECRETS["patient"]["name"] not in shows(caller.get(f"/consults/{consult}"))


@pytest.mark.parametrize("role", ["dispatcher", "monitor", "admin"])
@pytest.mark.parametrize("state", ["requested", "signed"])
def test_no_clinical_text_for(people, role, state):
    consult = consult_in(people, state, **SECRETS)
    caller = getattr(people, role)
    paths = [f"/consults/{consult}", "/consults?limit=500", f"/consults/{consult}/outcome/1", f"/events?after=oldest&limit=500&subject=consults/{consult}"]
    for path in paths:
        answer = caller.get(path)
        assert answer.status_code in (200, 403, 404), f"{path}: {answer.text[:300]}"
        for value in [*CLINICAL_TEXTS, conclusion()["summary"], conclusion()["recommendation"], "I21.0"]:
            assert value not in answer.text, f"{role} reads {value!r} at {path}"
        if role == "monitor":
            assert SECRETS["patient"]["name"] not in answer.text and SECRETS["patient"]["phone"] not in answer.text
    if role == "monitor" and caller.get(paths[0]).status_code == 200:
        assert not {"patient", *CLINICAL} & set(caller.get(paths[0]).json())


def test_the_auditor_reads_all_and_writes_nothing(people):
    consult = consult_in(people, "assigned", **SECRETS)
    text = shows(people.auditor.get(f"/consults/{consult}"))
    assert all(value in text for value in [SECRETS["patient"]["name"], *CLINICAL_TEXTS])
    for transition, body in BODIES.items():
        problem(people.auditor.post(f"/consults/{consult}/{transition}", body), "forbidden")
    problem(people.auditor.post("/consults", consult_body()), "forbidden")
    problem(people.auditor.post("/trips", trip_body(people)), "forbidden")


def test_grants_reach_only_their_facilities(people, strangers):
    consult = request_consult(people.station)["id"]
    for caller in (strangers.monitor, strangers.auditor, strangers.dispatcher):
        problem(caller.get(f"/consults/{consult}"), "not-found")
        assert consult not in caller.get("/consults", limit=500).text
        assert consult not in caller.get("/events", after="oldest", limit=500, types="consult.*").text


# Doing something to a consult

@pytest.mark.parametrize("role", ["specialist", "dispatcher", "crew", "monitor", "admin", "auditor"])
def test_only_stations_request(people, role):
    problem(getattr(people, role).post("/consults", consult_body(stationId=people.station.facility)), "forbidden")


def test_a_station_requests_only_for_itself(people, strangers):
    answer = people.station.post("/consults", consult_body(stationId=strangers.station.facility))
    assert answer.status_code in (403, 404), answer.text


MAY_NOT = [
    ("station", "requested", "accept"), ("dispatcher", "requested", "accept"), ("monitor", "requested", "accept"), ("admin", "requested", "accept"),
    ("station", "assigned", "decline"), ("dispatcher", "assigned", "decline"),
    ("specialist", "assigned", "arrive"), ("dispatcher", "assigned", "arrive"), ("monitor", "assigned", "start"), ("dispatcher", "assigned", "start"),
    ("station", "inProgress", "conclude"), ("dispatcher", "inProgress", "conclude"), ("admin", "inProgress", "conclude"),
    ("station", "concluded", "sign"), ("monitor", "concluded", "sign"), ("station", "signed", "amend"), ("dispatcher", "signed", "amend"),
    ("monitor", "requested", "cancel"), ("admin", "requested", "cancel"), ("dispatcher", "inProgress", "interrupt"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "state", "transition"), MAY_NOT)
def test_may_not_move(people, role, state, transition):
    consult = consult_in(people, state)
    problem(getattr(people, role).post(f"/consults/{consult}/{transition}", BODIES.get(transition, {})), "forbidden")
    assert people.station.fetch(f"/consults/{consult}")["state"] == state


@pytest.mark.parametrize("role", ["monitor", "admin", "auditor", "crew"])
def test_may_not_book(people, role):
    consult = request_consult(people.station)["id"]
    answer = getattr(people, role).post(f"/consults/{consult}/appointment", appointment_of(find_slots(people.station)[0]))
    problem(answer, "not-found" if role == "crew" else "forbidden")


def test_the_dispatcher_books_and_cancels(people):
    consult = request_consult(people.station)["id"]
    book(people.dispatcher, consult)
    assert move(people.dispatcher, consult, "cancel", status=200)["state"] == "cancelled"


def test_crew_reads_its_trips_consults_advice(people):
    consult = consult_in(people, "concluded", **SECRETS)
    problem(people.crew.get(f"/consults/{consult}"), "not-found")
    new_trip(people, consultId=consult)
    answer = people.crew.get(f"/consults/{consult}")
    text = shows(answer)
    assert conclusion()["recommendation"] in text
    assert not any(value in text for value in CLINICAL_TEXTS)


# Trips

def test_the_crew_sees_its_own_trips(people):
    mine = new_trip(people)["id"]
    others = new_trip(people, vehicleId=None)["id"]
    good(people.crew.get(f"/trips/{mine}"), 200)
    problem(people.crew.get(f"/trips/{others}"), "not-found")
    listed = [item["id"] for item in people.crew.fetch("/trips", limit=200)["items"]]
    assert mine in listed and others not in listed
    problem(people.crew.post(f"/trips/{others}/milestones", {"milestone": "enRoute", "at": stamp(now())}), "not-found")
    problem(people.crew.post(f"/trips/{others}/positions", positions()), "not-found")


@pytest.mark.parametrize("role", ["monitor", "admin", "auditor", "crew"])
def test_may_not_order_a_trip(people, role):
    problem(getattr(people, role).post("/trips", trip_body(people)), "forbidden")


@pytest.mark.parametrize("role", ["monitor", "admin", "auditor"])
def test_may_not_drive(people, role):
    trip = new_trip(people)["id"]
    caller = getattr(people, role)
    problem(caller.post(f"/trips/{trip}/milestones", {"milestone": "enRoute", "at": stamp(now())}), "forbidden")
    problem(caller.post(f"/trips/{trip}/positions", positions()), "forbidden")
    problem(caller.post(f"/trips/{trip}/links", {}), "forbidden")
    problem(caller.patch(f"/trips/{trip}", {"priority": "planned"}), "forbidden")


def test_the_monitor_sees_no_patient_of_a_trip(people):
    trip = new_trip(people, patient={"name": "Hoàng Giấu Kín", "phone": "0977111222"})["id"]
    text = shows(people.monitor.get(f"/trips/{trip}"))
    assert "Hoàng Giấu Kín" not in text and "0977111222" not in text


# Administration

@pytest.mark.parametrize("role", ["station", "specialist", "dispatcher", "crew", "monitor", "auditor"])
def test_only_the_admin_administers(people, role):
    caller = getattr(people, role)
    for path in ("/users", "/tokens"):
        problem(caller.get(path), "forbidden")
    problem(caller.post("/users", {"username": "x", "name": "X", "password": "long-enough-1", "grants": []}), "forbidden")
    problem(caller.post("/tokens", {"name": "x", "grants": []}), "forbidden")
    user = people.admin.fetch("/users")["items"][0]["id"]
    problem(caller.patch(f"/users/{user}", {"disabled": True}), "forbidden")


@pytest.mark.parametrize("role", ["station", "specialist", "dispatcher", "crew", "monitor", "admin"])
def test_only_the_auditor_reads_the_access_log(people, role):
    problem(getattr(people, role).get("/access-log"), "forbidden")


def test_a_view_is_in_the_access_log_before_its_answer(people):
    consult = request_consult(people.station)["id"]
    move(people.specialist, consult, "accept")
    good(people.specialist.get(f"/consults/{consult}"), 200)
    entries = people.auditor.fetch("/access-log", subject=f"consults/{consult}", limit=100)["items"]
    assert people.specialist.person["id"] in {entry["personId"] for entry in entries}
    for entry in entries:
        assert set(entry) >= {"seq", "at", "personId", "personName", "action", "subject", "facility"}
    # Once for a person, a record and five minutes.
    for _ in range(5):
        good(people.specialist.get(f"/consults/{consult}"), 200)
    again = people.auditor.fetch("/access-log", subject=f"consults/{consult}", limit=100)["items"]
    # At most one more row when five minutes ended just now.
    assert len(again) <= len(entries) + 1
    # What is read is nobody's event.
    types = {item["event"]["type"] for item in people.admin.fetch("/events", after="oldest", subject=f"consults/{consult}", limit=100)["items"]}
    assert types == {"consult.requested", "consult.accepted"}


def test_a_disabled_account_is_out_at_once(people):
    caller = other_station(people)
    caller.fetch("/session")
    good(people.admin.patch(f"/users/{caller.user['id']}", {"disabled": True}), 200)
    problem(caller.get("/session"), "unauthenticated")
    with people.admin.server.plain() as client:
        body = {"username": caller.user["username"], "password": caller.password}
        problem(client.post("/api/v1/session", json=body), "unauthenticated")


def test_a_machine_token_has_its_grants_and_no_more(people):
    made = people.admin.send("/tokens", {"name": "Bảng tỉnh", "grants": people.monitor.session["grants"]}, status=201)
    machine = Api(people.admin.server, made["token"])
    good(machine.get("/events", limit=1), 200)
    problem(machine.get("/users"), "forbidden")
    assert made["token"] not in people.admin.get("/tokens").text
    assert people.admin.delete(f"/tokens/{made['id']}").status_code == 204
    problem(machine.get("/events", limit=1), "unauthenticated")
