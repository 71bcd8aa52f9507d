#!/usr/bin/env python3
"""Follows the event feed of Hội Chẩn, for ever, and prints one line of JSON for each event. docs/FEED.md explains it.

    pip install websockets
    HOICHAN_TOKEN=… python3 feed.py https://hoichan.example.vn --types 'consult.*,trip.*' --cursor cursor.txt
"""
import argparse
import json
import os
import pathlib
import random
import signal
import sys
import time
import urllib.parse

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

PROTOCOL = "hoichan.feed.v1"


def handle(event: dict):
    """Your work. When it fails, let it: the cursor stays where it is, and the event comes again after a restart."""
    print(json.dumps(event), flush=True)


def begin_anew(gap: dict) -> str:
    """The cursor can't be served. Tells whoever reads the output, and answers the cursor from which to go on.

    `too-old`: what stood between is not kept any more. `epoch-changed`, `ahead`: the database was put back, so part of
    what was printed before may never have happened; whoever built on it drops it, and begins with what follows."""
    print(json.dumps({"gap": gap["reason"]}), flush=True)
    return gap["oldest"]


class Follower:
    def __init__(self, site: str, token: str, file: pathlib.Path, types: str | None = None):
        self.address = site.rstrip("/").replace("http", "ws", 1) + "/api/v1/events"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.filter = {"types": types} if types else {}
        self.file = file
        self.cursor = file.read_text().strip() if file.exists() else "oldest"
        self.attempt = 0
        self.stopping = False

    def run(self):
        while not self.stopping:
            for frame in self.frames():
                self.take(frame)

    def frames(self):
        """What one connection brings. Its end is no error: this waits as long as it should before the next one."""
        address = self.address + "?" + urllib.parse.urlencode({"after": self.cursor, **self.filter})
        try:
            # The library's pings notice a link that died without a word.
            with connect(address, additional_headers=self.headers, subprotocols=[PROTOCOL], ping_timeout=60) as socket:
                while not self.stopping:
                    try:
                        text = socket.recv(timeout=1)
                    except TimeoutError:
                        continue  # A quiet second: look whether to stop.
                    yield json.loads(text)
                return
        except ConnectionClosed as end:
            reason, wait = str(end), self.wait_after_close(end.rcvd.code if end.rcvd else 1006)
        except InvalidStatus as refusal:
            reason, wait = str(refusal), self.wait_after_refusal(refusal.response)
        except (OSError, WebSocketException) as problem:
            reason, wait = str(problem), self.back_off()
        self.attempt += 1
        print(f"not connected ({reason}); again in {wait:.1f} s", file=sys.stderr)
        again = time.monotonic() + wait
        while not self.stopping and time.monotonic() < again:
            time.sleep(0.1)

    def take(self, frame: dict):
        if frame["kind"] == "gap":
            self.keep(begin_anew(frame))
            return
        if frame["kind"] == "event":
            handle(frame["event"])
        # A position or presence (`volatile`) has no cursor and is passed over here; so is what a newer server may add.
        if "cursor" in frame:
            self.keep(frame["cursor"])
        if frame["kind"] in ("event", "bookmark"):
            self.attempt = 0  # Not at `ready`: who is let in and dropped at once, again and again, must wait longer.

    def keep(self, cursor: str):
        """After the work, never before it. Renamed into place, so that a crash leaves the old cursor or the new one."""
        if cursor != self.cursor:
            new = self.file.with_name(self.file.name + ".new")
            new.write_text(cursor)
            new.replace(self.file)
            self.cursor = cursor

    def back_off(self) -> float:
        """1, 2, 4 … 30 seconds, shortened by chance, so that not everybody comes back in the same second."""
        return min(30, 2 ** min(self.attempt, 5)) * random.uniform(0.5, 1)

    def wait_after_close(self, code: int) -> float:
        if code in (4401, 4403):
            sys.exit(f"The server ended this sign-in ({code}): the token was revoked, or may not follow.")
        if code in (1001, 4410) and self.attempt < 3:
            return random.random()  # The server stops, or named another cursor: at once, if not all in one moment.
        # 4429: too many. 4408, too slow, and lost links: from our own cursor, with a growing wait.
        return random.uniform(30, 60) if code == 4429 else self.back_off()

    def wait_after_refusal(self, response) -> float:
        if response.status_code in (400, 401, 403, 422):
            sys.exit(f"Refused with {response.status_code}: {(response.body or b'').decode(errors='replace')}")
        asked = response.headers.get("Retry-After", "")
        return max(self.back_off(), float(asked) if asked.isdigit() else 0)


def main():
    parser = argparse.ArgumentParser(description="Prints the events of Hội Chẩn. The token stands in HOICHAN_TOKEN.")
    parser.add_argument("site", help="https://hoichan.example.vn")
    parser.add_argument("--types", help="consult.*,trip.milestone; without, all that the token may see")
    parser.add_argument("--cursor", type=pathlib.Path, default="cursor.txt", help="the file that remembers the place")
    options = parser.parse_args()
    follower = Follower(options.site, os.environ["HOICHAN_TOKEN"], options.cursor, options.types)
    # Stops between two events, so that none is printed whose cursor is not kept.
    for signalled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signalled, lambda *_: setattr(follower, "stopping", True))
    follower.run()


if __name__ == "__main__":
    main()
