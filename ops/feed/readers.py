"""Two hundred readers of the feed who are cut off, stall and lose their server again and again, while events are written.

Started by ops/test-feed. Each reader goes on from its last cursor; in the end its record must equal the log. Every check is a
line on stdout that begins with `ok` or `FAILED`.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import secrets
import selectors
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "failover"))
from cluster import Node  # noqa: E402
from load import Booker, find_slots, share_out, sign_in  # noqa: E402

WORKERS = 2
TROUBLE = 15  # seconds between two troubles of a reader, on average
CURSOR = slice(26, 58)  # in {"kind":"event","cursor":"…","event":{…}} and {"kind":"ready","cursor":"…
EVENT = slice(68, -1)


class Reader:
    """One reader; all of them share a thread. It keeps what it was shown as bytes that equal readers share."""

    def __init__(self, number: int, port: int, token: str, cursor: str, shown: dict):
        self.number, self.port, self.token, self.cursor, self.shown = number, port, token, cursor, shown
        self.record, self.wrong, self.closes = [], [], []
        self.connections = self.resets = self.stalls = 0
        self.socket, self.again = None, 0.0
        self.rest, self.is_open, self.stalled_until = b"", False, 0.0
        self.trouble_at = time.monotonic() + random.expovariate(1 / TROUBLE)

    def connect(self, selector):
        self.rest, self.is_open = b"", False
        self.socket = socket.socket()
        # Little fits into the system's buffers, so that a stalled reader is one for the server, too.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(2)
        try:
            self.socket.connect(("127.0.0.1", self.port))
            self.socket.sendall(
                f"GET /api/v1/events?after={self.cursor} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
            )
        except OSError:
            self.drop(None)
            return
        self.socket.setblocking(False)
        self.connections += 1
        selector.register(self.socket, selectors.EVENT_READ, self)

    def drop(self, selector, reset=False):
        """Ends the connection, with a RST when asked for; what was not read of it is lost, and comes again."""
        if self.socket is None:
            return
        if selector is not None and self.socket in selector.get_map():
            selector.unregister(self.socket)
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.resets += 1
        self.socket.close()
        self.socket, self.again, self.stalled_until = None, time.monotonic() + random.uniform(0.05, 0.3), 0.0

    def stall(self, selector, seconds: float):
        if self.socket is not None and self.socket in selector.get_map():
            selector.unregister(self.socket)
            self.stalled_until = time.monotonic() + seconds
            self.stalls += 1

    def go_on(self, selector):
        self.stalled_until = 0.0
        if self.socket is not None:
            selector.register(self.socket, selectors.EVENT_READ, self)

    def read(self, selector):
        try:
            chunk = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.drop(selector)
            return
        self.rest += chunk
        if not self.is_open:
            head, found, rest = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                if not head.startswith(b"HTTP/1.1 503"):
                    self.wrong.append(f"refused: {head[:80]!r}")
                self.drop(selector)
                return
            self.rest, self.is_open = rest, True
        self.take(selector)

    def take(self, selector):
        at = 0
        while self.socket is not None and len(self.rest) - at >= 2:
            opcode, length, start = self.rest[at] & 15, self.rest[at + 1], at + 2
            if length == 126:
                if len(self.rest) < at + 4:
                    break
                length, start = int.from_bytes(self.rest[at + 2 : at + 4], "big"), at + 4
            if len(self.rest) < start + length:
                break
            payload = self.rest[start : start + length]
            at = start + length
            if opcode == 1:
                self.hear(payload)
            elif opcode == 9:
                self.answer(payload)
            elif opcode == 8:
                self.closes.append(int.from_bytes(payload[:2], "big"))
                self.drop(selector)
        self.rest = self.rest[at:]

    def hear(self, text: bytes):
        if text.startswith(b'{"kind":"event"'):
            event = text[EVENT]
            self.record.append(self.shown.setdefault(event, event))
            self.cursor = text[CURSOR].decode()
        elif text.startswith(b'{"kind":"volatile"'):
            pass
        else:
            frame = json.loads(text)
            if frame["kind"] == "gap":
                self.wrong.append(f"a gap: {frame['reason']}")
            elif frame["kind"] == "ready" and frame["cursor"] != self.cursor:
                self.wrong.append("another cursor than the one that was asked for")
            elif frame["kind"] in ("ready", "bookmark"):
                self.cursor = frame["cursor"]

    def answer(self, payload: bytes):
        try:
            self.socket.send(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        except OSError:
            pass  # The next read finds out.


def turn(readers, selector, patience=0.05):
    """What has come, for everybody; who has no connection gets one."""
    for key, _ in selector.select(patience):
        key.data.read(selector)
    now = time.monotonic()
    for reader in readers:
        if reader.socket is None and not reader.wrong and now >= reader.again:
            reader.connect(selector)
        elif reader.stalled_until and now >= reader.stalled_until:
            reader.go_on(selector)


def read_log(caller, after: str) -> list:
    events = []
    while True:
        page = caller.good("GET", f"/api/v1/events?after={after}&limit=500")
        events += [item["event"] for item in page["items"]]
        after = page["cursor"]
        if page["next"] is None:
            return events


def revoke(node, root: str, cursor: str) -> tuple[float, list]:
    """Seconds from the end of `hoichan token revoke` until its reader was sent away; what it was closed with."""

    def command(*words):
        done = subprocess.run([node.binary, "token", *words], env={**os.environ, **node.env}, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    token = command("create", "readers", "--role", "monitor", "--facility", root)
    selector, reader = selectors.DefaultSelector(), Reader(0, node.port, token, cursor, {})
    for _ in range(200):  # A token takes effect within a second.
        turn([reader], selector)
        if reader.is_open:
            break
        reader.wrong.clear()
    command("revoke", "readers")
    end, reader.closes = time.monotonic(), []
    while not reader.closes and time.monotonic() < end + 30:
        turn([reader], selector)
    took, closes = time.monotonic() - end, list(reader.closes)
    reader.drop(selector)
    return took, closes


def run(options):
    folder = options.folder
    node = Node("feed", options.binary, folder, f"sqlite:{folder}/hoichan.sqlite")
    node.env["HOICHAN_SECRET_KEY"] = secrets.token_urlsafe(32)
    # It fills the database the first time, and only serves it after that.
    node.start("demo", "--port", node.port, "--data", folder)
    node.await_ready(180)
    station, admin = sign_in(node.port, "tram"), sign_in(node.port, "quantri")
    begin = admin.good("GET", "/api/v1/events?limit=1")["head"]
    shown, selector = {}, selectors.DefaultSelector()
    readers = [Reader(number, node.port, admin.token, begin, shown) for number in range(options.readers)]
    workers = [Booker(node.port, station.token, share) for share in share_out(find_slots(station)[:20_000], WORKERS)]
    for worker in workers:
        worker.start()
    kills, now = 0, time.monotonic()
    end, next_kill = now + options.seconds, now + 5
    while time.monotonic() < end:
        turn(readers, selector)
        now = time.monotonic()
        for reader in (reader for reader in readers if now >= reader.trouble_at):
            reader.trouble_at = now + random.expovariate(1 / TROUBLE)
            if random.random() < 0.5:
                reader.drop(selector, reset=True)
            else:
                reader.stall(selector, random.uniform(0.5, 5))
        if time.monotonic() >= next_kill:
            node.child.kill()
            kills += 1
            node.start("demo", "--port", node.port, "--data", folder)
            next_kill = time.monotonic() + random.uniform(4, 8)
    for worker in workers:
        worker.done.set()
    node.await_ready(60)
    for worker in workers:
        while worker.is_alive():
            turn(readers, selector)
    admin.close()  # Its connection was another server's.
    log = read_log(admin, begin)
    patience = time.monotonic() + 60
    while time.monotonic() < patience and any(len(reader.record) < len(log) and not reader.wrong for reader in readers):
        turn(readers, selector)
    for reader in readers:
        reader.drop(selector)
    log = read_log(admin, begin)
    root = sign_in(node.port, "giamsat").good("GET", "/api/v1/session")["grants"][0]["facilities"][0]
    revoked = revoke(node, root, begin)
    node.child.stop(40)
    report(readers, workers, log, kills, options.seconds, revoked)


def report(readers, workers, log, kills, seconds, revoked):
    failed = False

    def check(name, good, detail):
        nonlocal failed
        failed |= not good
        print(f"{'ok    ' if good else 'FAILED'}  readers: {name}: {detail}", flush=True)

    parsed = {}
    for reader in readers:
        for event in reader.record:
            if event not in parsed:
                parsed[event] = json.loads(event)
    ids = [event["id"] for event in log]
    same, missing, twice = 0, 0, 0
    for reader in readers:
        record = [parsed[event] for event in reader.record]
        counts = collections.Counter(event["id"] for event in record)
        missing += len(set(ids) - set(counts))
        twice += sum(count - 1 for count in counts.values())
        same += record == log
    acknowledged = sum(len(worker.acknowledged) for worker in workers)
    total = lambda name: sum(getattr(reader, name) for reader in readers)  # noqa: E731
    check(
        "each one's record equals the log", same == len(readers),
        f"{same} of {len(readers)} over {len(log)} events; {missing} missing, {twice} twice; {seconds} s, {kills} times kill -9, "
        f"{total('resets')} resets, {total('stalls')} stalls, {total('connections')} connections",
    )  # fmt: skip
    wrong = [text for one in [*readers, *workers] for text in one.wrong]
    check("nothing unexpected was answered", not wrong, "; ".join(wrong[:3]) or f"{acknowledged} bookings were acknowledged")
    took, closes = revoked
    check("a revoked session is closed within a second", took < 1 and closes == [4401], f"{took:.2f} s, {closes}")
    check("the run was one", kills >= seconds // 15 and len(log) >= 100, f"{kills} kills, {len(log)} events")
    sys.exit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=180)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
