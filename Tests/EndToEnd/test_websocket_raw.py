"""RFC 6455 from below: handshakes that are refused with a real status, frames that are refused with the right close code."""
import base64
import json
import struct
import zlib

import pytest
from support.api import sign_in, uuid7
from support.care import consult_in, request_consult
from support.log import read_log
from support.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame
from support.server import PASSWORD
from support.sockets import Feed

FEED = "/api/v1/events"


@pytest.fixture
def raw(server):
    with Raw(server) as connection:
        yield connection


@pytest.fixture
def feed(raw, people):
    """A raw feed socket past its `ready`."""
    assert raw.upgrade(FEED, people.monitor.token).status == 101
    assert json.loads(raw.read_until(TEXT))["kind"] == "ready"
    return raw


@pytest.fixture
def call(raw, people):
    """A raw call socket, not joined yet."""
    consult = consult_in(people, "inProgress")
    assert raw.upgrade(f"/api/v1/consults/{consult}/call", people.station.token).status == 101
    return raw


def problem_code(answer) -> str:
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json", answer.headers
    body = json.loads(answer.body)
    assert body["status"] == answer.status
    return body["code"]


# permessage-deflate (RFC 7692)

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize("offer, agreed", [
    ("permessage-deflate; client_max_window_bits", AGREED),
    ("permessage-deflate; server_max_window_bits=16, permessage-deflate; server_max_window_bits=15", AGREED + "; server_max_window_bits=15"),
    ("permessage-deflate; server_max_window_bits=99", None),
    ("x-webkit-deflate-frame", None),
])
def test_compression_is_agreed_on(raw, people, offer, agreed):
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions=offer)
    assert answer.status == 101 and answer.headers.get("sec-websocket-extensions") == agreed


def test_an_unreadable_offer_is_refused(raw, people):
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions="permessage-deflate; =")
    assert answer.status == 400 and problem_code(answer) == "malformed"


@pytest.mark.parametrize("window, is_compressed", [("", True), ("; server_max_window_bits=9", False)])
def test_events_come_compressed_to_who_can_read_what_all_get(raw, people, window, is_compressed):
    """Frames are compressed once for all readers, with the full window; for a smaller one they stay as they are."""
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions="permessage-deflate" + window)
    assert answer.status == 101
    assert json.loads(raw.read_until(TEXT))["kind"] == "ready"
    consult = request_consult(people.station)["id"]
    while True:
        payload = raw.read_until(TEXT)
        if raw.was_compressed:
            payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
        frame = json.loads(payload)
        if frame["kind"] == "event" and frame["event"]["subject"] == f"consults/{consult}":
            assert raw.was_compressed is is_compressed
            return


def test_a_message_that_expands_too_far(raw, people):
    assert raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions="permessage-deflate").status == 101
    deflate = zlib.compressobj(wbits=-15)
    bomb = deflate.compress(b" " * 1_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    raw.send(frame(TEXT, bomb[:-4], reserved=4))
    assert raw.close_code() == 1009


def test_a_compressed_message_that_is_broken(raw, people):
    assert raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions="permessage-deflate").status == 101
    raw.send(frame(TEXT, b"\xff\xff\xff", reserved=4))
    assert raw.close_code() == 1007


def test_clients_of_python_and_browsers_read_it(people):
    with Feed(people.monitor, compression="deflate") as packed, Feed(people.monitor) as plain:
        assert packed.connection.protocol.extensions and not plain.connection.protocol.extensions
        packed.ready(), plain.ready()
        consult = consult_in(people, "signed")
        for feed in (packed, plain):
            feed.event("consult.signed", consult)
        # Others' trips may have fallen silent between the one's subscription and the other's.
        told = [[event for event in feed.events if consult in event["subject"]] for feed in (packed, plain)]
        assert told[0] == told[1] == [event for _, event in read_log(people.monitor, subject=f"consults/{consult}")]


# Handshakes

def test_the_key_is_accepted_as_the_standard_says(raw, people):
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Key=key)
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert answer.headers["upgrade"].lower() == "websocket" and "upgrade" in answer.headers["connection"].lower()


def test_an_upgrade_after_other_requests_on_the_same_connection(raw, people):
    for _ in range(3):
        assert raw.request(path="/livez").status == 200
    assert raw.request(path="/api/v1/session", headers={"Authorization": f"Bearer {people.monitor.token}"}).status == 200
    assert raw.upgrade(FEED).status == 401
    assert raw.upgrade(FEED, people.monitor.token).status == 101
    assert json.loads(raw.read_until(TEXT))["kind"] == "ready"
    raw.send(frame(PING, b"still me"))
    assert raw.read_until(PONG) == b"still me"


def test_frames_that_come_with_the_handshake(raw, people):
    """A client may not send before the 101, but a proxy may put its first frame right behind it: nothing is lost."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    head = (
        f"GET {FEED} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {people.monitor.token}\r\n\r\n"
    )
    raw.send(head.encode() + frame(PING, b"early"))
    assert raw.answer().status == 101
    assert raw.read_until(PONG) == b"early"


@pytest.mark.parametrize("version", ["8", "0", "14", "x", None])
def test_other_versions_are_told_ours(raw, people, version):
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Version=version)
    assert answer.status in ((426,) if version else (400, 426))
    if answer.status == 426:
        assert answer.headers["sec-websocket-version"] == "13"
        assert problem_code(answer) == "upgrade-required"


@pytest.mark.parametrize("key", [None, "", "short", "dGhlIHNhbXBsZQ==", "?" * 24])
def test_keys_that_are_none(raw, people, key):
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Key=key)
    assert (answer.status, problem_code(answer)) == (400, "malformed")


def test_the_call_wants_an_upgrade(raw, people):
    consult = consult_in(people, "inProgress")
    answer = raw.request(path=f"/api/v1/consults/{consult}/call", headers={"Authorization": f"Bearer {people.station.token}"})
    assert answer.status == 426 and problem_code(answer) == "upgrade-required"
    assert answer.headers["upgrade"].lower() == "websocket"


def test_refusals_have_real_statuses(server, people):
    consult = consult_in(people, "inProgress")
    call = f"/api/v1/consults/{consult}/call"
    for path, token, status, code in (
        (FEED, None, 401, "unauthenticated"),
        (FEED, "made-up", 401, "unauthenticated"),
        (call, None, 401, "unauthenticated"),
        (call, people.monitor.token, 403, "forbidden"),
        (call, people.dispatcher.token, 403, "forbidden"),
        (f"/api/v1/consults/{uuid7()}/call", people.station.token, 404, "not-found"),
        ("/api/v1/nothing-here", people.station.token, 404, "not-found"),
        (FEED + "?ticket=made-up", None, 401, "unauthenticated"),
    ):
        with Raw(server) as raw:
            answer = raw.upgrade(path, token)
            assert (answer.status, problem_code(answer)) == (status, code), path
            # A refusal is an answer like any other: the connection goes on.
            assert raw.request(path="/livez").status == 200


def test_an_upgrade_by_post(raw, people):
    answer = raw.request("POST", FEED, {"Upgrade": "websocket", "Connection": "Upgrade", "Authorization": f"Bearer {people.monitor.token}", "Content-Length": "0"})
    assert answer.status == 405 and problem_code(answer) == "method-not-allowed"


def test_an_upgrade_to_something_else_is_no_socket(raw, people):
    answer = raw.upgrade(FEED, people.monitor.token, Upgrade="h2c")
    assert answer.status in (200, 400, 426)


# Frames

WRONG_FRAMES = {
    "unmasked": (frame(TEXT, b"{}", mask=False), {1002}),
    "unmasked ping": (frame(PING, b"x", mask=False), {1002}),
    "reserved bit without an extension": (frame(TEXT, b"{}", reserved=4), {1002}),
    "reserved opcode": (frame(3, b"x"), {1002}),
    "reserved control opcode": (frame(11, b"x"), {1002}),
    "fragmented ping": (frame(PING, b"x", fin=False), {1002}),
    "long ping": (frame(PING, b"x" * 126), {1002}),
    "continuation of nothing": (frame(CONTINUATION, b"x"), {1002}),
    "new message inside a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), {1002}),
    "broken UTF-8": (frame(TEXT, b'{"op":"\xc3\x28"}'), {1007}),
    "UTF-8 of a surrogate": (frame(TEXT, b'"\xed\xa0\x80"'), {1007}),
    "UTF-8 broken across fragments": (frame(TEXT, b"\xe1\xbb", fin=False) + frame(CONTINUATION, b"x"), {1007}),
    "close with one byte": (frame(CLOSE, b"\x03"), {1002}),
    "close with a code nobody may send": (frame(CLOSE, struct.pack(">H", 1005)), {1002}),
    "close with an unknown code": (frame(CLOSE, struct.pack(">H", 999)), {1002}),
    "close with broken UTF-8": (frame(CLOSE, struct.pack(">H", 1000) + b"\xff\xfe"), {1002, 1007}),
    "ten megabytes announced": (frame(TEXT, b"", claimed_length=10 * 1024 * 1024), {1009}),
    "more bytes than there are": (frame(TEXT, b"", claimed_length=2**62), {1002, 1009}),
    "a length with its highest bit": (frame(TEXT, b"", claimed_length=2**63 + 5), {1002, 1009}),
    "binary": (frame(BINARY, b"\x00\x01"), {1003}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FRAMES)
@pytest.mark.parametrize("kind", ["feed", "call"])
def test_wrong_frames_close_with_their_code(request, kind, name):
    raw = request.getfixturevalue(kind)
    data, codes = WRONG_FRAMES[name]
    raw.send(data)
    assert raw.close_code() in codes
    raw.send(frame(CLOSE, struct.pack(">H", 1000)))
    assert raw.closed()


def test_fragments_add_up_without_bound_only_to_the_limit(call):
    call.send(frame(TEXT, b"[", fin=False))
    for _ in range(300):
        call.send(frame(CONTINUATION, b" " * 60_000, fin=False))
    try:
        assert call.close_code() == 1009
    except EOFError:
        pass  # So much was still under way that the system reset the connection over the close frame.


def test_a_fragmented_message_with_a_ping_inside(call):
    call.send(frame(TEXT, b'{"op"', fin=False) + frame(PING, b"p") + frame(CONTINUATION, b':"ping', fin=False))
    assert call.read_until(PONG) == b"p"
    call.send(frame(CONTINUATION, b'"}'))
    assert json.loads(call.read_until(TEXT))["op"] == "pong"


def test_utf8_may_be_split_anywhere(call):
    text = json.dumps({"op": "ping", "note": "Hội chẩn 🚑"}, ensure_ascii=False).encode()
    for index in range(len(text)):
        last = index == len(text) - 1
        call.send(frame(TEXT if index == 0 else CONTINUATION, text[index : index + 1], fin=last))
    assert json.loads(call.read_until(TEXT))["op"] == "pong"


def test_byte_by_byte(feed):
    for byte in frame(PING, b"slow"):
        feed.send(bytes([byte]))
    assert feed.read_until(PONG) == b"slow"


def test_pings_are_answered_in_order(feed):
    feed.send(b"".join(frame(PING, str(n).encode()) for n in range(20)))
    # A server may answer only the newest of several, and must end with it.
    answers = []
    while not answers or answers[-1] != b"19":
        answers.append(feed.read_until(PONG))
    assert [int(answer) for answer in answers] == sorted(int(answer) for answer in answers)


def test_an_unasked_pong_is_ignored(feed):
    feed.send(frame(PONG, b"hello") + frame(PING, b"x"))
    assert feed.read_until(PONG) == b"x"


@pytest.mark.parametrize(("payload", "answer"), [(struct.pack(">H", 1000) + b"bye", 1000), (b"", 1005), (struct.pack(">H", 4000), 4000)])
def test_a_close_is_answered(feed, payload, answer):
    feed.send(frame(CLOSE, payload))
    assert feed.close_code() in (answer, 1000)
    assert feed.closed()


def test_nothing_follows_a_close(feed, people):
    feed.send(frame(CLOSE, struct.pack(">H", 1000)) + frame(PING, b"late"))
    request_consult(people.station)
    kinds = []
    try:
        while True:
            kinds.append(feed.read_frame()[0])
    except EOFError:
        pass
    assert kinds[-1] == CLOSE and PONG not in kinds[kinds.index(CLOSE) :]


def test_links_that_end_in_the_middle(server, people):
    for cut in (1, 3, 5, 7):
        raw = Raw(server)
        assert raw.upgrade(FEED, people.monitor.token).status == 101
        raw.send(frame(TEXT, b'{"op":"ping"}')[:cut])
        raw.socket.close()
    for cut in (10, 60, 150):
        raw = Raw(server)
        raw.send(f"GET {FEED} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"[:cut].encode())
        raw.socket.close()


@pytest.mark.parametrize("text", ["", "null", "[]", '"x"', "{", '{"op":7}', '{"op":"fly"}', '{"op":"join","resume":7}', "[" * 5000, '{"op":"description"}', "\x00"])
def test_messages_that_say_nothing(call, text):
    """The frame is well-formed, its content is not: an error, or a close with a reason; never silence."""
    call.send(frame(TEXT, text.encode()))
    kind, payload = call.read_frame()
    while kind == PING:
        kind, payload = call.read_frame()
    if kind == TEXT:
        said = json.loads(payload)
        assert said["op"] == "error" and said["code"] and said["detail"]
    else:
        assert kind == CLOSE and struct.unpack(">H", payload[:2])[0] in (1003, 1007, 1008, 4400)


def test_sign_out_closes_within_moments(server):
    caller = sign_in(server, "giamsat", PASSWORD)
    with Raw(server) as raw:
        assert raw.upgrade(FEED, caller.token).status == 101
        raw.read_until(TEXT)
        caller.delete("/session")
        assert raw.close_code() == 4401


def test_a_compressing_client_is_served_uncompressed_or_properly(raw, people):
    answer = raw.upgrade(FEED, people.monitor.token, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert answer.status == 101
    if "sec-websocket-extensions" not in answer.headers:
        assert json.loads(raw.read_until(TEXT))["kind"] == "ready"
