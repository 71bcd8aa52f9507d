"""Clients that book without pause and repeat what was not acknowledged, as stations' phones do."""
import datetime
import http.client
import json
import os
import random
import socket
import threading
import time

import psycopg

ZONE = datetime.timezone(datetime.timedelta(hours=7))
PASSWORD = "hoichan-demo"


def uuid7() -> str:
    """A fresh UUIDv7, as clients make them before they send."""
    bits = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def stamp(moment: datetime.datetime) -> str:
    return moment.astimezone(ZONE).replace(microsecond=0).isoformat()


class Http:
    """One caller over one kept connection; what goes wrong on the way is OSError or HTTPException."""

    def __init__(self, port: int, token: str | None = None, timeout: float = 10):
        self.port, self.token, self.timeout, self.connection = port, token, timeout, None

    def call(self, method: str, path: str, body=None, key: str | None = None) -> tuple[int, dict, dict]:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        payload = None
        if body is not None:
            headers["Content-Type"], payload = "application/json", json.dumps(body).encode()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection.request(method, path, payload, headers)
            response = self.connection.getresponse()
            content = response.read()
            try:
                document = json.loads(content) if content else {}
            except ValueError:
                document = {}
            return response.status, document, dict(response.headers)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def good(self, method: str, path: str, body=None) -> dict:
        status, document, _ = self.call(method, path, body)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path} → {status} {document}")
        return document

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


def sign_in(port: int, username: str) -> Http:
    caller = Http(port)
    caller.token = caller.good("POST", "/api/v1/session", {"username": username, "password": PASSWORD})["token"]
    return caller


class Acknowledged:
    """One write that the server has said is kept."""

    def __init__(self, id: str, sent: float, at: float, detail=None):
        # `sent`: when the attempt was sent that got the answer, which may not be the first.
        self.id, self.sent, self.at, self.detail = id, sent, at, detail


class Worker(threading.Thread):
    """Writes in a loop until `done`; what it has begun it goes on repeating for `patience` seconds after that."""

    # How long a write may go unacknowledged before it counts as lost for ever.
    patience = 90

    def __init__(self):
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.acknowledged, self.wrong, self.repeats = [], [], 0

    def run(self):
        try:
            while not self.done.is_set():
                self.one()
                self.done.wait(random.uniform(0.02, 0.1))
        except Exception as error:  # shown with the checks
            self.wrong.append(f"{type(error).__name__}: {error}")

    def one(self):
        raise NotImplementedError

    def pause(self, attempt: int, wanted: float = 0):
        """As docs/API.md asks of clients: longer each time, with some chance, as long as Retry-After says."""
        self.repeats += 1
        time.sleep(max(wanted, min(0.1 * 2**attempt, 1) * random.uniform(0.5, 1)))


class Booker(Worker):
    """Requests a consult and books a time for it, each under an Idempotency-Key of its own."""

    # The same again is right after these; everything else is an answer.
    AGAIN = {502, 503, 504, 429}

    def __init__(self, port: int, token: str, slots: list):
        super().__init__()
        self.http, self.slots = Http(port, token), slots
        self.refused = 0

    def one(self):
        if not self.slots:
            self.done.wait(0.2)
            return
        slot, contested = self.slots.pop()
        consult = uuid7()
        self.write("/api/v1/consults", request(consult, slot["specialty"]), (201,))
        body = {"practitionerId": slot["practitionerId"], "start": slot["start"], "minutes": 30}
        # Of two who want the same slot one must hear that it is taken; who has a slot alone must never hear it, also not
        # when the first attempt was kept and its answer lost.
        status, answer, sent = self.write(f"/api/v1/consults/{consult}/appointment", body, (201, 409) if contested else (201,))
        if status == 201:
            self.acknowledged.append(Acknowledged(consult, sent, time.monotonic(), slot))
        elif answer.get("code") == "slot-taken":
            self.refused += 1
        else:
            raise RuntimeError(f"booking {consult}: {status} {answer}")

    def write(self, path: str, body: dict, wanted: tuple):
        key, attempt, begun = uuid7(), 0, time.monotonic()
        while True:
            sent, wait = time.monotonic(), 0.0
            try:
                status, answer, headers = self.http.call("POST", path, body, key)
                if status not in self.AGAIN and answer.get("code") != "idempotency-in-progress":
                    if status not in wanted:
                        raise RuntimeError(f"POST {path} → {status} {answer}")
                    return status, answer, sent
                wait = min(float(headers.get("Retry-After", 0)), 2.0)
                last = f"{status} {answer.get('code')}"
            except (OSError, http.client.HTTPException, socket.timeout) as error:
                last = f"{type(error).__name__} {error}"
            if time.monotonic() - begun > self.patience:
                raise RuntimeError(f"POST {path} got no answer for {self.patience} s, at last: {last}")
            self.pause(attempt, wait)
            attempt += 1


def request(consult: str, specialty: str) -> dict:
    return {
        "id": consult, "specialty": specialty, "urgency": "routine", "mode": "live",
        "patient": {"name": "Nguyễn Thị Hoa", "birthDate": "1958-03-14", "sex": "female"},
        "situation": "Đau ngực trái 2 giờ", "request": "Xin hướng xử trí",
        "consent": {"basis": "consent", "at": stamp(datetime.datetime.now(ZONE))},
    }  # fmt: skip


def find_slots(caller: Http) -> list:
    """Free times of several specialties, in any order."""
    start = datetime.datetime.now(ZONE) + datetime.timedelta(days=1)
    found = []
    for specialty in ("cardiology", "internalMedicine", "pediatrics", "surgery", "neurology", "obstetrics"):
        end = start + datetime.timedelta(days=90)
        query = f"specialty={specialty}&minutes=30&limit=2000&from={stamp(start)}&to={stamp(end)}".replace("+", "%2B")
        found += caller.good("GET", f"/api/v1/slots?{query}")["items"]
    random.shuffle(found)
    return found


def share_out(slots: list, count: int) -> list[list]:
    """A list of (slot, contested) for each worker; every eighth slot is given to two of them."""
    shares = [[] for _ in range(count)]
    for number, slot in enumerate(slots):
        contested = number % 8 == 0
        shares[number % count].append((slot, contested))
        if contested:
            shares[(number + 1) % count].append((slot, True))
    return shares


class Inserter(Worker):
    """Without hoichan: plain inserts, each repeated under its id until the COMMIT was acknowledged."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.connection, self.notices = cluster, None, []

    def one(self):
        id, attempt, begun = uuid7(), 0, time.monotonic()
        while True:
            sent = time.monotonic()
            try:
                if self.connection is None:
                    self.connection = self.cluster.connect()
                    self.connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary))
                self.notices.clear()
                self.connection.execute("INSERT INTO plain (id) VALUES (%s) ON CONFLICT DO NOTHING", (id,))
                # A COMMIT that somebody cancels while it waits for the standby is answered as done, with a warning. It is on
                # one machine only.
                if any("synchronous replication" in text for text in self.notices):
                    raise RuntimeError(f"answered without the standby: {self.notices}")
                self.acknowledged.append(Acknowledged(id, sent, time.monotonic()))
                return
            except psycopg.Error as error:
                last = str(error)
                if self.connection:
                    self.connection.close()
                    self.connection = None
            if time.monotonic() - begun > self.patience:
                raise RuntimeError(f"an insert got no answer for {self.patience} s, at last: {last}")
            self.pause(attempt)
            attempt += 1
