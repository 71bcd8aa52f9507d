"""WebSocket readers: a thread records every frame, a test waits for those it needs."""
import json
import socket
import threading

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from . import described
from .waiting import PATIENCE


class Socket:
    """One connection that records. `frames` are the decoded text frames in order of arrival."""

    def __init__(self, server, path, params=None, token=None, subprotocol=None, headers=None, compression=None):
        query = "&".join(f"{name.rstrip('_')}={value}" for name, value in (params or {}).items() if value is not None)
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        self.connection = connect(
            server.socket_origin + path + ("?" + query if query else ""),
            additional_headers=all_headers,
            subprotocols=[subprotocol] if subprotocol else None,
            compression=compression,
            ssl=server.tls.context if server.tls else None,
            open_timeout=PATIENCE,
            ping_interval=None,
            max_size=4 * 1024 * 1024,
            proxy=None,
        )
        self.frames = []
        self.close_code = None
        self.close_reason = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    @property
    def subprotocol(self):
        return self.connection.subprotocol

    def _record(self):
        try:
            for text in self.connection:
                frame = json.loads(text)
                with self._changed:
                    self.frames.append(frame)
                    self._changed.notify_all()
                self.hold(frame)
        except ConnectionClosed:
            pass
        # An abnormal end has no close frame: 1006, as browsers say.
        with self._changed:
            received = self.connection.protocol.close_rcvd
            self.close_code = received.code if received else 1006
            self.close_reason = received.reason if received else ""
            self._changed.notify_all()

    def hold(self, frame: dict):
        """Holds a frame against what is described of this socket."""

    def send(self, frame: dict):
        self.connection.send(json.dumps(frame))

    def wait(self, probe, what: str, patience: float = PATIENCE):
        """Waits until `probe(frames)` is true, and returns it. Ends early when the socket has closed."""
        with self._changed:
            self._changed.wait_for(lambda: probe(self.frames) or self.close_code is not None, patience)
            value = probe(self.frames)
            assert value, f"{what} did not come (close {self.close_code} {self.close_reason!r}); last frames: {self.frames[-5:]}"
            return value

    def first(self, what: str, after: int = 0, patience: float = PATIENCE, **members) -> dict:
        """The first frame from index `after` on whose members have these values."""
        found = lambda frames: next((f for f in frames[after:] if all(f.get(k) == v for k, v in members.items())), None)
        return self.wait(found, what, patience)

    def wait_closed(self, patience: float = PATIENCE) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self.close_code is not None, patience)
        assert self.close_code is not None, f"The socket is still open after {patience:.0f} s; last frames: {self.frames[-3:]}"
        return self.close_code

    def drop(self):
        """The link dies: the TCP connection goes without a closing handshake."""
        try:
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It was gone already, which is what was wanted.
        self._thread.join(PATIENCE)

    def close(self):
        self.connection.close()
        self._thread.join(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Feed(Socket):
    """The event feed. Filters are comma lists, as in the query."""

    def __init__(self, caller, after=None, types=None, facility=None, specialty=None, subject=None, ticket=None, volatile=None, maxRate=None, **options):
        params = {
            "after": after, "types": types, "facility": facility, "specialty": specialty, "subject": subject, "ticket": ticket,
            "volatile": volatile, "maxRate": maxRate,
        }  # fmt: skip
        token = None if ticket else caller.token
        super().__init__(caller.server, "/api/v1/events", params, token=token, **options)

    def hold(self, frame: dict):
        described.frame(frame)

    def ready(self) -> dict:
        return self.first("ready", kind="ready")

    @property
    def events(self) -> list:
        """The durable events so far, in order."""
        return [frame["event"] for frame in list(self.frames) if frame.get("kind") == "event"]

    @property
    def cursor(self) -> str | None:
        """The last position that the server has named."""
        return next((frame["cursor"] for frame in reversed(list(self.frames)) if "cursor" in frame), None)

    def event(self, type: str, subject: str | None = None, patience: float = PATIENCE) -> dict:
        """Waits for the first event of this type (about this subject's id)."""

        def found(frames):
            for frame in frames:
                event = frame.get("event") if frame.get("kind") in ("event", "volatile") else None
                if event and event["type"] == type and (subject is None or subject in event["subject"]):
                    return event
            return None

        return self.wait(found, f"event {type} of {subject}", patience)


class Call(Socket):
    """One seat in a consult's call."""

    def __init__(self, caller, consult, ticket=None, **options):
        params = {"ticket": ticket}
        token = None if ticket else caller.token
        super().__init__(caller.server, f"/api/v1/consults/{consult}/call", params, token=token, **options)

    def hold(self, frame: dict):
        described.told(frame)

    def join(self, resume=None, patience: float = PATIENCE) -> dict:
        self.send({"op": "join", "resume": resume} if resume else {"op": "join"})
        answer = self.wait(lambda frames: next((f for f in frames if f.get("op") in ("joined", "error")), None), "joined", patience)
        assert answer["op"] == "joined", answer
        return answer

    def wait_roster(self, probe, what: str) -> dict:
        """The newest roster (of `joined` or `roster`) for which `probe(members)` holds."""

        def found(frames):
            for frame in reversed(frames):
                roster = frame.get("roster") if frame.get("op") == "joined" else frame if frame.get("op") == "roster" else None
                if roster is not None:
                    return roster if probe(roster["members"]) else None
            return None

        return self.wait(found, what)


def refusal(open_socket):
    """The HTTP answer with which an upgrade was refused: (status, headers, body as text)."""
    try:
        socket = open_socket()
    except InvalidStatus as error:
        response = error.response
        return response.status_code, response.headers, (response.body or b"").decode()
    socket.close()
    raise AssertionError("The upgrade was accepted.")
