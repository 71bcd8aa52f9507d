"""Where everything stands, with the cursor to go on from: a wallboard begins without a race."""
import threading

import pytest
from support.accounts import other_station
from support.api import Api, good, problem
from support.care import consult_in, move, new_trip, pass_milestone, positions, request_consult
from support.log import read_log
from support.sockets import Call, Feed
from support.waiting import eventually

OPEN = "requested,assigned,scheduled,waiting,inProgress,interrupted,concluded,amended"


def whole(caller, path: str, first: dict, **filters) -> list:
    """A list of the snapshot, with what did not fit into it."""
    items, after = list(first["items"]), first["next"]
    while after is not None:
        page = caller.fetch(path, after=after, limit=500, **filters)
        items += page["items"]
        after = page["next"]
    return items


def test_it_shows_what_the_lists_show(people):
    consult = consult_in(people, "scheduled")
    ended = consult_in(people, "cancelled")
    signed = consult_in(people, "signed")
    trip = new_trip(people)["id"]
    good(people.crew.post(f"/trips/{trip}/positions", positions(1, lat=19.77)), 200)
    for caller in (people.monitor, people.dispatcher, people.station, people.specialist, people.crew, people.auditor):
        snapshot = caller.fetch("/snapshot")
        assert set(snapshot) == {"cursor", "consults", "trips", "presence"}
        consults = {item["id"]: item for item in whole(caller, "/consults", snapshot["consults"], state=OPEN)}
        trips = {item["id"]: item for item in whole(caller, "/trips", snapshot["trips"], open="true")}
        assert ended not in consults and signed not in consults
        listed = {item["id"]: item for item in caller.fetch("/consults", state=OPEN, limit=500)["items"]}
        assert {name: consults[name] for name in listed} == listed
        assert (consult in consults) == (caller is not people.crew)
        assert (trip in trips) == (caller not in (people.station, people.specialist))
        if trip in trips:
            assert trips[trip]["position"]["lat"] == pytest.approx(19.77)


def test_of_a_place_and_a_specialty(people):
    here = request_consult(people.station, specialty="psychiatry")["id"]
    stranger = other_station(people)
    there = request_consult(stranger, specialty="psychiatry")["id"]
    found = lambda **query: {item["id"] for item in people.monitor.fetch("/snapshot", **query)["consults"]["items"]}
    assert here in found(facility=people.station.facility) and there not in found(facility=people.station.facility)
    assert {here, there} <= found(facility=f"{people.station.facility},{stranger.facility}", specialty="psychiatry,surgery")
    assert not found(specialty="astrology")
    assert {item["specialty"] for item in people.monitor.fetch("/snapshot", specialty="psychiatry")["consults"]["items"]} == {"psychiatry"}
    # Who may not see it does not find it here either.
    assert here not in {item["id"] for item in stranger.fetch("/snapshot")["consults"]["items"]}


def test_it_goes_on_in_the_lists(people):
    made = {request_consult(people.station)["id"] for _ in range(3)}
    snapshot = people.monitor.fetch("/snapshot", limit=1)
    assert len(snapshot["consults"]["items"]) == 1 and snapshot["consults"]["next"]
    items = whole(people.monitor, "/consults", snapshot["consults"], state=OPEN)
    assert made <= {item["id"] for item in items} and len(items) == len({item["id"] for item in items})


def test_refusals(people, nobody):
    problem(nobody.get("/snapshot"), "unauthenticated")
    for query in ({"limit": 0}, {"limit": 501}, {"limit": "all"}, {"facility": ","}, {"specialty": "x" * 101}):
        refused = problem(people.monitor.get("/snapshot", **query), "invalid")
        assert refused["errors"][0]["pointer"].startswith(next(iter(query)))


def test_the_feed_goes_on_from_it(people):
    before = request_consult(people.station)["id"]
    seen = people.monitor.fetch("/snapshot")["cursor"]
    # Whoever wrote before finds it in the rows, and behind the cursor.
    assert read_log(people.monitor, after=seen, subject=f"consults/{before}") == []
    consult = consult_in(people, "assigned")
    with Feed(people.monitor, after=seen, subject=f"consults/{consult}") as feed:
        feed.event("consult.accepted", consult)
        assert [event["type"] for event in feed.events] == ["consult.requested", "consult.accepted"]


def test_who_is_in_a_call(people):
    consult = consult_in(people, "inProgress")
    present = lambda caller: {item["consultId"]: item["participants"] for item in caller.fetch("/snapshot")["presence"]}
    assert consult not in present(people.monitor)
    with Call(people.station, consult) as station, Call(people.specialist, consult) as specialist:
        station.join(), specialist.join()
        eventually(lambda: present(people.monitor).get(consult) == 2, "both")
        assert present(people.station).get(consult) == 2
        assert consult not in present(other_station(people))
        # From here on the log tells who came and went.
        seen = people.monitor.fetch("/snapshot")["cursor"]
        specialist.send({"op": "leave"})
        with Feed(people.monitor, after=seen, types="call.*") as feed:
            assert feed.event("call.left", consult)["data"]["participants"] == 1
        assert present(people.monitor).get(consult) == 1


def test_nothing_falls_between_it_and_the_feed(people):
    """Wallboards begin again and again while four writers write: what each has in the end is what there is."""
    done, failures = threading.Event(), []
    made = []

    def write():
        station, specialist = Api(people.station.server, people.station.token), Api(people.station.server, people.specialist.token)
        try:
            for n in range(25):
                consult = request_consult(station)["id"]
                made.append(consult)
                if n % 3:
                    move(specialist, consult, "accept")
                if n % 3 == 2:
                    move(station, consult, "cancel")
        except Exception as error:  # shown by the main thread
            failures.append(error)

    def begin(boards: list):
        monitor = Api(people.monitor.server, people.monitor.token)
        try:
            while not done.is_set() or not boards:
                snapshot = monitor.fetch("/snapshot")
                boards.append((snapshot["cursor"], {item["id"]: item["state"] for item in whole(monitor, "/consults", snapshot["consults"], state=OPEN)}))
        except Exception as error:  # shown by the main thread
            failures.append(error)

    boards = [[], []]
    writers = [threading.Thread(target=write) for _ in range(4)]
    readers = [threading.Thread(target=begin, args=(list_,)) for list_ in boards]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not failures, failures[0]
    final = {name: people.monitor.fetch(f"/consults/{name}")["state"] for name in made}
    for cursor, states in [*boards[0][:20], *boards[1][-20:]]:
        for _, event in read_log(people.monitor, after=cursor, types="consult.*"):
            states[event["subject"].removeprefix("consults/")] = event["data"]["state"]
        for name, state in final.items():
            # One that had ended before the snapshot is not in it, and needs not be.
            assert states.get(name, "cancelled") == state, name


def test_a_trip_that_ends_leaves_it(people):
    trip = new_trip(people)["id"]
    listed = lambda: {item["id"] for item in people.dispatcher.fetch("/snapshot")["trips"]["items"]}
    assert trip in listed()
    pass_milestone(people.dispatcher, trip, "cancelled")
    assert trip not in listed()
