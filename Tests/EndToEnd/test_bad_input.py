"""Bad input on every route that /openapi.json names, and nastier things by hand: a problem document each time, and nothing changed."""
import json

import pytest
from support.accounts import other_station
from support.api import Api, any_problem, problem, sign_in, uuid7
from support.care import BODIES, conclusion, consult_body, consult_in, new_trip, positions, trip_body
from support.contract import concrete, is_open, operations, takes_body
from support.rawsocket import Raw
from support.server import PASSWORD

ROLES = ("station", "specialist", "dispatcher", "admin")
BODY_NASTIES = {
    "not JSON": b"{",
    "nothing": b"",
    "an array": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "trailing bytes": b"{} {}",
    "broken UTF-8": b'{"username":"\xc3\x28","reason":"\xff"}',
    "U+0000": b'{"username":"a\\u0000b","reason":"a\\u0000b","situation":"\\u0000","purpose":"\\u0000"}',
    "a lone surrogate": b'{"username":"\\ud800","reason":"\\ud800"}',
    "too deep": b'{"reason":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a member twice": b'{"reason":"a","reason":"b","id":"a","id":"b"}',
    "numbers beyond numbers": b'{"minutes":1e999,"version":99999999999999999999999999}',
    "NaN": b'{"minutes":NaN}',
    "a comment": b'{/* hello */"reason":"x"}',
    "a byte order mark and no more": b"\xef\xbb\xbf",
    "another encoding": '{"reason":"x"}'.encode("utf-16"),
    "half a megabyte": b'{"reason":"' + b"x" * 512 * 1024 + b'"}',
}
# Of these, a route that takes an empty or a strange object may make something; of the others none may.
ALWAYS_WRONG = {"not JSON", "a number", "trailing bytes", "broken UTF-8", "too deep", "NaN", "a comment", "another encoding", "half a megabyte", "a string", "an array"}


@pytest.fixture(scope="module")
def spec(server):
    with server.plain() as client:
        return client.get("/openapi.json").json()


@pytest.fixture
def unchanged(people):
    """Holds the event log's head before against after: what was refused has left no trace."""

    def facts():
        page = people.admin.fetch("/events", after="oldest", limit=1)
        return page["head"], [user["id"] for user in people.admin.fetch("/users", limit=500)["items"]], people.admin.fetch("/tokens", limit=500)["items"]

    before = facts()
    yield
    assert facts() == before


def caller_for(people, path: str, role: str) -> Api:
    # A request to /session may end the session it comes with, so it comes with one of its own.
    return sign_in(people.station.server, people_name(role), PASSWORD) if path.endswith("/session") else getattr(people, role)


def people_name(role: str) -> str:
    return {"station": "tram", "specialist": "bacsi", "dispatcher": "dieuphoi", "admin": "quantri"}[role]


def assert_served(answer):
    """Whatever it says, it is no server error, and an error is a whole problem document."""
    if answer.status_code >= 400:
        any_problem(answer)


@pytest.mark.parametrize("name", BODY_NASTIES)
def test_bodies_on_every_route(people, spec, unchanged, name):
    for method, path, operation in operations(spec):
        if not takes_body(operation):
            continue
        for role in ROLES:
            caller = caller_for(people, path, role)
            answer = caller.call(method, concrete(path), content=BODY_NASTIES[name], headers={"Content-Type": "application/json"})
            assert_served(answer)
            if name in ALWAYS_WRONG:
                any_problem(answer)


def test_bodies_where_the_subject_exists(people, spec):
    """The same on a real consult and a real trip, whose state must not move."""
    consult = consult_in(people, "assigned")
    trip = new_trip(people)
    known = {"id": consult, "linkId": uuid7()}
    before = people.station.fetch(f"/consults/{consult}")
    for method, path, operation in operations(spec):
        if not takes_body(operation) or "/consults/{" not in path and "/trips/{" not in path:
            continue
        ids = known | ({"id": trip["id"]} if "/trips/{" in path else {})
        for transition in BODIES if "{transition}" in path else [None]:
            for role in ("station", "specialist", "dispatcher", "crew"):
                for name in ALWAYS_WRONG:
                    address = concrete(path, ids | ({"transition": transition} if transition else {}))
                    answer = getattr(people, role).call(method, address, content=BODY_NASTIES[name], headers={"Content-Type": "application/json"})
                    any_problem(answer)
    assert people.station.fetch(f"/consults/{consult}") == before
    assert people.dispatcher.fetch(f"/trips/{trip['id']}") == trip


def test_content_types_on_every_route(people, spec, unchanged):
    for method, path, operation in operations(spec):
        if takes_body(operation):
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-16", "nonsense"):
                caller = caller_for(people, path, "admin")
                any_problem(caller.call(method, concrete(path), content=b"{}", headers={"Content-Type": kind}))
    problem(people.station.call("POST", "/consults", content=json.dumps(consult_body()), headers={"Content-Type": "text/plain"}), "unsupported-media-type")


def test_every_route_needs_a_session(nobody, spec, unchanged):
    for method, path, operation in operations(spec):
        if not is_open(path):
            content = b"{}" if takes_body(operation) else None
            problem(nobody.call(method, concrete(path), content=content, headers={"Content-Type": "application/json"}), "unauthenticated")


def test_expired_and_foreign_sessions_on_every_route(server, spec, unchanged):
    gone = sign_in(server, "quantri", PASSWORD)
    gone.delete("/session")
    for method, path, operation in operations(spec):
        if not is_open(path):
            for caller in (gone, Api(server, "made-up")):
                problem(caller.call(method, concrete(path), content=b"{}", headers={"Content-Type": "application/json"}), "unauthenticated")


def test_methods_that_are_not_there(people, spec, unchanged):
    named = {}
    for method, path, _ in operations(spec):
        named.setdefault(path, set()).add(method)
    for path, methods in named.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = people.admin.call(method, concrete(path))
            problem(answer, "method-not-allowed")
            assert methods <= {name.strip() for name in answer.headers["allow"].split(",")}, path


IDS = ["x", "0", "-1", "%00", "..%2f..", "a" * 4000, "%F0%9F%9A%91", "' OR 1=1 --", "{id}", "%ff%fe", "00000000-0000-0000-0000-000000000000"]


@pytest.mark.parametrize("id", IDS)
def test_ids_that_are_none_on_every_route(people, spec, unchanged, id):
    for method, path, operation in operations(spec):
        if "{" in path:
            address = concrete(path, {name: id for name in ("id", "linkId", "version", "secret", "transition")})
            answer = people.dispatcher.call(method, address, content=b"{}" if takes_body(operation) else None, headers={"Content-Type": "application/json"})
            any_problem(answer)


QUERY_NASTIES = ["", "%00", "%ff", "x" * 5000, "'; DROP TABLE event; --", "-1", "1e9", "null", "%F0%9F%9A%91", "a&a=b&a=c"]


@pytest.mark.parametrize("value", QUERY_NASTIES)
def test_parameters_on_every_route(people, spec, unchanged, value):
    for method, path, operation in operations(spec):
        if method != "GET" or path.endswith("/call"):
            continue
        names = [parameter["name"] for parameter in operation.get("parameters", []) if parameter.get("in") == "query"]
        for name in [*names, "unheard-of"]:
            for role in ("station", "admin"):
                assert_served(getattr(people, role).call("GET", concrete(path) + f"?{name}={value}"))


def test_ids_of_others(people):
    mine = consult_in(people, "assigned")
    trip = new_trip(people)["id"]
    stranger = other_station(people)
    before = people.station.fetch(f"/consults/{mine}")
    for transition, body in BODIES.items():
        problem(stranger.post(f"/consults/{mine}/{transition}", body), "not-found")
    problem(stranger.post(f"/consults/{mine}/appointment", {"practitionerId": uuid7(), "start": "2030-01-01T08:00:00+07:00", "minutes": 30}), "not-found")
    problem(stranger.post("/tickets", {"purpose": "call", "consultId": mine}), "not-found")
    problem(stranger.post(f"/trips/{trip}/links", {}), "not-found")
    problem(stranger.post("/consults", consult_body(id=mine)), "id-taken")
    assert people.station.fetch(f"/consults/{mine}") == before


CONSULT_CHANGES = [
    ({"specialty": "astrology"}, "/specialty"), ({"specialty": None}, "/specialty"), ({"specialty": 7}, "/specialty"),
    ({"urgency": "asap"}, "/urgency"), ({"mode": "telepathy"}, "/mode"), ({"situation": None}, "/situation"), ({"situation": 7}, "/situation"),
    ({"situation": "x" * 20_000}, "/situation"), ({"situation": ""}, "/situation"), ({"situation": "a\u0000b"}, None),
    ({"request": []}, "/request"), ({"patient": None}, "/patient"), ({"patient": {}}, "/patient"), ({"patient": "Hoa"}, "/patient"),
    ({"patient": {"name": ""}}, "/patient/name"), ({"patient": {"name": "A", "birthDate": "1958-02-30"}}, "/patient/birthDate"),
    ({"patient": {"name": "A", "birthDate": "2999-01-01"}}, "/patient/birthDate"), ({"patient": {"name": "A", "birthDate": 1958}}, "/patient/birthDate"),
    ({"patient": {"name": "A", "sex": "F"}}, "/patient/sex"), ({"patient": {"name": "A", "personalId": "123"}}, "/patient/personalId"),
    ({"patient": {"name": "A", "insuranceNumber": "??"}}, "/patient/insuranceNumber"), ({"patient": {"name": "A", "phone": "call me"}}, "/patient/phone"),
    ({"vitals": {"spo2": 180}}, "/vitals/spo2"), ({"vitals": {"spo2": "93"}}, "/vitals/spo2"), ({"vitals": {"pulse": -4}}, "/vitals/pulse"),
    ({"vitals": {"temperature": 368}}, "/vitals/temperature"), ({"vitals": {"consciousness": "asleep"}}, "/vitals/consciousness"),
    ({"vitals": {"oxygen": "no"}}, "/vitals/oxygen"), ({"vitals": {"spo2Scale": 3}}, "/vitals/spo2Scale"), ({"vitals": []}, "/vitals"),
    ({"pregnant": "maybe"}, "/pregnant"), ({"consent": {"basis": "assumed"}}, "/consent"), ({"consent": {"basis": "consent", "at": "2026-13-01T00:00:00+07:00"}}, "/consent/at"),
    ({"id": "not-a-uuid"}, "/id"), ({"id": 7}, "/id"), ({"stationId": 38001}, "/stationId"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer"), CONSULT_CHANGES)
def test_a_request_is_checked_member_by_member(people, unchanged, change, pointer):
    body = consult_body() | change
    answer = people.station.post("/consults", {name: value for name, value in body.items() if value is not None})
    if pointer is None:
        any_problem(answer)
    else:
        refused = problem(answer, "invalid")
        assert any(error["pointer"].startswith(pointer) for error in refused["errors"]), refused


def test_several_faults_are_told_together(people, unchanged):
    body = consult_body(urgency="asap", mode="telepathy", vitals={"spo2": 180})
    pointers = {error["pointer"] for error in problem(people.station.post("/consults", body), "invalid")["errors"]}
    assert {"/urgency", "/mode", "/vitals/spo2"} <= pointers


def test_unknown_members_are_ignored(people):
    assert people.station.post("/consults", consult_body(favouriteColour="xanh")).status_code == 201


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "'; DROP TABLE consult; --", "\u202eabc", "🚑" * 50, "a\r\nSet-Cookie: x=y", "{{patient.name}}", "%s%n%x", "Ｆｕｌｌ"])
def test_strange_texts_are_kept_as_they_are(people, text):
    kept = people.station.send("/consults", consult_body(situation=text, patient={"name": text}), status=201)
    assert kept["situation"] == text


@pytest.mark.parametrize(
    "body",
    [
        {}, {"username": "x" * 5000, "name": "X", "password": "long-enough-1", "grants": []}, {"username": "a b\u0000", "name": "X", "password": "long-enough-1", "grants": []},
        {"username": "kurz", "name": "X", "password": "x", "grants": []}, {"username": "kurz", "name": "X", "password": "long-enough-1", "grants": [{"role": "god", "facilities": ["38001"]}]},
        {"username": "kurz", "name": "X", "password": "long-enough-1", "grants": [{"role": "monitor", "facilities": ["nowhere"]}]},
        {"username": "kurz", "name": "X", "password": "long-enough-1", "grants": {"role": "monitor"}}, {"username": "tram", "name": "X", "password": "long-enough-1", "grants": []},
    ],
)  # fmt: skip
def test_accounts_are_checked(people, unchanged, body):
    any_problem(people.admin.post("/users", body))


def test_replayed_bodies_of_another_route(people, unchanged):
    trip = trip_body(people)
    for caller, path, body in (
        (people.station, "/consults", trip), (people.dispatcher, "/trips", consult_body()), (people.station, "/consults", conclusion()),
        (people.station, "/tickets", positions()), (people.admin, "/users", consult_body()),
    ):  # fmt: skip
        any_problem(caller.post(path, body))


PATHS = [
    "/api/v1/../v1/users", "/api/v1//users", "/api/v1/%2e%2e/users", "/api/v1/users/../../../../etc/passwd", "/assets/../../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd",
    "/assets/leaflet/../../../../etc/passwd", "/assets/leaflet/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/assets/leaflet/..%5c..%5cetc", "/assets/%00", "/assets/leaflet//etc/passwd",
    "/assets/", "/assets/leaflet/", "/%", "/%zz", "/api/v1/consults/%", "//evil.example/x", "/api/v1/consults;x=y", "/API/V1/users", "/api/v2/users", "/.git/config", "/" + "a" * 7000,
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_path_tricks(server, people, path):
    with Raw(server) as raw:
        answer = raw.request(path=path, headers={"Authorization": f"Bearer {people.station.token}"})
        assert 400 <= answer.status < 500, answer.status
        assert b"root:" not in answer.body


RAW_REQUESTS = {
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "an endless length": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "a huge length": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n{",
    "a broken chunk": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a header of 100 KB": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    "5000 headers": b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a space before the colon": b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "an unknown method": b"BREW /api/v1/consults HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/9": b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    "TLS on the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "noise": bytes(range(256)),
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "an absolute form": b"GET http://evil.example/api/v1/session HTTP/1.1\r\nHost: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW_REQUESTS)
def test_header_tricks(server, unchanged, name):
    with Raw(server) as raw:
        raw.send(RAW_REQUESTS[name])
        if name in ("a huge length", "noise", "TLS on the plain port"):
            raw.socket.shutdown(1)  # No more will come: what the server makes of it must not hang.
        try:
            answer = raw.answer()
        except EOFError:
            return  # Closed without a word, which is an answer to what is no HTTP.
        assert answer.status < 500 or answer.status in (501, 505), answer.status
        if name in ("two lengths", "a length and chunks", "a negative length", "a broken chunk", "a space before the colon"):
            # Where a request ends is in doubt: refused, and the connection not used again.
            assert answer.status == 400
            assert raw.closed()


def test_a_spoofed_address_gives_no_right(nobody):
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-User", "X-Remote-User"):
        value = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
        problem(nobody.call("GET", "/users", headers={name: value}), "unauthenticated")


def test_two_kinds_of_credentials_do_not_add_up(server, people):
    with server.plain() as client:
        client.post("/api/v1/session", json={"username": "tram", "password": PASSWORD})
        problem(client.get("/api/v1/session", headers={"Authorization": "Bearer made-up"}), "unauthenticated")
        for value in ("Basic dHJhbTpob2ljaGFuLWRlbW8=", "Bearer", f"bearer  {people.station.token} x", "Digest x"):
            answer = Api(server).call("GET", "/session", headers={"Authorization": value})
            assert answer.status_code in (400, 401), value


def test_a_server_still_serves_after_all_this(people):
    people.station.fetch("/session")
    assert people.station.post("/consults", consult_body()).status_code == 201
