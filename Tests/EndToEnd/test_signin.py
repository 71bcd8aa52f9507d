"""Sign-in: sessions by cookie and by bearer token, what ends them, and who is told what."""
import pytest
from conftest import ACCOUNTS
from support.api import BASE, Api, any_problem, good, moment, now, problem, sign_in
from support.server import PASSWORD


def open_session(client, username="tram", password=PASSWORD):
    return client.post(BASE + "/session", json={"username": username, "password": password})


@pytest.mark.parametrize("role", ACCOUNTS)
def test_each_demo_account_has_its_role(people, role):
    session = getattr(people, role).session
    assert session["person"]["username"] == ACCOUNTS[role]
    assert [grant["role"] for grant in session["grants"]] == [role]
    assert all(grant["facilities"] for grant in session["grants"])
    assert moment(session["expiresAt"]) > now()


def test_bacsi_is_a_cardiologist(people):
    me = people.specialist.person["practitionerId"]
    practitioners = people.station.fetch("/practitioners", limit=500)["items"]
    assert next(item for item in practitioners if item["id"] == me)["specialty"] == "cardiology"


def test_session_shows_itself_without_its_token(people):
    session = people.station.fetch("/session")
    assert session["person"] == people.station.person
    assert session["grants"] == people.station.session["grants"]
    assert "token" not in session


def test_wrong_password_and_unknown_name_look_the_same(server):
    with server.plain() as client:
        wrong = problem(open_session(client, "tram", "not-the-password"), "unauthenticated")
        unknown = problem(open_session(client, "nobody-of-this-name", "not-the-password"), "unauthenticated")
        assert not client.cookies
    assert wrong == unknown


@pytest.mark.parametrize("body", [{}, {"username": "tram"}, {"username": "tram", "password": 7}, {"username": ["tram"], "password": "x"}])
def test_sign_in_refuses_other_shapes(server, body):
    with server.plain() as client:
        any_problem(client.post(BASE + "/session", json=body))


def test_cookie_carries_a_session(server):
    with server.plain() as client:
        answer = open_session(client)
        good(answer, 200, 201)
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("hoichan_session=") and "httponly" in cookie and "samesite" in cookie and "path=/" in cookie
        # `Secure` would keep the cookie from ever coming back over plain HTTP.
        assert "secure" not in cookie
        assert client.get(BASE + "/session").json()["person"]["username"] == "tram"


def test_cookie_writes_need_the_own_origin(server):
    with server.plain() as client:
        open_session(client)
        ticket = {"purpose": "events"}
        problem(client.post(BASE + "/tickets", json=ticket), "forbidden")
        problem(client.post(BASE + "/tickets", json=ticket, headers={"Origin": "https://evil.example"}), "forbidden")
        problem(client.post(BASE + "/tickets", json=ticket, headers={"Origin": "null"}), "forbidden")
        good(client.post(BASE + "/tickets", json=ticket, headers={"Origin": server.origin}), 200, 201)
        # Reads change nothing, so they need none.
        good(client.get(BASE + "/session"), 200)


def test_sign_out_ends_cookie_and_token(server):
    caller = sign_in(server, "tram", PASSWORD)
    assert caller.delete("/session").status_code == 204
    problem(caller.get("/session"), "unauthenticated")
    with server.plain() as client:
        open_session(client)
        stolen = dict(client.cookies)
        assert client.delete(BASE + "/session", headers={"Origin": server.origin}).status_code == 204
        with server.plain(cookies=stolen) as thief:
            problem(thief.get(BASE + "/session"), "unauthenticated")


def test_sign_out_leaves_other_sessions(server):
    first, second = sign_in(server, "tram", PASSWORD), sign_in(server, "tram", PASSWORD)
    first.delete("/session")
    second.fetch("/session")


@pytest.mark.parametrize("token", ["x", "a" * 4000, "é", "null", "../../etc/passwd"])
def test_made_up_tokens_are_nobody(server, token):
    caller = Api(server)
    answer = caller.call("GET", "/session", headers={b"Authorization": b"Bearer " + token.encode()})
    assert any_problem(answer)["status"] in (400, 401)


def test_everything_but_the_open_paths_needs_a_session(nobody):
    for path in ("/session", "/facilities", "/practitioners", "/specialties", "/slots", "/consults", "/trips", "/events", "/users", "/tokens", "/access-log"):
        problem(nobody.get(path), "unauthenticated")
    for path in ("/livez", "/readyz", "/openapi.json", "/asyncapi.json"):
        good(nobody.get(path), 200)


def test_guessing_is_throttled(new_server):
    server = new_server(env={"HOICHAN_LIMIT_SIGNINS": ""})
    with server.plain() as client:
        for _ in range(100):
            answer = open_session(client, "tram", "wrong-password")
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                problem(answer, "too-many")
                return
            problem(answer, "unauthenticated")
    raise AssertionError("100 wrong passwords from one address, and none was put off")
