"""A webhook's receiver: a real HTTP server on loopback that verifies signatures, and can be down, slow or unwilling."""
import base64
import collections
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time

from .ports import free_port
from .waiting import PATIENCE

Delivery = collections.namedtuple("Delivery", "path headers body")


def is_genuine(headers, body: bytes, secret: str) -> bool:
    """As docs/WEBHOOKS.md shows it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [one.removeprefix("v1,") for one in headers["webhook-signature"].split() if one.startswith("v1,")]
    is_fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return is_fresh and any(hmac.compare_digest(wanted, one) for one in given)


class Receiver:
    """Records deliveries in the order in which they came. `answer(number)` gives each its status, from 0; `work` is how
    many seconds each takes, so that two at once would be seen."""

    def __init__(self, answer=lambda number: 204, work=0.0, headers=None):
        self.answer, self.work, self.headers = answer, work, headers or {}
        self.port = free_port()
        self.deliveries, self.most_at_once, self._at_once = [], 0, 0
        self.ids = set()
        self._changed = threading.Condition()
        self._server, self._connections = None, set()
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    # Its life

    def up(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._take(self)

            def do_GET(self):
                receiver._take(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request, client_address):
                with receiver._changed:
                    receiver._connections.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request):
                with receiver._changed:
                    receiver._connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, request, client_address):
                pass  # The other side was killed, or we were taken down.

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self):
        """Nobody listens any more, and what was open is cut."""
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It had ended before.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    # What came

    def _take(self, request):
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        with self._changed:
            number = len(self.deliveries)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.deliveries.append(Delivery(request.path, headers, body))
            self.ids.add(headers.get("webhook-id"))
            self._changed.notify_all()
        try:
            if self.work:
                time.sleep(self.work)
            status = self.answer(number)
        finally:
            with self._changed:
                self._at_once -= 1
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def forget_last(self):
        """As if the newest delivery had not come."""
        with self._changed:
            self.ids.discard(self.deliveries.pop().headers["webhook-id"])

    @property
    def events(self) -> list:
        return [json.loads(delivery.body) for delivery in list(self.deliveries)]

    def once(self) -> list:
        """The events without their repetitions, as a receiver keeps them that drops what it has."""
        kept = {}
        for event in self.events:
            kept.setdefault(event["id"], event)
        return list(kept.values())

    def wait(self, probe, what: str, patience: float = PATIENCE):
        """Until `probe(self)` is true."""
        with self._changed:
            held = self._changed.wait_for(lambda: probe(self), patience)
        assert held, f"{what} did not come; {len(self.deliveries)} deliveries, the last: {self.deliveries[-2:]}"

    def wait_for(self, count: int, patience: float = PATIENCE):
        """So many different events. They are counted by their ids: to read all at each that comes would slow them down."""
        self.wait(lambda _: len(self.ids) >= count, f"{count} events", patience)

    def assert_in_order(self, log: list):
        """Each event of the log, in its order; a repetition only right behind the same event."""
        assert self.once() == log, "the receiver has other events than the log"
        ids = [event["id"] for event in self.events]
        order = {event["id"]: number for number, event in enumerate(log)}
        places = [order[id] for id in ids]
        assert places == sorted(places), "an event came again behind a later one"

    def assert_genuine(self, secret: str):
        for delivery in self.deliveries:
            assert is_genuine(delivery.headers, delivery.body, secret), delivery
            assert delivery.headers["webhook-id"] == json.loads(delivery.body)["id"]


def add_webhook(admin, receiver, facilities=None, **more) -> dict:
    """Makes a webhook that leads to the receiver."""
    body = {"url": receiver.url, "facilities": facilities or [admin.facility], **more}
    return admin.send("/webhooks", body, status=201)


def shown(admin, webhook: dict) -> dict:
    return admin.fetch(f"/webhooks/{webhook['id']}")
