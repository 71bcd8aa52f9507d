"""One room, members at different nodes: what one says the other hears, and seats move between nodes."""
import pytest
from conftest import sign_in_all
from support.care import consult_in
from support.log import events_of
from support.nodes import on
from support.seats import Seat
from support.waiting import eventually
from websockets.exceptions import InvalidHandshake, WebSocketException

pytestmark = pytest.mark.postgres


@pytest.fixture
def consult(at_a):
    return consult_in(at_a, "inProgress")


def seated(at_a, at_b, consult):
    """The station at node A, the specialist at node B, aware of each other."""
    station, specialist = Seat(at_a.station, consult), Seat(at_b.specialist, consult)
    station.other(), specialist.other()
    return station, specialist


@pytest.fixture
def seats(at_a, at_b, consult):
    station, specialist = seated(at_a, at_b, consult)
    yield station, specialist
    for seat in (station, specialist):
        seat.call.close()


def relayed(seat) -> list:
    return [frame["op"] for frame in list(seat.call.frames) if frame["op"] in ("description", "candidate")]


def test_both_sit_in_one_room(seats, at_a, consult):
    station, specialist = seats
    assert station.id != specialist.id and station.token != specialist.token
    assert station.other()["id"] == specialist.id and station.other()["role"] == "specialist"
    assert specialist.other()["id"] == station.id and specialist.other()["role"] == "station"
    assert station.other()["polite"] is not specialist.other()["polite"]
    assert station.other()["generation"] == specialist.other()["generation"] == 1
    assert station.joined["iceServers"] and specialist.joined["iceServers"]
    eventually(lambda: events_of(at_a.monitor, f"consults/{consult}").count("call.joined") == 2, "both arrivals")


def test_descriptions_candidates_and_words_go_both_ways(seats):
    for one, two in (seats, reversed(seats)):
        peer = one.other()
        one.offer(peer, f"v=0 of {one.id}")
        for n in range(20):
            one.candidate(peer, f"candidate:{n}")
        one.candidate(peer, None)
        two.call.wait(lambda _: len(two.heard("candidate")) == 21, "21 candidates")
        assert two.heard_candidates() == [f"candidate:{n}" for n in range(20)] + [None]
        assert relayed(two) == ["description"] + ["candidate"] * 21
        description = two.heard("description")[0]
        assert description == {"op": "description", "from": one.id, "generation": 1, "description": {"type": "offer", "sdp": f"v=0 of {one.id}"}}
        one.call.send({"op": "chat", "text": "Nghe rõ không ạ?"})
        said = two.hears("the words", op="chat")
        assert said["text"] == "Nghe rõ không ạ?" and said["from"] == one.id


def test_a_description_longer_than_a_notification(seats):
    """PostgreSQL's NOTIFY takes 8,000 bytes; a browser's offer may have more."""
    station, specialist = seats
    sdp = "v=0\r\n" + "a=candidate: thử nghiệm dài\r\n" * 800
    station.offer(station.other(), sdp)
    assert specialist.hears("the long offer", op="description")["description"]["sdp"] == sdp


def test_quotes_and_odd_letters_arrive_as_they_are(seats):
    station, specialist = seats
    words = "'; DROP TABLE consult; -- \\ \" \u2028 👩🏽‍⚕️ Đường"
    station.call.send({"op": "chat", "text": words})
    assert specialist.hears("the words", op="chat")["text"] == words


def test_a_fresh_join_at_the_other_node_raises_the_generation(seats, at_a, consult):
    station, specialist = seats
    old = station.other()
    specialist.call.send({"op": "leave"})
    station.alone()
    again = Seat(at_a.specialist, consult)
    station.call.wait_roster(lambda members: any(m["generation"] > old["generation"] for m in members if m["id"] != station.id), "a new generation")
    new = station.other()
    assert new["generation"] == old["generation"] + 1 == again.other()["generation"]
    station.candidate(new, "candidate:of yesterday", generation=old["generation"])
    station.offer(new, "v=0 of today")
    assert again.hears("today's offer", op="description")["description"]["sdp"] == "v=0 of today"
    assert again.heard("candidate") == []
    versions = [frame["version"] for frame in station.heard("roster")]
    assert versions == sorted(set(versions))
    again.call.close()


def test_a_seat_is_resumed_at_the_other_node(seats, at_a):
    station, specialist = seats
    peer = station.other()
    specialist.call.drop()
    station.negotiates(peer, "v=0 while away", candidates=20)
    back = specialist.resumed(at_a.specialist)
    assert back.id == specialist.id
    assert back.other()["generation"] == peer["generation"] == station.other()["generation"]
    if not back.joined["renegotiate"]:
        back.has_heard("v=0 while away", candidates=20)
    back.offer(back.other(), "v=0 answer", kind="answer")
    station.hears("the answer", op="description")
    back.call.close()


def test_a_newer_socket_at_the_other_node_takes_the_seat_over(seats, at_a):
    station, specialist = seats
    back = specialist.resumed(at_a.specialist)
    assert back.id == specialist.id
    specialist.call.wait_closed()
    station.offer(station.other(), "v=0")
    back.hears("the offer", op="description")
    assert specialist.heard("description") == []
    back.call.close()


def test_a_token_claims_once_of_two_nodes(seats, at_a, at_b):
    """Claimed at both nodes one after the other: the later socket has the seat, and there is one member."""
    station, specialist = seats
    one = specialist.resumed(at_a.specialist)
    two = Seat(at_b.specialist, specialist.consult, resume=one.token)
    assert specialist.id == one.id == two.id
    one.call.wait_closed()
    assert station.other()["id"] == two.id
    two.call.close()


def test_leaving_is_told_once(seats, at_a, at_b, consult):
    station, specialist = seats
    specialist.call.send({"op": "leave"})
    station.alone()
    station.call.send({"op": "leave"})
    assert_told_once(at_b, consult)


def assert_told_once(people, consult):
    told = lambda: events_of(people.monitor, f"consults/{consult}")
    eventually(lambda: "call.ended" in told(), "the event call.ended")
    log = [name for name in told() if name.startswith("call.")]
    assert sorted(log) == ["call.ended", "call.joined", "call.joined", "call.left", "call.left"] and log[-1] == "call.ended", log


def test_nodes_that_lose_each_other_lose_nothing_in_silence(seats, pair, at_b):
    """The connections between the nodes break while somebody talks: all of it arrives in order, or the member is made
    to come back and is told what to do."""
    station, specialist = seats
    cluster, name = pair.database.cluster, pair.database.name
    count = 60
    for n in range(count):
        if n % 20 == 10:
            cluster.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
        station.call.send({"op": "chat", "text": str(n)})
    said = [str(n) for n in range(count)]
    heard = lambda seat: [frame["text"] for frame in seat.heard("chat")]
    specialist.call.wait(lambda _: len(heard(specialist)) >= count or specialist.call.close_code, "all of it, or a close", patience=30)
    if specialist.call.close_code is None:
        assert heard(specialist) == said
        return
    assert specialist.call.close_code == 1001
    back = come_back(specialist, at_b.specialist)
    if not back.joined["renegotiate"]:
        # What was heard but not yet known to be heard may come again.
        back.call.wait(lambda _: heard(back) and heard(back)[-1] == said[-1], "the rest")
        first = int(heard(back)[0])
        assert heard(back) == said[first:] and heard(specialist)[:first] == said[:first]
    back.call.close()


# Nodes that go

def come_back(seat, caller) -> Seat:
    """As a page does: again and again, with the seat's token, until somebody has it."""
    def attempt():
        try:
            return Seat(caller, seat.consult, resume=seat.token, patience=5)
        except (OSError, AssertionError, InvalidHandshake, WebSocketException, TimeoutError):
            return None  # Not yet: the room is on its way to another node.

    # A seat is held for half a minute.
    return eventually(attempt, f"the return of {seat.id}", patience=25, every=0.3)


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("gone", ["host", "guest"])
def test_a_node_goes_and_the_call_goes_on(new_nodes, end, gone):
    nodes = new_nodes(2)
    at_a = sign_in_all(nodes[0])
    at_b = on(nodes[1], at_a)
    consult = consult_in(at_a, "inProgress")
    # Whoever comes first makes the room, so that it lives at A or at B.
    if gone == "host":
        station = Seat(at_a.station, consult)
        specialist = Seat(at_b.specialist, consult)
    else:
        specialist = Seat(at_b.specialist, consult)
        station = Seat(at_a.station, consult)
    before = station.other(), specialist.other()
    # A fact that is still on its way to the log dies with its node; these two have arrived.
    eventually(lambda: events_of(at_b.monitor, f"consults/{consult}").count("call.joined") == 2, "both arrivals in the log")
    getattr(nodes[0], end)()
    assert station.call.wait_closed() == (1006 if end == "kill" else 1001)
    station_again = come_back(station, at_b.station)
    # The one at the other node has noticed nothing, or is told to come back, and misses nothing either way.
    station_again.call.send({"op": "chat", "text": "Còn đó không?"})
    specialist.call.wait(lambda _: specialist.heard("chat") or specialist.call.close_code, "the words, or a close")
    specialist_again = specialist
    if specialist.call.close_code is not None:
        assert specialist.call.close_code == 1001
        specialist_again = come_back(specialist, at_b.specialist)
        if not specialist.heard("chat"):
            specialist_again.hears("the words", op="chat")
    assert (station_again.id, specialist_again.id) == (station.id, specialist.id)
    assert station_again.other() == before[0], "the specialist's seat changed"
    assert specialist_again.other() == before[1], "the station's seat changed"
    specialist_again.offer(specialist_again.other(), "v=0 again")
    station_again.hears("the offer", op="description")
    for seat in (specialist_again, station_again):
        seat.call.send({"op": "leave"})
    assert_told_once(at_b, consult)
    assert at_b.station.fetch(f"/consults/{consult}")["state"] == "inProgress"
