"""Server-Sent Events, parsed as the HTML standard says, recorded by a thread."""
import json
import socket
import threading

import httpx

from . import described
from .waiting import PATIENCE


class EventStream:
    """One SSE connection. `items` are dicts with `id` (None if absent), `event`, `data` (decoded) and `retry`."""

    def __init__(self, caller, last_id=None, **params):
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self.items = []
        self.comments = 0
        self.ended = False
        self._changed = threading.Condition()
        self._client = caller.server.plain(headers=dict(caller.http.headers) | headers)
        query = {name.rstrip("_"): value for name, value in params.items()}
        timeout = httpx.Timeout(PATIENCE, read=None)
        request = self._client.build_request("GET", "/api/v1/events", params=query, timeout=timeout)
        self.response = self._client.send(request, stream=True)
        self.status = self.response.status_code
        if self.status == 200:
            self._thread = threading.Thread(target=self._record, daemon=True)
            self._thread.start()
        else:
            self.response.read()

    def _record(self):
        item = {}
        try:
            for line in self.response.iter_lines():
                if line == "":
                    if "data" in item or "retry" in item:
                        self._add(item)
                    item = {}
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    item[name] = item[name] + "\n" + value if name == "data" and name in item else value
        except (httpx.HTTPError, OSError, RuntimeError):
            pass  # The end of the stream, by either side.
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _add(self, item):
        data = json.loads(item["data"]) if "data" in item else None
        with self._changed:
            self.items.append({"id": item.get("id"), "event": item.get("event", "message"), "data": data, "retry": item.get("retry")})
            self._changed.notify_all()
        if isinstance(data, dict) and "specversion" in data:
            described.event(data, "an event of a stream")
        elif item.get("event") == "gap":
            described.frame({"kind": "gap", **data})

    def wait(self, probe, what: str, patience: float = PATIENCE):
        with self._changed:
            self._changed.wait_for(lambda: probe(self.items) or self.ended, patience)
            value = probe(self.items)
            assert value, f"{what} did not come (ended: {self.ended}); last: {self.items[-4:]}"
            return value

    def cloud_events(self) -> list:
        """The CloudEvents among the items."""
        return [item["data"] for item in list(self.items) if isinstance(item["data"], dict) and "specversion" in item["data"]]

    def close(self):
        # From another thread, the socket must be shut for the blocked read to end.
        stream = self.response.extensions.get("network_stream")
        sock = stream.get_extra_info("socket") if stream else None
        if sock is not None and not self.ended:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # Already closed by the server.
        self._client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
