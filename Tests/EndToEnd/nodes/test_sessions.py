"""Who is signed in is so at every node, and who no longer is, is nowhere."""
import pytest
from support.accounts import new_person
from support.api import BASE, Api, good, problem, sign_in
from support.care import consult_in
from support.nodes import on
from support.server import PASSWORD
from support.sockets import Call, Feed, refusal
from support.stream import EventStream
from support.waiting import eventually
from test_race import at_once

pytestmark = pytest.mark.postgres
# "Within a second", with room for a busy machine.
SOON = 3.0


def test_signed_in_at_a_is_signed_in_at_b(pair):
    for here, there in (pair, reversed(list(pair))):
        caller = sign_in(here, "tram", PASSWORD)
        assert on(there, caller).fetch("/session")["person"] == caller.person


class Followers:
    """One caller's sockets at both nodes."""

    def __init__(self, pair, caller):
        self.callers = [on(node, caller) for node in pair]
        self.feeds = [Feed(caller) for caller in self.callers]
        self.streams = [EventStream(caller) for caller in self.callers]
        for feed in self.feeds:
            feed.ready()

    def assert_ended(self):
        for feed in self.feeds:
            assert feed.wait_closed(SOON) == 4401
        for stream in self.streams:
            eventually(lambda: stream.ended, "the end of the event stream", SOON)
        for caller in self.callers:
            eventually(lambda: problem(caller.get("/session"), "unauthenticated"), "the end everywhere", SOON)
        for feed in self.feeds:
            feed.close()
        for stream in self.streams:
            stream.close()


@pytest.mark.parametrize("where", [0, 1])
def test_signing_out_ends_it_everywhere(pair, where):
    caller = sign_in(pair[0], "giamsat", PASSWORD)
    followers = Followers(pair, caller)
    assert followers.callers[where].delete("/session").status_code == 204
    followers.assert_ended()


def test_a_disabled_account_is_out_everywhere(pair, at_a):
    caller = new_person(at_a, "monitor", [at_a.station.facility])
    followers = Followers(pair, caller)
    pair[1].command("user", "disable", caller.user["username"])
    followers.assert_ended()
    for node in pair:
        with node.plain() as client:
            body = {"username": caller.user["username"], "password": caller.password}
            problem(client.post(BASE + "/session", json=body), "unauthenticated")


def test_a_revoked_token_is_nobody_everywhere(pair, at_a):
    token = pair[0].command("token", "create", "hai-nut", "--role", "monitor", "--facility", at_a.monitor.facility).stdout.strip()
    caller = Api(pair[0], token)
    eventually(lambda: caller.get("/events", limit=1).status_code == 200, "the new token", patience=15)
    followers = [Feed(on(node, caller)) for node in pair]
    for feed in followers:
        feed.ready()
    pair[1].command("token", "revoke", "hai-nut")
    for feed in followers:
        assert feed.wait_closed(SOON) == 4401
        feed.close()
    for node in pair:
        eventually(lambda: problem(Api(node, token).get("/events", limit=1), "unauthenticated"), "the end everywhere", SOON)


def test_lost_grants_count_at_both(pair, at_a):
    caller = new_person(at_a, "monitor", [at_a.station.facility])
    feeds = [Feed(on(node, caller)) for node in pair]
    for feed in feeds:
        feed.ready()
    good(at_a.admin.patch(f"/users/{caller.user['id']}", {"grants": []}), 200)
    for feed in feeds:
        assert feed.wait_closed(SOON) in (4401, 4403)
        feed.close()


def test_signing_out_at_a_ends_the_call_at_b(pair, at_a):
    consult = consult_in(at_a, "inProgress")
    caller = sign_in(pair[0], "tram", PASSWORD)
    with Call(on(pair[1], caller), consult) as call:
        call.join()
        caller.delete("/session")
        assert call.wait_closed(SOON) == 4401


def test_a_ticket_of_a_opens_one_socket_at_b(pair, at_a, at_b):
    ticket = at_a.monitor.ticket()
    with Feed(at_b.monitor, ticket=ticket) as feed:
        feed.ready()
        for caller in (at_a.monitor, at_b.monitor):
            assert refusal(lambda: Feed(caller, ticket=ticket))[0] == 401


def test_a_ticket_at_both_nodes_at_the_same_moment(pair, at_a, at_b):
    for _ in range(5):
        ticket = at_a.monitor.ticket()

        def redeem(caller):
            try:
                with Feed(caller, ticket=ticket) as feed:
                    feed.ready()
                return 101
            except Exception as error:
                return error.response.status_code

        answers = at_once([lambda c=caller: redeem(c) for caller in (at_a.monitor, at_b.monitor) * 3])
        assert sorted(answers) == [101] + [401] * 5


def test_guesses_at_a_count_at_b(new_nodes):
    nodes = new_nodes(2, env={"HOICHAN_LIMIT_SIGNINS": ""})

    def guess(node) -> int:
        with node.plain() as client:
            answer = client.post(BASE + "/session", json={"username": "tram", "password": "wrong-password"})
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            problem(answer, "too-many")
        else:
            problem(answer, "unauthenticated")
        return answer.status_code

    tries = next(n for n in range(1, 30) if guess(nodes[0]) == 429)
    # A fresh node would grant as many again; one that has heard grants none, or one while the news is on its way.
    assert 429 in [guess(nodes[1]) for _ in range(3)], f"A put off after {tries} guesses, and B knows nothing of them"
