"""The call's signaling between a station and its specialist: seats, politeness, generations, and links that die."""
import base64
import hashlib
import hmac
import time

import pytest
from support.care import consult_in, move
from support.log import events_of
from support.seats import Seat
from support.sockets import Call, refusal
from support.waiting import eventually


@pytest.fixture
def consult(people):
    return consult_in(people, "inProgress")


@pytest.fixture
def seats(people, consult):
    """Both sides, joined and aware of each other."""
    station, specialist = Seat(people.station, consult), Seat(people.specialist, consult)
    station.other(), specialist.other()
    yield station, specialist
    for seat in (station, specialist):
        seat.call.close()


def test_joining(people, consult):
    station = Seat(people.station, consult)
    assert set(station.joined) >= {"op", "self", "resume", "renegotiate", "roster", "iceServers"}
    assert station.joined["renegotiate"] is False and station.joined["roster"]["version"] >= 1
    specialist = Seat(people.specialist, consult)
    assert specialist.id != station.id and specialist.token != station.token
    seen = station.other()
    assert seen["id"] == specialist.id and seen["role"] == "specialist"
    assert seen["name"] == people.specialist.person["name"]
    assert specialist.other()["role"] == "station"
    # The log is written beside the call.
    eventually(lambda: events_of(people.monitor, f"consults/{consult}").count("call.joined") == 2, "both joins in the log")


def test_exactly_one_side_is_polite_and_both_share_a_generation(seats):
    station, specialist = seats
    assert station.other()["polite"] is not specialist.other()["polite"]
    assert station.other()["generation"] == specialist.other()["generation"] == 1


def test_rosters_are_versioned(seats, people, consult):
    station, specialist = seats
    specialist.call.send({"op": "leave"})
    station.alone()
    Seat(people.specialist, consult)
    station.other()
    versions = [frame["version"] for frame in station.heard("roster")]
    assert versions == sorted(set(versions)) and versions[0] > station.joined["roster"]["version"]


def test_descriptions_and_candidates_are_relayed_in_order(seats):
    station, specialist = seats
    peer = station.other()
    station.offer(peer, "v=0 offer")
    for n in range(5):
        station.candidate(peer, f"candidate:{n}")
    station.candidate(peer, None)
    specialist.call.wait(lambda _: len(specialist.heard("candidate")) == 6, "six candidates")
    assert specialist.heard_candidates() == [f"candidate:{n}" for n in range(5)] + [None]
    relayed = [frame["op"] for frame in specialist.call.frames if frame["op"] in ("description", "candidate")]
    assert relayed == ["description"] + ["candidate"] * 6
    description = specialist.heard("description")[0]
    assert description == {"op": "description", "from": station.id, "generation": 1, "description": {"type": "offer", "sdp": "v=0 offer"}}
    specialist.offer(specialist.other(), "v=0 answer", kind="answer")
    assert station.hears("the answer", op="description")["description"] == {"type": "answer", "sdp": "v=0 answer"}


def test_candidates_wait_for_their_offer(seats):
    station, specialist = seats
    peer = station.other()
    station.candidate(peer, "candidate:early")
    station.offer(peer, "v=0 late offer")
    specialist.hears("the candidate", op="candidate")
    order = [frame["op"] for frame in specialist.call.frames if frame["op"] in ("description", "candidate")]
    assert order == ["description", "candidate"]


def test_a_fresh_join_raises_the_generation_and_drops_the_older(seats, people, consult):
    station, specialist = seats
    old = station.other()
    specialist.call.send({"op": "leave"})
    station.alone()
    again = Seat(people.specialist, consult)
    station.call.wait_roster(lambda members: any(m["generation"] > old["generation"] for m in members if m["id"] != station.id), "a new generation")
    new = station.other()
    assert new["generation"] == old["generation"] + 1 == again.other()["generation"]
    station.offer(new | {"generation": old["generation"]}, "v=0 of yesterday")
    station.candidate(new, "candidate:of yesterday", generation=old["generation"])
    station.offer(new, "v=0 of today")
    assert again.hears("today's offer", op="description")["description"]["sdp"] == "v=0 of today"
    assert again.heard("candidate") == []


def test_a_dead_link_keeps_its_seat_and_its_messages(seats):
    station, specialist = seats
    peer = station.other()
    specialist.call.drop()
    station.negotiates(peer, "v=0 while away", candidates=20)
    back = specialist.resumed()
    assert back.id == specialist.id and back.joined["renegotiate"] is False
    assert back.other()["generation"] == peer["generation"]
    back.has_heard("v=0 while away", candidates=20)
    # And on it goes, both ways.
    back.offer(back.other(), "v=0 answer", kind="answer")
    station.hears("the answer", op="description")


def test_too_much_for_the_seat_asks_for_a_new_negotiation(seats):
    station, specialist = seats
    peer = station.other()
    specialist.call.drop()
    station.negotiates(peer, "v=0", candidates=400)
    back = specialist.resumed()
    assert back.joined["renegotiate"] is True
    assert len(back.heard("candidate")) + len(back.heard("description")) <= 256


def test_a_newer_socket_takes_the_seat_over(seats):
    station, specialist = seats
    back = specialist.resumed()
    assert back.id == specialist.id
    specialist.call.wait_closed()
    station.offer(station.other(), "v=0")
    back.hears("the offer", op="description")
    assert specialist.heard("description") == []


def test_a_seat_that_nobody_claims_is_given_up(seats, people, consult):
    station, specialist = seats
    specialist.call.drop()
    # Thirty seconds, and patience on top.
    station.call.wait_roster(lambda members: not [m for m in members if m["id"] != station.id], "an empty room")
    eventually(lambda: "call.left" in events_of(people.monitor, f"consults/{consult}"), "the event call.left")
    late = specialist.resumed()
    # Too late to resume: a fresh seat with a fresh generation.
    assert late.other()["generation"] == 2


def test_leaving(seats, people, consult):
    station, specialist = seats
    specialist.call.send({"op": "leave"})
    station.alone()
    eventually(lambda: "call.left" in events_of(people.monitor, f"consults/{consult}"), "the event call.left")
    # A consult never ends because a link did.
    assert people.station.fetch(f"/consults/{consult}")["state"] == "inProgress"
    station.call.send({"op": "leave"})
    eventually(lambda: "call.ended" in events_of(people.monitor, f"consults/{consult}"), "the event call.ended")


@pytest.mark.parametrize("token", ["made-up", "", "a" * 5000])
def test_made_up_resume_tokens_claim_nothing(seats, people, consult, token):
    station, specialist = seats
    call = Call(people.specialist, consult)
    call.send({"op": "join", "resume": token})
    call.wait(lambda frames: [f for f in frames if f.get("op") in ("joined", "error")], "an answer")
    joined = [frame for frame in call.frames if frame.get("op") == "joined"]
    assert not joined or joined[0]["resume"] != specialist.token
    call.close()


def test_a_token_is_not_for_another_person(seats, people, consult):
    station, specialist = seats
    call = Call(people.station, consult)
    call.send({"op": "join", "resume": specialist.token})
    call.wait(lambda frames: [f for f in frames if f.get("op") in ("joined", "error")], "an answer")
    assert all(frame.get("self") != specialist.id for frame in call.frames)
    call.close()
    specialist.call.send({"op": "ping"})
    specialist.hears("that the seat is still its own", op="pong")


def test_chat_and_ping(seats):
    station, specialist = seats
    station.call.send({"op": "chat", "text": "Nghe rõ không ạ?"})
    said = specialist.hears("the words", op="chat")
    assert said["text"] == "Nghe rõ không ạ?" and said["from"] == station.id
    station.call.send({"op": "ping"})
    station.hears("pong", op="pong")
    station.call.send({"op": "quality", "rttMs": 80, "lossPct": 1.5, "mode": "audio"})
    station.call.send({"op": "ping"})
    assert station.heard("error") == []


def test_mistakes_are_answered_and_harm_nobody(seats):
    station, specialist = seats
    peer = station.other()
    for wrong in (
        {"op": "fly"},
        {"op": "description", "to": "p99", "generation": 1, "description": {"type": "offer", "sdp": "x"}},
        {"op": "description", "to": peer["id"], "generation": "1", "description": {"type": "offer", "sdp": "x"}},
        {"op": "description", "to": peer["id"], "generation": 1, "description": {"type": "bribe", "sdp": "x"}},
        {"op": "chat", "text": 7},
        {"op": "chat", "text": "x" * 10_000},
        {"op": "quality", "mode": "telepathy"},
        {"op": "join"},
    ):
        before = len(station.heard("error"))
        station.call.send(wrong)
        station.call.wait(lambda _: len(station.heard("error")) > before, f"an error about {wrong['op']}")
        error = station.heard("error")[-1]
        assert error["code"] and error["detail"]
    station.offer(peer, "v=0 at last")
    assert specialist.hears("the good one", op="description")["description"]["sdp"] == "v=0 at last"
    assert specialist.heard("error") == [] and specialist.heard("chat") == []


def test_nothing_before_joining(people, consult):
    call = Call(people.station, consult)
    call.send({"op": "chat", "text": "?"})
    call.first("an error", op="error")
    call.close()


def test_turn_credentials_are_coturns(seats, turn):
    for seat in seats:
        servers = seat.joined["iceServers"]
        server = next(item for item in servers if any(url.startswith("turn:") for url in item["urls"]))
        assert turn.settings["HOICHAN_TURN_URLS"] in server["urls"]
        expiry = int(server["username"].split(":")[0])
        assert expiry > time.time()
        digest = hmac.new(turn.secret.encode(), server["username"].encode(), hashlib.sha1).digest()
        assert server["credential"] == base64.b64encode(digest).decode()


def test_ice_servers_are_given_anew_on_resume(seats):
    _, specialist = seats
    specialist.call.drop()
    assert specialist.resumed().joined["iceServers"]


def test_the_subprotocol_and_a_ticket(people, consult):
    ticket = people.station.ticket("call", consultId=consult)
    with Call(people.station, consult, ticket=ticket, subprotocol="hoichan.call.v1") as call:
        assert call.subprotocol == "hoichan.call.v1"
        call.join()
    assert refusal(lambda: Call(people.station, consult, ticket=ticket))[0] == 401


def test_rooms_are_apart(seats, people):
    station, specialist = seats
    elsewhere = consult_in(people, "inProgress")
    other = Seat(people.station, elsewhere)
    assert [member for member in other.joined["roster"]["members"] if member["id"] != other.id] == []
    other.call.send({"op": "chat", "text": "chỉ phòng này"})
    other.call.send({"op": "ping"})
    other.hears("pong", op="pong")
    station.call.send({"op": "ping"})
    station.hears("pong", op="pong")
    assert station.heard("chat") == [] and specialist.heard("chat") == []
    other.call.close()


def test_concluding_does_not_cut_the_line_in_mid_sentence(seats, people, consult):
    station, specialist = seats
    move(people.specialist, consult, "conclude")
    station.call.send({"op": "chat", "text": "Cảm ơn bác sĩ"})
    specialist.hears("the thanks", op="chat")
