"""Under TLS: the cookie is Secure, sockets are wss, and plain HTTP on that port is no way in."""
import socket

import pytest
from support.api import BASE, Api, good, sign_in
from support.care import request_consult
from support.rawsocket import TEXT, Raw
from support.server import PASSWORD
from support.sockets import Feed


@pytest.fixture
def secure(new_server, certificate):
    return new_server(mode="serve", tls=certificate)


def test_the_api_and_the_feed_under_tls(secure):
    monitor, station = sign_in(secure, "giamsat", PASSWORD), sign_in(secure, "tram", PASSWORD)
    with Feed(monitor) as feed:
        feed.ready()
        feed.event("consult.requested", request_consult(station)["id"])
    with secure.plain() as client:
        cookie = client.post(BASE + "/session", json={"username": "tram", "password": PASSWORD}).headers["set-cookie"].lower()
        assert "secure" in cookie and "httponly" in cookie
        good(client.get(BASE + "/session"), 200)
        good(client.post(BASE + "/tickets", json={"purpose": "events"}, headers={"Origin": secure.origin}), 200, 201)
        plain = secure.origin.replace("https", "http")
        assert client.post(BASE + "/tickets", json={"purpose": "events"}, headers={"Origin": plain}).status_code == 403
    link = trip_link(secure)
    assert link.startswith("https://")


def trip_link(secure) -> str:
    dispatcher = sign_in(secure, "dieuphoi", PASSWORD)
    body = {"origin": {"lat": 19.8, "lon": 105.7}, "destination": {"lat": 19.9, "lon": 105.8}}
    trip = dispatcher.send("/trips", body, status=201)["id"]
    return dispatcher.send(f"/trips/{trip}/links", {}, status=201)["url"]


def test_an_upgrade_after_other_requests_under_tls(secure):
    monitor = sign_in(secure, "giamsat", PASSWORD)
    with Raw(secure) as raw:
        assert raw.request(path="/livez").status == 200
        assert raw.upgrade("/api/v1/events", monitor.token).status == 101
        assert b'"ready"' in raw.read_until(TEXT)


def test_plain_bytes_get_nothing(secure):
    with socket.create_connection(("127.0.0.1", secure.port), timeout=60) as plain:
        plain.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = plain.recv(4096)
        except ConnectionResetError:
            answer = b""
        assert b"200" not in answer[:20]
    good(Api(secure).get("/livez"), 200)


def test_a_certificate_that_is_none_is_told(new_server, certificate, tmp_path):
    (tmp_path / "broken.pem").write_text("no certificate")
    server = new_server(mode="serve", start=False, env={"HOICHAN_TLS_CERT": str(tmp_path / "broken.pem"), "HOICHAN_TLS_KEY": str(certificate.key)})
    server.start(wait=False)
    assert server.child.process.wait(60) != 0
    assert "broken.pem" in server.log()
