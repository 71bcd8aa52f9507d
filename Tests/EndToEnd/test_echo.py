"""`hoichan bench echo`, to which conformance tools talk: the product's own WebSockets with nothing behind them."""
import re
import signal
import struct
import types

import pytest
from support.processes import Child
from support.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame
from support.waiting import eventually

pytestmark = pytest.mark.sqlite("it has no database: once is enough")


@pytest.fixture
def echo(binary):
    child = Child([binary, "bench", "echo", "--port", "0"])

    def address():
        if not child.running():
            raise RuntimeError(f"It ended at its start:\n{child.text()[-4000:]}")
        return re.search(r"^ws://127\.0\.0\.1:(\d+)$", child.text(), re.M)

    try:
        yield types.SimpleNamespace(port=int(eventually(address, "its address")[1]), tls=None, child=child)
    finally:
        child.dispose()


@pytest.mark.parametrize("path", ["/", "/a/b%20c?d=e", "/api/v1/events"])
def test_every_path_echoes(echo, path):
    with Raw(echo) as raw:
        assert raw.upgrade(path).status == 101
        raw.send(frame(TEXT, "xin chào".encode()))
        assert raw.read_frame() == (TEXT, "xin chào".encode())
        raw.send(frame(BINARY, b"\xff", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"\xfe"))
        assert raw.read_frame() == (PONG, b"p")
        assert raw.read_frame() == (BINARY, b"\xff\xfe")
        raw.send(frame(CLOSE, struct.pack(">H", 1000)))
        assert raw.close_code() == 1000
        assert raw.closed()


def test_large_messages(echo):
    size = 20 * 1024 * 1024
    with Raw(echo) as raw:
        assert raw.upgrade("/").status == 101
        head = frame(BINARY, claimed_length=size)
        raw.send(head + bytes(size))
        kind, payload = raw.read_frame()
        # Zeros under a mask are the mask.
        assert kind == BINARY and payload == head[-4:] * (size // 4)


def test_what_is_no_handshake(echo):
    with Raw(echo) as raw:
        answer = raw.request(path="/")
        assert answer.status == 426 and answer.headers["sec-websocket-version"] == "13"
        assert raw.upgrade("/", Sec_WebSocket_Version="12").status == 426
        assert raw.upgrade("/", Sec_WebSocket_Key="short").status == 400
        assert raw.upgrade("/").status == 101


def test_it_listens_on_loopback_only(echo):
    lines = [line.split() for file in ("/proc/net/tcp", "/proc/net/tcp6") for line in open(file).readlines()[1:]]
    addresses = {line[1].split(":")[0] for line in lines if line[3] == "0A" and line[1].endswith(f":{echo.port:04X}")}
    assert addresses == {"0100007F"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_graceful_end(echo, how):
    with Raw(echo) as raw:
        assert raw.upgrade("/").status == 101
        assert echo.child.stop(how) == 0
        assert raw.close_code() == 1001


def test_a_taken_port(echo, binary):
    second = Child([binary, "bench", "echo", "--port", echo.port])
    try:
        assert second.process.wait(60) != 0
        assert str(echo.port) in second.text()
    finally:
        second.dispose()
