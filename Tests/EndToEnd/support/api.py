"""A signed-in caller of the HTTP API, the bodies it sends, and what every answer must look like."""
import datetime
import os
import time

import httpx

ZONE = datetime.timezone(datetime.timedelta(hours=7))
BASE = "/api/v1"
# Every code that CONTRACT.md names, with its status.
CODES = {
    "malformed": 400, "unauthenticated": 401, "forbidden": 403, "not-found": 404, "method-not-allowed": 405,
    "slot-taken": 409, "illegal-transition": 409, "id-taken": 409, "idempotency-in-progress": 409,
    "cursor-gap": 410, "link-ended": 410, "precondition-failed": 412, "too-large": 413,
    "unsupported-media-type": 415, "invalid": 422, "outside-schedule": 422, "idempotency-key-reused": 422,
    "upgrade-required": 426, "too-many": 429, "unavailable": 503,
}  # fmt: skip


def uuid7() -> str:
    """A fresh UUIDv7, as clients make them before they send."""
    bits = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def now() -> datetime.datetime:
    return datetime.datetime.now(ZONE)


def stamp(moment: datetime.datetime) -> str:
    """RFC 3339 with Vietnam's offset, whole seconds."""
    return moment.astimezone(ZONE).replace(microsecond=0).isoformat()


def moment(text: str) -> datetime.datetime:
    """Reads an RFC 3339 time of an answer; it must carry an offset."""
    value = datetime.datetime.fromisoformat(text)
    assert value.tzinfo is not None, f"{text} has no offset"
    return value


def problem(response: httpx.Response, code: str, status: int | None = None) -> dict:
    """Asserts that an answer is the problem document `code`, whole and well-formed; returns it."""
    shown = f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:600]}"
    assert response.status_code == (status or CODES[code]), f"wanted {code}: {shown}"
    assert response.headers["content-type"].split(";")[0] == "application/problem+json", shown
    body = response.json()
    assert body["code"] == code, f"wanted {code}: {shown}"
    return well_formed(body, response.status_code, shown)


def any_problem(response: httpx.Response) -> dict:
    """Asserts that an answer refuses with some documented problem of its own status, never a 5xx."""
    shown = f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:600]}"
    assert 400 <= response.status_code < 500, shown
    assert response.headers.get("content-type", "").split(";")[0] == "application/problem+json", shown
    body = response.json()
    assert CODES.get(body.get("code")) == response.status_code, shown
    return well_formed(body, response.status_code, shown)


def well_formed(body: dict, status: int, shown: str) -> dict:
    assert body["status"] == status, shown
    for member in ("type", "title", "detail"):
        assert isinstance(body[member], str) and body[member], f"{member} of {shown}"
    for error in body.get("errors", []):
        # A JSON Pointer into the body, or the name of a parameter.
        assert isinstance(error["pointer"], str) and error["code"] and error["detail"], shown
    assert "fatal" not in body["detail"].lower() and ".swift" not in body["detail"], f"shows its inside: {shown}"
    return body


class Api:
    """One caller: a bearer token, or a cookie with its Origin, or nobody."""

    def __init__(self, server, token=None, session=None):
        self.server, self.token, self.session = server, token, session
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = server.plain(headers=headers)

    def call(self, method, path, **options) -> httpx.Response:
        url = path if path.startswith(("/api/", "/livez", "/readyz", "/metrics", "/track/", "/openapi", "/asyncapi", "/problems/")) else BASE + path
        return self.http.request(method, url, **options)

    def get(self, path, **params):
        """`from_` stands for the parameter `from`, which Python keeps for itself."""
        return self.call("GET", path, params={name.rstrip("_"): value for name, value in params.items()})

    def post(self, path, json=None, **options):
        if json is not None:
            options["json"] = json
        return self.call("POST", path, **options)

    def patch(self, path, json, **options):
        return self.call("PATCH", path, json=json, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)

    # For the steps of a test that are not its subject

    def fetch(self, path, **params) -> dict:
        return good(self.get(path, **params), 200)

    def send(self, path, json=None, status=None, **options):
        response = self.post(path, json, **options)
        return good(response, *([status] if status else [200, 201]))

    @property
    def person(self) -> dict:
        return self.session["person"]

    @property
    def facility(self) -> str:
        """The first facility of its first grant: a station's own code, a province's root."""
        return self.session["grants"][0]["facilities"][0]

    def ticket(self, purpose="events", **more) -> str:
        return self.send("/tickets", {"purpose": purpose, **more})["ticket"]

    def close(self):
        self.http.close()


def good(response: httpx.Response, *wanted: int):
    shown = f"{response.request.method} {response.request.url} → {response.status_code} {response.text[:800]}"
    assert response.status_code in wanted, shown
    return response.json() if response.content else None


def sign_in(server, username: str, password: str) -> Api:
    """A new session, used by its bearer token."""
    with server.plain() as client:
        session = good(client.post(BASE + "/session", json={"username": username, "password": password}), 200, 201)
    return Api(server, session["token"], session)
