"""Trips: milestones late and out of order, positions, staleness, and the family's link that ends at handover."""
import datetime
import json
import time

import pytest
from support.api import Api, any_problem, good, moment, now, problem, stamp, uuid7
from support.care import crew_vehicle, new_trip, pass_milestone, positions, trip_body
from support.sockets import Feed, refusal
from support.waiting import eventually

MINUTE = datetime.timedelta(minutes=1)
WAY = ["dispatched", "acknowledged", "enRoute", "atScene", "patientContact", "departed", "atDestination", "handedOver", "available", "atBase"]
FAMILY = {
    None: "requested", "enRoute": "onTheWay", "atScene": "atScene", "patientContact": "atScene", "departed": "departed", "atDestination": "arrived",
}  # fmt: skip
SIDE_EXITS = ["stoodDown", "noPatient", "refused", "treatedNotTransported", "cancelled"]


def family_of(people, trip_id: str) -> tuple[Api, str, dict]:
    """A caller without a session, the JSON's path, and the link."""
    link = people.dispatcher.send(f"/trips/{trip_id}/links", {}, status=201)
    assert set(link) >= {"id", "url", "expiresAt"}
    assert moment(link["expiresAt"]) > now()
    assert link["url"].startswith(people.dispatcher.server.origin + "/track/")
    return Api(people.dispatcher.server), "/track/" + link["url"].rsplit("/", 1)[1] + ".json", link


def test_a_new_trip(people):
    body = trip_body(people, id=uuid7())
    trip = people.dispatcher.send("/trips", body, status=201)
    assert trip["id"] == body["id"] and trip["vehicleId"] == crew_vehicle(people)["id"]
    assert trip["position"] is None and trip["eta"] is None
    assert good(people.dispatcher.get(f"/trips/{trip['id']}"), 200) == trip
    assert people.dispatcher.send("/trips", body)["id"] == body["id"]
    problem(people.dispatcher.post("/trips", body | {"priority": "planned"}), "id-taken")


def test_the_whole_way(people):
    trip = new_trip(people)["id"]
    start = now() - 60 * MINUTE
    for step, milestone in enumerate(WAY):
        pass_milestone(people.crew if step else people.dispatcher, trip, milestone, at=start + step * MINUTE)
    kept = people.dispatcher.fetch(f"/trips/{trip}")
    recorded = {item["milestone"]: item for item in kept["milestones"]}
    assert [name for name in WAY if name in recorded] == WAY
    for step, milestone in enumerate(WAY):
        assert moment(recorded[milestone]["at"]) == moment(stamp(start + step * MINUTE))
        assert abs(moment(recorded[milestone]["recordedAt"]) - now()) < 5 * MINUTE
        assert "inverted" not in recorded[milestone].get("flags", [])
    assert kept["closed"]


def test_inversions_are_flagged_and_kept(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute", at=now() - 10 * MINUTE)
    pass_milestone(people.crew, trip, "atScene", at=now() - 20 * MINUTE)
    kept = {item["milestone"]: item for item in people.crew.fetch(f"/trips/{trip}")["milestones"]}
    assert kept["atScene"]["flags"]
    assert moment(kept["atScene"]["at"]) < moment(kept["enRoute"]["at"])


def test_a_late_report_is_accepted(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "atScene")
    pass_milestone(people.crew, trip, "enRoute", at=now() - 15 * MINUTE)
    kept = {item["milestone"]: item for item in people.crew.fetch(f"/trips/{trip}")["milestones"]}
    assert moment(kept["enRoute"]["at"]) < moment(kept["atScene"]["at"])


def test_a_device_clock_that_runs_ahead_is_replaced_and_flagged(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute", at=now() + 30 * MINUTE)
    kept = {item["milestone"]: item for item in people.crew.fetch(f"/trips/{trip}")["milestones"]}["enRoute"]
    assert kept["flags"] and moment(kept["at"]) <= now() + MINUTE
    # A minute ahead is within what phones do.
    pass_milestone(people.crew, trip, "atScene", at=now() + MINUTE)
    kept = {item["milestone"]: item for item in people.crew.fetch(f"/trips/{trip}")["milestones"]}["atScene"]
    assert "clockAhead" not in kept.get("flags", [])


@pytest.mark.parametrize("body", [{}, {"milestone": "flewAway"}, {"milestone": 3}, {"milestone": "enRoute", "at": "yesterday"}, {"milestone": "enRoute", "at": 5}])
def test_milestones_are_checked(people, body):
    trip = new_trip(people)
    problem(people.crew.post(f"/trips/{trip['id']}/milestones", body), "invalid")
    assert people.crew.fetch(f"/trips/{trip['id']}")["milestones"] == trip["milestones"]


def test_positions_up_to_five_hundred(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    good(people.crew.post(f"/trips/{trip}/positions", positions(500)), 200, 201, 202, 204)
    last = positions(500)["positions"][-1]
    kept = people.dispatcher.fetch(f"/trips/{trip}")["position"]
    assert (kept["lat"], kept["lon"]) == (pytest.approx(last["lat"]), pytest.approx(last["lon"]))
    assert kept["stale"] is False and kept["ageSeconds"] < 60
    assert any_problem(people.crew.post(f"/trips/{trip}/positions", positions(501)))["status"] in (413, 422)


def test_old_positions_do_not_replace_newer_ones(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    good(people.crew.post(f"/trips/{trip}/positions", positions(1, lat=19.5)), 200, 201, 202, 204)
    good(people.crew.post(f"/trips/{trip}/positions", positions(50, at=now() - 10 * MINUTE, lat=19.9)), 200, 201, 202, 204)
    assert people.dispatcher.fetch(f"/trips/{trip}")["position"]["lat"] == pytest.approx(19.5)


def test_an_old_position_is_stale(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    good(people.crew.post(f"/trips/{trip}/positions", positions(1, at=now() - 5 * MINUTE)), 200, 201, 202, 204)
    kept = people.dispatcher.fetch(f"/trips/{trip}")["position"]
    assert kept["stale"] is True and kept["ageSeconds"] >= 240
    family, path, _ = family_of(people, trip)
    assert family.fetch(path)["position"]["stale"] is True


@pytest.mark.parametrize(
    "position",
    [
        {"lat": 91}, {"lat": -90.1}, {"lon": 181}, {"lat": "19.8"}, {"lat": None}, {"at": "now"}, {"at": None}, {"speed": -1}, {"heading": 400},
        {"accuracy": -5}, {"speed": "fast"}, {"at": "2026-02-30T00:00:00+07:00"},
    ],
)  # fmt: skip
def test_positions_are_checked(people, position):
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    body = positions(3)
    body["positions"][1] |= position
    refused = problem(people.crew.post(f"/trips/{trip}/positions", body), "invalid")
    assert any(error["pointer"].startswith("/positions/1") for error in refused["errors"])
    assert people.dispatcher.fetch(f"/trips/{trip}")["position"] is None


def test_positions_reach_the_feed_as_volatile_events(people):
    trip = new_trip(people)["id"]
    with Feed(people.dispatcher, types="trip.*", subject=f"trips/{trip}") as feed:
        feed.ready()
        pass_milestone(people.crew, trip, "enRoute")
        feed.event("trip.milestone")
        good(people.crew.post(f"/trips/{trip}/positions", positions(1, lat=19.77)), 200, 201, 202, 204)
        frame = feed.first("a position", kind="volatile")
        assert frame["event"]["type"] == "trip.position" and frame["event"]["data"]["lat"] == pytest.approx(19.77)
        assert "cursor" not in frame
    assert "trip.position" not in people.dispatcher.get("/events", after="oldest", types="trip.*", limit=500).text


def test_how_positions_come_is_for_the_reader_to_say(people):
    trip = new_trip(people)["id"]

    def seen(feed) -> list:
        return [frame["event"]["data"]["lat"] for frame in list(feed.frames) if frame["kind"] == "volatile" and trip in frame["event"]["subject"]]

    def send(lat, at):
        good(people.crew.post(f"/trips/{trip}/positions", positions(1, at=at, lat=lat)), 200, 201, 202, 204)

    with (
        Feed(people.monitor, volatile="all") as every,
        Feed(people.monitor, volatile="off") as none,
        Feed(people.monitor, maxRate="0.05") as seldom,
        Feed(people.monitor, volatile="latest", maxRate="20") as often,
    ):
        for feed in (every, none, seldom, often):
            feed.ready()
        lats = [19.1, 19.2, 19.3, 19.4]
        begun = time.monotonic()
        start = now() - datetime.timedelta(seconds=10)
        for number, lat in enumerate(lats):
            send(lat, start + datetime.timedelta(seconds=number))
        eventually(lambda: seen(every) == lats, "every position")
        # Between two that this one may get there are twenty seconds, and then only the newest would come.
        eventually(lambda: seen(seldom), "one position")
        assert len(seen(seldom)) == 1 or time.monotonic() - begun > 20
        eventually(lambda: seen(often)[-1:] == lats[-1:], "the newest position")
        assert seen(often) == sorted(seen(often)) and seen(none) == []


@pytest.mark.parametrize("query, pointer", [
    ({"volatile": "some"}, "volatile"), ({"maxRate": "0"}, "maxRate"), ({"maxRate": "21"}, "maxRate"),
    ({"maxRate": "often"}, "maxRate"), ({"volatile": "all", "maxRate": "1"}, "maxRate"),
])  # fmt: skip
def test_a_wish_for_positions_that_cannot_be(people, query, pointer):
    status, _, body = refusal(lambda: Feed(people.monitor, **query))
    answer = json.loads(body)
    assert status == 422 and answer["code"] == "invalid" and pointer in [error["pointer"] for error in answer["errors"]]


def test_the_family_follows_until_the_handover(people):
    trip = new_trip(people)["id"]
    family, path, _ = family_of(people, trip)
    for milestone, state in FAMILY.items():
        if milestone:
            pass_milestone(people.crew, trip, milestone)
        page = family.fetch(path)
        assert page["state"] == state
        assert set(page) == {"state", "position", "eta", "phone"}
    good(people.crew.post(f"/trips/{trip}/positions", positions(1)), 200, 201, 202, 204)
    seen = family.get(path)
    assert seen.json()["position"]["stale"] is False
    for secret in (trip, "Lê Văn Bình", "Nhà bệnh nhân", crew_vehicle(people)["label"], "0987654321"):
        assert secret not in seen.text
    pass_milestone(people.crew, trip, "handedOver")
    problem(family.get(path), "link-ended")
    page = family.http.get(path.removesuffix(".json"))
    assert "Lê Văn Bình" not in page.text


@pytest.mark.parametrize("exit", SIDE_EXITS)
def test_every_side_exit_is_ended(people, exit):
    trip = new_trip(people)["id"]
    family, path, _ = family_of(people, trip)
    pass_milestone(people.crew, trip, "enRoute")
    pass_milestone(people.dispatcher, trip, exit)
    page = family.fetch(path)
    assert page["state"] == "ended" and page["position"] is None and page["eta"] is None


def test_a_revoked_link_is_dead(people):
    trip = new_trip(people)["id"]
    family, path, link = family_of(people, trip)
    family.fetch(path)
    assert people.dispatcher.delete(f"/trips/{trip}/links/{link['id']}").status_code == 204
    answer = family.get(path)
    assert any_problem(answer)["code"] in ("link-ended", "not-found")
    problem(people.dispatcher.delete(f"/trips/{trip}/links/{uuid7()}"), "not-found")


def test_guessed_links_find_nothing(nobody):
    for secret in ("x", "a" * 43, "a" * 5000, "..", "%2e%2e%2f", "%00"):
        any_problem(nobody.get(f"/track/{secret}.json"))


def test_the_family_page_keeps_its_address_to_itself(people):
    family, path, link = family_of(people, new_trip(people)["id"])
    for address in (path, path.removesuffix(".json")):
        answer = family.http.get(address)
        assert answer.status_code == 200 and answer.headers["referrer-policy"] == "no-referrer"
    secret = link["url"].rsplit("/", 1)[1]
    assert secret not in people.dispatcher.server.log()
    assert not people.dispatcher.server.database.holds(secret)


def test_a_closed_trip_takes_no_more(people):
    trip = new_trip(people)["id"]
    pass_milestone(people.dispatcher, trip, "cancelled")
    assert people.dispatcher.fetch(f"/trips/{trip}")["closed"]
    problem(people.crew.post(f"/trips/{trip}/milestones", {"milestone": "enRoute", "at": stamp(now())}), "illegal-transition")
    any_problem(people.crew.post(f"/trips/{trip}/positions", positions()))


@pytest.mark.parametrize(
    "change",
    [
        {"origin": None}, {"origin": {"lat": 19.8}}, {"origin": {"lat": 200, "lon": 0}}, {"destination": None}, {"destination": {}},
        {"destination": {"facilityId": "00000"}}, {"vehicleId": uuid7()}, {"vehicleId": 7}, {"priority": "slow"}, {"consultId": uuid7()},
    ],
)  # fmt: skip
def test_a_trip_is_checked(people, change):
    # A well-formed id that names nothing may be told either way.
    assert any_problem(people.dispatcher.post("/trips", trip_body(people) | change))["code"] in ("invalid", "not-found")


def test_replanning(people):
    trip = new_trip(people)["id"]
    changed = good(people.dispatcher.patch(f"/trips/{trip}", {"destination": {"lat": 19.9, "lon": 105.7, "label": "Điểm hẹn"}}), 200)
    assert changed["destination"]["lat"] == pytest.approx(19.9) and changed["version"] > 1
    problem(people.dispatcher.patch(f"/trips/{trip}", {"destination": {"lat": "x", "lon": 1}}), "invalid")
