"""Deadlines are rows, not sleeping tasks: the server stops, hours pass, it starts again, and none was lost."""
import datetime

import pytest
from conftest import sign_in_all
from support.api import Api, any_problem, moment, now, problem
from support.care import BODIES, book, consult_body, consult_in, find_slots, move, new_trip, pass_milestone, positions, request_consult
from support.clock import ahead
from support.log import events_of
from support.sockets import Feed
from support.waiting import eventually


def later(server, span: datetime.timedelta):
    """Stops the server and starts it again where the clock shows `span` more. Everyone signs in anew."""
    server.stop()
    server.env |= ahead(span)
    server.start()
    return sign_in_all(server)


@pytest.fixture
def province(new_server):
    server = new_server()
    return server, sign_in_all(server)


def minutes(count) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)


def test_an_unanswered_request_escalates_and_stays_open(province):
    server, people = province
    emergency = request_consult(people.station, urgency="emergency")["id"]
    urgent = request_consult(people.station, urgency="urgent")["id"]
    answered = consult_in(people, "assigned", urgency="emergency")
    people = later(server, minutes(11))
    eventually(lambda: "consult.escalated" in events_of(people.monitor, f"consults/{emergency}"), "the escalation")
    kept = people.station.fetch(f"/consults/{emergency}")
    assert kept["state"] == "requested" and kept["overdue"] is True
    assert people.station.fetch(f"/consults/{urgent}")["overdue"] is False
    people = later(server, minutes(62))
    eventually(lambda: "consult.escalated" in events_of(people.monitor, f"consults/{urgent}"), "the second escalation")
    for consult in (emergency, urgent):
        assert events_of(people.monitor, f"consults/{consult}").count("consult.escalated") == 1
    assert "consult.escalated" not in events_of(people.monitor, f"consults/{answered}")
    # Late is better than never.
    assert move(people.specialist, emergency, "accept", status=200)["state"] == "assigned"
    server.command("verify")


def test_no_show_from_ten_minutes_after_the_start(province):
    server, people = province
    practitioner = people.specialist.person["practitionerId"]
    consults = [request_consult(people.station)["id"] for _ in range(2)]
    start = moment(book(people.station, consults[0], practitioner)["start"])
    book(people.station, consults[1], practitioner)
    people = later(server, start + minutes(5) - now())
    problem(people.station.post(f"/consults/{consults[0]}/noShow", {"side": "specialist"}), "illegal-transition")
    people = later(server, start + minutes(11) - now())
    assert "noShow" in people.station.fetch(f"/consults/{consults[0]}")["allowed"]
    assert move(people.station, consults[0], "noShow", {"side": "specialist"}, status=200)["state"] == "noShow"
    assert events_of(people.monitor, f"consults/{consults[0]}")[-1] == "consult.noShow"
    # The other one's time has not come.
    problem(people.station.post(f"/consults/{consults[1]}/noShow", {"side": "station"}), "illegal-transition")
    for transition, body in BODIES.items():
        answer = people.specialist.post(f"/consults/{consults[0]}/{transition}", body)
        assert problem(answer, "illegal-transition")["allowed"] == []
    server.command("verify")


def test_a_wrong_side_is_no_side(province):
    server, people = province
    consult = consult_in(people, "scheduled")
    start = moment(people.station.fetch(f"/consults/{consult}")["appointment"]["start"])
    people = later(server, start + minutes(15) - now())
    for body in ({}, {"side": "weather"}, {"side": 7}):
        problem(people.station.post(f"/consults/{consult}/noShow", body), "invalid")


def test_a_familys_link_expires(province):
    server, people = province
    trip = new_trip(people)["id"]
    link = people.dispatcher.send(f"/trips/{trip}/links", {}, status=201)
    path = "/track/" + link["url"].rsplit("/", 1)[1] + ".json"
    Api(server).fetch(path)
    later(server, moment(link["expiresAt"]) + minutes(1) - now())
    assert any_problem(Api(server).get(path))["code"] in ("link-ended", "not-found")


def test_sessions_tickets_and_keys_expire(province):
    server, people = province
    old = people.monitor
    ticket = old.ticket()
    body, key = consult_body(), {"Idempotency-Key": "one-a-day"}
    first = people.station.send("/consults", body, headers=key)["id"]
    people = later(server, minutes(2))
    with server.plain() as client:
        problem(client.get(f"/api/v1/events?ticket={ticket}"), "unauthenticated")
    assert people.station.send("/consults", body, headers=key)["id"] == first
    people = later(server, minutes(25 * 60))
    assert people.station.send("/consults", body, headers=key, status=201)["id"] != first
    later(server, moment(old.session["expiresAt"]) + minutes(1) - now())
    problem(Api(server, old.token).get("/session"), "unauthenticated")


def test_a_trip_that_falls_silent_is_stale(province):
    server, people = province
    trip = new_trip(people)["id"]
    pass_milestone(people.crew, trip, "enRoute")
    people.crew.post(f"/trips/{trip}/positions", positions(1))
    assert people.dispatcher.fetch(f"/trips/{trip}")["position"]["stale"] is False
    people = later(server, minutes(10))
    position = people.dispatcher.fetch(f"/trips/{trip}")["position"]
    assert position["stale"] is True and position["ageSeconds"] >= 600
    eventually(lambda: "trip.stale" in events_of(people.dispatcher, f"trips/{trip}"), "the event trip.stale", patience=90)


def test_slots_of_the_past_are_gone(province):
    server, people = province
    first = find_slots(people.station)[0]
    people = later(server, moment(first["end"]) + minutes(1) - now())
    consult = request_consult(people.station)["id"]
    start = {"practitionerId": first["practitionerId"], "start": first["start"], "minutes": 30}
    assert people.station.post(f"/consults/{consult}/appointment", start).status_code == 422
    answer = people.station.get("/slots", specialty="cardiology", from_=first["start"], to=first["end"])
    assert answer.json()["items"] == []


def test_the_feed_lives_through_it(province):
    server, people = province
    cursor = people.monitor.fetch("/events", after="oldest", limit=1)["head"]
    consult = request_consult(people.station, urgency="emergency")["id"]
    people = later(server, minutes(11))
    with Feed(people.monitor, after=cursor) as feed:
        feed.event("consult.requested", consult)
        feed.event("consult.escalated", consult)
