"""Readers of the feed that come back with their cursor, for as long as it takes."""
import json
import threading
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


class Reader(threading.Thread):
    """Follows one address; after every end it connects again from its cursor, as docs/FEED.md asks."""

    def __init__(self, name: str, port: int, token: str, after: str):
        super().__init__(daemon=True)
        self.name, self.port, self.token, self.cursor = name, port, token, after
        self.done = threading.Event()
        self.events, self.arrivals, self.wrong, self.connections = [], [], [], 0

    def run(self):
        while not self.done.is_set() and not self.wrong:
            try:
                self.follow()
            except (OSError, WebSocketException, TimeoutError):
                pass  # and again, from the cursor
            except Exception as error:  # shown with the checks
                self.wrong.append(f"{type(error).__name__}: {error}")
            time.sleep(0.2)

    def follow(self):
        address = f"ws://127.0.0.1:{self.port}/api/v1/events?after={self.cursor}"
        # The pings notice a server that hangs, which closes nothing.
        with connect(
            address, additional_headers={"Authorization": f"Bearer {self.token}"}, subprotocols=["hoichan.feed.v1"],
            compression=None, open_timeout=5, close_timeout=1, ping_interval=5, ping_timeout=10, proxy=None,
        ) as socket:  # fmt: skip
            self.connections += 1
            while not self.done.is_set():
                try:
                    frame = json.loads(socket.recv(timeout=0.5))
                except TimeoutError:
                    continue
                if frame["kind"] == "gap":
                    self.wrong.append(f"a gap: {frame}")
                    return
                if frame["kind"] == "event":
                    self.events.append(frame["event"])
                    self.arrivals.append(time.monotonic())
                # `ready` repeats the cursor that was asked for; nothing has been missed up to any of them.
                if "cursor" in frame:
                    self.cursor = frame["cursor"]
