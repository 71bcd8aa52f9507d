"""`ETag` and `If-Match`: nobody overwrites what they have not read."""
import pytest
from support.api import any_problem, good, problem
from support.care import book, consult_in, move, new_trip, pass_milestone


def etag_of(caller, path: str) -> str:
    answer = caller.get(path)
    good(answer, 200)
    tag = answer.headers["etag"]
    assert tag.removeprefix("W/").startswith('"') and tag.endswith('"')
    return tag


def test_a_tag_changes_with_the_consult(people):
    consult = consult_in(people, "requested")
    path = f"/consults/{consult}"
    first = etag_of(people.station, path)
    assert etag_of(people.station, path) == first
    book(people.station, consult)
    assert etag_of(people.station, path) != first


def test_a_transition_honours_if_match(people):
    consult = consult_in(people, "requested")
    old = etag_of(people.station, f"/consults/{consult}")
    good(people.station.post(f"/consults/{consult}/cancel", {"reason": "x"}, headers={"If-Match": '"nothing-like-it"'}), 412)
    book(people.station, consult)
    problem(people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, headers={"If-Match": old}), "precondition-failed")
    assert people.station.fetch(f"/consults/{consult}")["state"] == "scheduled"
    new = etag_of(people.station, f"/consults/{consult}")
    good(people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, headers={"If-Match": new}), 200)


def test_if_match_any(people):
    consult = consult_in(people, "requested")
    good(people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, headers={"If-Match": "*"}), 200)


def test_one_of_several_tags(people):
    consult = consult_in(people, "requested")
    tag = etag_of(people.station, f"/consults/{consult}")
    good(people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, headers={"If-Match": f'"other", {tag}'}), 200)


def test_a_moved_appointment_honours_if_match(people):
    consult = consult_in(people, "scheduled")
    old = etag_of(people.station, f"/consults/{consult}")
    move(people.station, consult, "arrive")
    answer = people.station.post(f"/consults/{consult}/start", {}, headers={"If-Match": old})
    problem(answer, "precondition-failed")


def test_a_trip_honours_if_match(people):
    trip = new_trip(people)["id"]
    path = f"/trips/{trip}"
    old = etag_of(people.dispatcher, path)
    pass_milestone(people.crew, trip, "acknowledged")
    problem(people.dispatcher.patch(path, {"priority": "planned"}, headers={"If-Match": old}), "precondition-failed")
    assert people.dispatcher.fetch(path)["priority"] == "emergency"
    good(people.dispatcher.patch(path, {"priority": "planned"}, headers={"If-Match": etag_of(people.dispatcher, path)}), 200)
    assert people.dispatcher.fetch(path)["priority"] == "planned"


@pytest.mark.parametrize("tag", ["", "no quotes", '"', 'W/"', "\\"])
def test_broken_tags_match_nothing(people, tag):
    consult = consult_in(people, "requested")
    answer = people.station.post(f"/consults/{consult}/cancel", {"reason": "Nhầm"}, headers={"If-Match": tag})
    assert any_problem(answer)["status"] in (400, 412)
    assert people.station.fetch(f"/consults/{consult}")["state"] == "requested"
