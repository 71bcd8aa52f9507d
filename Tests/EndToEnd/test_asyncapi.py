"""The served AsyncAPI document: whole, true of the other one, and what the rest of the suite is held against."""
import json

import pytest
from jsonschema import Draft202012Validator
from support import described
from support.api import sign_in, uuid7
from support.care import book, consult_in, move, new_trip, pass_milestone, positions, request_consult
from support.log import read_log
from support.seats import Seat
from support.server import PASSWORD
from support.sockets import Feed

# CONTRACT.md's, under "Events".
DURABLE = {
    *(f"consult.{name}" for name in ("requested", "accepted", "declined", "scheduled", "rescheduled", "arrived", "started", "interrupted")),
    *(f"consult.{name}" for name in ("resumed", "escalated", "concluded", "signed", "amended", "cancelled", "noShow")),
    "call.joined", "call.left", "call.ended", "trip.requested", "trip.milestone", "trip.stale", "trip.closed", "schedule.changed",
}  # fmt: skip
VOLATILE = {"trip.position", "presence"}


@pytest.fixture(scope="module")
def document(server):
    with server.plain() as client:
        answer = client.get("/asyncapi.json")
    assert answer.status_code == 200 and answer.headers["content-type"].split(";")[0] == "application/json"
    return answer.json()


def schemas_of(document) -> dict:
    components = document["components"]
    payloads = {f"message {name}": message["payload"] for name, message in components["messages"].items()}
    queries = {f"query of {name}": channel["bindings"]["ws"]["query"] for name, channel in document["channels"].items()}
    return components["schemas"] | payloads | queries


def test_it_describes_both_sockets(document):
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == {"/api/v1/events", "/api/v1/consults/{id}/call"}
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie", "ticket"}


def test_every_type_has_its_schema(document):
    types = {name for name, schema in document["components"]["schemas"].items() if "specversion" in schema.get("properties", {})}
    assert types == DURABLE | VOLATILE
    for name in types:
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False and schema["properties"]["data"]["additionalProperties"] is False
        assert ("sequence" in schema["required"]) == (name in DURABLE)
    assert set(document["channels"]["feed"]["messages"]) == types | {"ready", "bookmark", "gap"}


def test_every_schema_is_one(document):
    for name, schema in schemas_of(document).items():
        try:
            Draft202012Validator.check_schema(schema)
        except Exception as error:
            raise AssertionError(f"{name}: {error}") from error


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(document))
    assert len(found) > 50
    for reference in found:
        assert reference.startswith("#/")
        place = document
        for step in reference[2:].split("/"):
            assert step in place, reference
            place = place[step]


def test_the_sockets_are_those_of_the_other_document(server, document):
    with server.plain() as client:
        paths = client.get("/openapi.json").json()["paths"]
    for channel in document["channels"].values():
        operation = paths[channel["address"]]["get"]
        known = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        for name, schema in channel["bindings"]["ws"]["query"]["properties"].items():
            assert known[name].items() <= schema.items(), name
        assert set(channel.get("parameters", {})) == {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}


def test_the_command_prints_the_same(document):
    # The command's is what the suite is held against.
    assert described.description().document == document


# The suite

def test_the_ways_of_consults_and_trips(people):
    """Most types of event; whatever else the suite makes happen is held against its schema in the same way."""
    before = people.admin.fetch("/events", after="oldest", limit=1)["head"]
    with Feed(people.admin, after=before) as feed:
        for state in ("waiting", "interrupted", "amended", "cancelled"):
            consult_in(people, state)
        moved = request_consult(people.station)["id"]
        for _ in range(2):
            book(people.station, moved, practitioner=people.specialist.person["practitionerId"])
        move(people.specialist, moved, "decline")
        consult = consult_in(people, "assigned")
        seat = Seat(people.specialist, consult)
        feed.event("presence", consult)
        seat.call.send({"op": "leave"})
        feed.event("call.ended", consult)
        seat.call.close()
        trip = new_trip(people)["id"]
        pass_milestone(people.crew, trip, "enRoute")
        people.crew.send(f"/trips/{trip}/positions", positions())
        feed.event("trip.position", trip)
        pass_milestone(people.crew, trip, "handedOver")
        feed.event("trip.closed", trip)
        live = {frame["event"]["type"] for frame in list(feed.frames) if "event" in frame}
    read = {event["type"] for _, event in read_log(people.admin, after=before)}
    assert VOLATILE <= live <= read | VOLATILE
    assert read >= DURABLE - {"consult.resumed", "consult.escalated", "consult.noShow", "trip.stale"}


def an_event(**data) -> dict:
    consult = uuid7()
    return {
        "specversion": "1.0",
        "id": uuid7(),
        "type": "call.ended",
        "source": "/facilities/38001",
        "subject": f"consults/{consult}",
        "time": "2026-11-21T08:30:00+07:00",
        "sequence": "000000000042",
        "datacontenttype": "application/json",
        "data": {
            "consultId": consult, "state": "inProgress", "urgency": "urgent", "specialty": "cardiology", "mode": "live",
            "stationId": "38001", "participants": 0, **data,
        },
    }  # fmt: skip


def without(members: dict, name: str) -> dict:
    return {key: value for key, value in members.items() if key != name}


WRONG = {
    "a name in its data": an_event(name="Nguyễn Văn Bình"),
    "an unknown state": an_event(state="somewhere"),
    "a time without an offset": an_event(start="2026-11-21T08:30:00"),
    "a number as text": an_event(participants="0"),
    "no consult": an_event() | {"data": without(an_event()["data"], "consultId")},
    "another's subject": an_event() | {"subject": f"trips/{uuid7()}"},
    "no number": without(an_event(), "sequence"),
    "who did it": an_event() | {"actor": uuid7()},
    "another type": an_event() | {"type": "trip.closed"},
    "an unknown type": an_event() | {"type": "consult.forgotten"},
}


def test_a_right_event_has_no_faults():
    described.event(an_event())
    described.frame({"kind": "event", "cursor": "c", "event": an_event(practitionerId="bs-1")})
    assert described.take() == []


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_event_is_a_fault(what):
    """By itself and in a frame; taken here, the faults do not fail this test."""
    described.event(WRONG[what])
    assert len(described.take()) == 1
    described.frame({"kind": "event", "cursor": "c", "event": WRONG[what]})
    assert len(described.take()) == 1


@pytest.mark.parametrize(
    "frame",
    [
        {"kind": "news"},
        {"kind": "bookmark"},
        {"kind": "volatile", "event": an_event()},
        {"kind": "event", "event": an_event()},
        {"kind": "gap", "reason": "lost", "oldest": "a", "head": "b"},
    ],
    ids=json.dumps,
)
def test_a_wrong_frame_is_a_fault(frame):
    described.frame(frame)
    assert len(described.take()) == 1


@pytest.mark.parametrize("message", [{"op": "news"}, {"op": "joined"}, {"op": "ping", "to": "p1"}, {"op": "chat", "from": "p1"}], ids=json.dumps)
def test_a_wrong_message_of_a_call_is_a_fault(message):
    described.told(message)
    assert len(described.take()) == 1


def test_a_wrong_row_is_found_in_a_log(new_server):
    server = new_server()
    request_consult(sign_in(server, "tram", PASSWORD))
    server.stop()
    rows = server.database.events()
    assert rows and [row[0] for row in rows] == list(range(1, len(rows) + 1))
    described.log(server.database)
    assert described.take() == []
    assert server.database.change("UPDATE event SET data = replace(data, '\"urgency\"', '\"hurry\"') WHERE seq = ?", rows[-1][0]) == 1
    described.log(server.database)
    faults = described.take()
    assert len(faults) == 1 and "hurry" in faults[0]
    server.database.is_ours = False


SAID = [
    {"op": "join"},
    {"op": "join", "resume": "token"},
    {"op": "join", "resume": None},
    {"op": "description", "to": "p1", "generation": 1, "description": {"type": "offer", "sdp": "v=0"}},
    {"op": "candidate", "to": "p1", "generation": 1, "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": None}},
    {"op": "candidate", "to": "p1", "generation": 1, "candidate": None},
    {"op": "chat", "text": "Chào bác sĩ"},
    {"op": "quality", "rttMs": 80.5, "lossPct": 0, "mode": "audio"},
    {"op": "leave"},
    {"op": "ping"},
    {"op": "pong"},
]


def test_what_a_participant_may_say():
    """As the server takes it: test_call_signaling.py sends the same."""
    description = described.description()
    for message in SAID:
        name = f"participant.{message['op']}"
        assert description.message_errors(name, message) == []
        # What the server does not know it ignores.
        assert description.message_errors(name, {**message, "more": 1}) == []
        if len(message) > 1 and message["op"] not in ("join", "quality"):
            assert description.message_errors(name, {"op": message["op"]})
    said = {f"participant.{message['op']}" for message in SAID}
    assert said == {name for name in description.messages if name.startswith("participant.")}
