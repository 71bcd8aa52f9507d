"""Slot search and booking: the grid, the filters, what a booking takes away, what a refusal offers instead."""
import datetime

import pytest
from support.api import moment, now, problem, stamp
from support.care import all_items, appointment_of, book, find_slots, move, request_consult

MINUTE = datetime.timedelta(minutes=1)


def window(days=7) -> dict:
    start = now() + datetime.timedelta(minutes=30)
    return {"from_": stamp(start), "to": stamp(start + datetime.timedelta(days=days))}


def test_slots_are_ordered_and_within_what_was_asked(people):
    asked = window()
    items = people.station.fetch("/slots", specialty="cardiology", limit=200, **asked)["items"]
    assert items
    assert [item["start"] for item in items] == sorted(item["start"] for item in items)
    for item in items:
        assert set(item) == {"practitionerId", "facilityId", "specialty", "start", "end"}
        assert item["specialty"] == "cardiology"
        assert moment(item["end"]) - moment(item["start"]) == 30 * MINUTE
        assert moment(asked["from_"]) <= moment(item["start"]) and moment(item["end"]) <= moment(asked["to"])
        assert moment(item["start"]).minute % 5 == 0


@pytest.mark.parametrize("minutes", [5, 15, 20, 45, 60])
def test_the_grid_has_the_asked_length(people, minutes):
    items = find_slots(people.station, minutes=minutes, limit=500)
    by_practitioner = {}
    for item in items:
        assert moment(item["end"]) - moment(item["start"]) == minutes * MINUTE
        by_practitioner.setdefault(item["practitionerId"], []).append(item)
    for slots in by_practitioner.values():
        # A grid: one specialist's slots never overlap each other.
        for before, after in zip(slots, slots[1:]):
            assert moment(before["end"]) <= moment(after["start"])


def test_one_specialists_slots(people):
    me = people.specialist.person["practitionerId"]
    assert {item["practitionerId"] for item in find_slots(people.station, specialty=None, practitioner=me)} == {me}


def test_every_specialty_has_someone(people):
    specialties = [item["id"] for item in people.station.fetch("/specialties", limit=100)["items"]]
    assert len(specialties) == 16
    for specialty in specialties:
        assert find_slots(people.station, specialty=specialty, limit=1)


def test_limit_cuts_the_list(people):
    assert len(find_slots(people.station, limit=3)) == 3
    assert find_slots(people.station, limit=3) == find_slots(people.station, limit=10)[:3]


@pytest.mark.parametrize(
    "query",
    [
        {"minutes": "7"}, {"minutes": "0"}, {"minutes": "-30"}, {"minutes": "half"}, {"minutes": "100000"},
        {"specialty": "astrology"}, {"from_": "tomorrow"}, {"from_": "2026-02-30T00:00:00+07:00"},
        {"from_": "2026-03-01T00:00:00"}, {"limit": "0"}, {"limit": "many"},
    ],
)  # fmt: skip
def test_impossible_questions(people, query):
    problem(people.station.get("/slots", **{"specialty": "cardiology", **window(), **query}), "invalid")


def test_a_window_that_ends_before_it_begins(people):
    start = now()
    answer = people.station.get("/slots", specialty="cardiology", from_=stamp(start), to=stamp(start - datetime.timedelta(days=1)))
    assert answer.status_code == 422 or answer.json()["items"] == []


def test_a_booking_takes_its_time_from_the_search_and_shows_in_the_schedule(people):
    me = people.specialist.person["practitionerId"]
    consult = request_consult(people.station)["id"]
    taken = book(people.station, consult, me)
    start, end = moment(taken["start"]), moment(taken["start"]) + taken["minutes"] * MINUTE
    for slot in find_slots(people.station, practitioner=me, minutes=5, limit=1000):
        assert moment(slot["end"]) <= start or end <= moment(slot["start"])
    schedule = people.specialist.fetch(f"/practitioners/{me}/schedule", from_=stamp(start - 30 * MINUTE), to=stamp(end + 30 * MINUTE))
    mine = [item for item in schedule["items"] if item["kind"] == "appointment" and item.get("consultId") == consult]
    assert [(item["start"], moment(item["end"])) for item in mine] == [(taken["start"], end)]


def test_a_schedule_hides_others_patients(people):
    me = people.specialist.person["practitionerId"]
    consult = request_consult(people.station, patient={"name": "Trần Bí Mật"})["id"]
    taken = book(people.station, consult, me)
    start = moment(taken["start"])
    around = {"from_": stamp(start), "to": stamp(start + 30 * MINUTE)}
    assert "Trần Bí Mật" in people.specialist.get(f"/practitioners/{me}/schedule", **around).text
    for role in ("monitor", "admin"):
        answer = getattr(people, role).get(f"/practitioners/{me}/schedule", **around)
        assert answer.status_code in (200, 403, 404) and "Trần Bí Mật" not in answer.text, role


def test_any_five_minute_start_inside_availability(people):
    me = people.specialist.person["practitionerId"]
    slots = find_slots(people.station, practitioner=me, limit=200)
    # Two neighbouring slots: a visit may straddle them.
    before = next(a for a, b in zip(slots, slots[1:]) if a["end"] == b["start"])
    start = stamp(moment(before["start"]) + 10 * MINUTE)
    consult = request_consult(people.station)["id"]
    people.station.send(f"/consults/{consult}/appointment", {"practitionerId": me, "start": start, "minutes": 30}, status=201)


def test_times_off_the_five_minute_cells(people):
    slot = appointment_of(find_slots(people.station)[0])
    consult = request_consult(people.station)["id"]
    for change in (
        {"start": stamp(moment(slot["start"]) + 3 * MINUTE)},
        {"minutes": 12}, {"minutes": 0}, {"minutes": -5}, {"minutes": 10_000}, {"minutes": 30.5}, {"minutes": "30"},
    ):  # fmt: skip
        answer = people.station.post(f"/consults/{consult}/appointment", slot | change)
        assert problem(answer, "invalid" if answer.json()["code"] == "invalid" else "outside-schedule")["status"] == 422, change


def test_outside_the_schedule(people):
    me = people.specialist.person["practitionerId"]
    consult = request_consult(people.station)["id"]
    night = (now() + datetime.timedelta(days=2)).replace(hour=3, minute=0, second=0, microsecond=0)
    problem(people.station.post(f"/consults/{consult}/appointment", {"practitionerId": me, "start": stamp(night), "minutes": 30}), "outside-schedule")
    assert people.station.fetch(f"/consults/{consult}")["state"] == "requested"


def test_in_the_past(people):
    slot = appointment_of(find_slots(people.station)[0])
    consult = request_consult(people.station)["id"]
    past = slot | {"start": stamp(moment(slot["start"]) - datetime.timedelta(days=28))}
    assert people.station.post(f"/consults/{consult}/appointment", past).status_code == 422


def test_a_taken_slot_offers_free_ones(people):
    first, second = (request_consult(people.station)["id"] for _ in range(2))
    taken = book(people.station, first)
    refused = problem(people.station.post(f"/consults/{second}/appointment", taken), "slot-taken")
    assert refused["alternatives"]
    free = {(slot["practitionerId"], slot["start"], slot["end"]) for slot in find_slots(people.station, limit=1000)}
    for slot in refused["alternatives"]:
        assert slot["specialty"] == "cardiology"
        people.station.send(f"/consults/{second}/appointment", appointment_of(slot), status=201)
        move(people.station, second, "cancel")
        second = request_consult(people.station)["id"]
    assert any((slot["practitionerId"], slot["start"], slot["end"]) in free for slot in refused["alternatives"])


def test_a_partial_overlap_is_taken_too(people):
    me = people.specialist.person["practitionerId"]
    first, second = (request_consult(people.station)["id"] for _ in range(2))
    taken = book(people.station, first, me)
    for shift in (-25, -5, 5, 25):
        body = taken | {"start": stamp(moment(taken["start"]) + shift * MINUTE)}
        answer = people.station.post(f"/consults/{second}/appointment", body)
        # At the edge of a session the shifted visit may lie outside it instead.
        assert answer.json()["code"] in ("slot-taken", "outside-schedule"), answer.text
    assert people.station.fetch(f"/consults/{second}")["state"] == "requested"


def test_another_specialty_is_not_served(people):
    consult = request_consult(people.station, specialty="neurology")["id"]
    answer = people.station.post(f"/consults/{consult}/appointment", appointment_of(find_slots(people.station)[0]))
    problem(answer, "invalid")


@pytest.mark.parametrize(("asked", "found"), [("thanh hoa", "Thanh Hóa"), ("THANH HÓA", "Thanh Hóa"), ("đông", "Đông"), ("dong", "Đông")])
def test_search_without_diacritics(people, asked, found):
    names = [item["name"] for item in all_items(people.station, "/facilities", q=asked)]
    assert any(found in name for name in names), names[:10]
    assert len(names) < 186


def test_the_whole_province(people):
    facilities = all_items(people.dispatcher, "/facilities")
    kinds = [item["kind"] for item in facilities]
    # Other tests import facilities beside those of the demo.
    assert kinds.count("station") >= 166 and kinds.count("hospital") >= 8
    assert all(len(item["id"]) == 5 for item in facilities)
    assert len(all_items(people.dispatcher, "/practitioners")) >= 120
