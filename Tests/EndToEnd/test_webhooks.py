"""Webhooks from outside: signed, in order, nothing lost; what is refused; and what happens when a receiver fails."""
import datetime
import ipaddress
import pathlib
import re
import socket
import threading
import time

import pytest
from conftest import sign_in_all
from support.api import good, problem
from support.care import consult_in, move, request_consult
from support.clock import ahead
from support.load import Writers
from support.log import read_log
from support.receiver import Receiver, add_webhook, is_genuine, shown
from support.server import Server
from support.waiting import eventually

LOCAL = {"HOICHAN_WEBHOOK_PRIVATE": "1"}


@pytest.fixture(scope="module")
def open_server(binary, engine, seeded):
    """A server whose webhooks may go to this machine; the tests of this file share it."""
    server = Server(binary, engine.copy(seeded), env=LOCAL)
    try:
        yield server.start()
    finally:
        server.dispose()


@pytest.fixture(scope="module")
def local(open_server):
    """Everyone, signed in to it."""
    return sign_in_all(open_server)


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def webhook(local):
    """Makes webhooks that are gone after the test, so that no server goes on knocking."""
    made = []

    def make(receiver, **more):
        made.append(add_webhook(local.admin, receiver, **more))
        return made[-1]

    yield make
    for one in made:
        local.admin.delete(f"/webhooks/{one['id']}")


def log_behind(people, webhook: dict, **filters) -> list:
    """What a monitor of the same facilities sees from where the webhook began."""
    return [event for _, event in read_log(people.monitor, after=webhook["cursor"], **filters)]


def await_head(people, webhook: dict):
    eventually(lambda: shown(people.admin, webhook)["behind"] == 0, "the webhook at the head")


# What arrives

def test_events_arrive_signed_and_in_order(local, receiver, webhook):
    made = webhook(receiver)
    for state in ("signed", "cancelled", "assigned"):
        consult_in(local, state)
    log = log_behind(local, made)
    assert len(log) >= 8
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    receiver.assert_genuine(made["secret"])
    assert len(receiver.deliveries) == len(log), "nothing came twice"
    for delivery in receiver.deliveries:
        assert delivery.path == "/hook" and delivery.headers["content-type"] == "application/cloudevents+json"
        assert delivery.headers["host"] == f"127.0.0.1:{receiver.port}"
    await_head(local, made)
    now = shown(local.admin, made)
    assert now["state"] == "active" and now["lastStatus"] == 204 and now["failingSince"] is None and now["lastDeliveredAt"]


def test_one_at_a_time_under_load(local, receiver, webhook):
    receiver.work = 0.002
    made = webhook(receiver)
    writers = Writers(local, 4, days=20).start()
    writers.await_more(60)
    writers.stop()
    log = log_behind(local, made)
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    assert receiver.most_at_once == 1 and len(receiver.deliveries) == len(log)


def test_from_the_oldest_event(local, receiver, webhook):
    consult = consult_in(local, "signed")
    webhook(receiver, after="oldest", filter={"subject": [f"consults/{consult}"]})
    log = [event for _, event in read_log(local.monitor, subject=f"consults/{consult}")]
    receiver.wait_for(len(log))
    assert receiver.events == log


def test_only_what_is_asked_for_and_may_be_seen(local, receiver, webhook):
    facilities = local.admin.fetch("/facilities", limit=500)["items"]
    elsewhere = next(item["id"] for item in facilities if item["kind"] == "station" and item["id"] != local.station.facility)
    own = webhook(receiver, facilities=[local.station.facility], filter={"types": ["consult.cancelled", "trip.*"]})
    with Receiver() as other:
        webhook(other, facilities=[elsewhere])
        for _ in range(3):
            consult_in(local, "cancelled")
        log = log_behind(local, own, types="consult.cancelled")
        receiver.wait_for(3)
        assert receiver.events == log and {event["type"] for event in log} == {"consult.cancelled"}
        assert not other.deliveries


def test_the_secret_is_shown_once(local, open_server, receiver, webhook):
    made = webhook(receiver)
    assert made["secret"].startswith("whsec_")
    for path in ("/webhooks", f"/webhooks/{made['id']}"):
        assert made["secret"] not in local.admin.get(path).text
    assert made["secret"] not in open_server.log()
    assert not open_server.database.holds(made["secret"].removeprefix("whsec_"))
    entries = local.auditor.fetch("/access-log", subject=f"webhooks/{made['id']}")["items"]
    assert {entry["personId"] for entry in entries} == {local.admin.person["id"]}


# When it is not taken

def test_a_receiver_that_is_down_and_comes_back(local, receiver, webhook):
    made = webhook(receiver)
    request_consult(local.station)
    receiver.wait_for(1)
    receiver.down()
    consult_in(local, "cancelled")
    # PostgreSQL numbers an event a moment behind its answer, and the failure may be older than the last of them.
    failing = eventually(lambda: (now := shown(local.admin, made))["failingSince"] and now["behind"] >= 2 and now, "the failure")
    assert failing["state"] == "active" and failing["lastError"] in ("unreachable", "closed") and failing["nextAttemptAt"]
    assert failing["attempts"] >= 1
    receiver.up()
    log = log_behind(local, made)
    # By itself, after its wait.
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    await_head(local, made)
    assert shown(local.admin, made)["failingSince"] is None


def test_the_same_event_comes_until_it_is_taken(local, receiver, webhook):
    receiver.answer = lambda number: 500 if number < 2 else 200
    made = webhook(receiver)
    consult_in(local, "cancelled")
    receiver.wait(lambda it: len(it.deliveries) >= 1, "the first attempt")
    eventually(lambda: shown(local.admin, made)["lastStatus"] == 500, "the first failure")
    # Whoever has mended the receiver need not wait.
    assert good(local.admin.patch(f"/webhooks/{made['id']}", {"state": "active"}), 200)["attempts"] == 0
    log = log_behind(local, made)
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    first = [delivery.headers["webhook-id"] for delivery in receiver.deliveries][:3]
    assert len(set(first)) == 1, "three attempts of one event"
    receiver.assert_genuine(made["secret"])


def test_redirects_are_not_followed(local, webhook):
    with Receiver(answer=lambda _: 302, headers={"Location": "/elsewhere"}) as receiver:
        made = webhook(receiver)
        request_consult(local.station)
        failing = eventually(lambda: (now := shown(local.admin, made))["lastError"] and now, "the failure")
        assert failing["lastError"] == "status" and failing["lastStatus"] == 302
        assert {delivery.path for delivery in receiver.deliveries} == {"/hook"}


def test_gone_pauses_at_once(local, receiver, webhook):
    receiver.answer = lambda _: 410
    made = webhook(receiver)
    request_consult(local.station)
    paused = eventually(lambda: (now := shown(local.admin, made))["state"] == "paused" and now, "the pause")
    assert paused["pauseReason"] == "gone" and paused["lastStatus"] == 410
    assert len(receiver.deliveries) == 1


def test_a_slow_receiver_holds_up_nobody_else(local, receiver, webhook):
    release = threading.Event()
    with Receiver(answer=lambda _: release.wait(30) and 200) as slow:
        webhook(slow)
        made = webhook(receiver)
        for _ in range(5):
            consult_in(local, "cancelled")
        log = log_behind(local, made)
        receiver.wait_for(len(log))
        # One event, again if that took longer than its time.
        assert len({delivery.headers["webhook-id"] for delivery in slow.deliveries}) == 1
        release.set()
        slow.wait_for(len(log))


def test_paused_and_resumed_nothing_is_lost(local, receiver, webhook):
    made = webhook(receiver)
    path = f"/webhooks/{made['id']}"
    request_consult(local.station)
    receiver.wait_for(1)
    await_head(local, made)
    good(local.admin.patch(path, {"state": "paused"}), 200)
    consult_in(local, "cancelled")
    tested = local.admin.send(f"{path}/test")
    assert tested["delivered"] is True and tested["status"] == 204
    receiver.wait(lambda it: it.events[-1]["type"] == "webhook.test", "the test event")
    assert len(receiver.deliveries) == 2, "a paused webhook gets nothing but the test"
    receiver.forget_last()
    good(local.admin.patch(path, {"state": "active"}), 200)
    log = log_behind(local, made)
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    assert good(local.admin.delete(path), 204) is None
    problem(local.admin.get(path), "not-found")


def test_metrics_count_deliveries_and_pauses(local, open_server, receiver, webhook):
    def metric(name: str) -> float:
        with open_server.plain() as client:
            lines = client.get("/metrics").text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"hoichan_webhook_{name} ")))

    before = metric("deliveries_total")
    made = webhook(receiver)
    request_consult(local.station)
    receiver.wait_for(1)
    eventually(lambda: metric("deliveries_total") > before, "the count")
    good(local.admin.patch(f"/webhooks/{made['id']}", {"state": "paused"}), 200)
    eventually(lambda: metric("paused") >= 1, "the paused webhook")


# Over restarts

def test_a_day_of_failures_pauses_it(new_server, receiver):
    """Nobody waits for a day here: the server stops, and starts where the clock shows a day more."""
    server = new_server(env=LOCAL)
    people = sign_in_all(server)
    receiver.answer = lambda _: 500
    made = add_webhook(people.admin, receiver)
    consult_in(people, "cancelled")
    eventually(lambda: shown(people.admin, made)["attempts"] >= 1, "the first failure")
    server.stop()
    server.env |= ahead(datetime.timedelta(hours=25))
    server.start()
    people = sign_in_all(server)
    paused = eventually(lambda: (now := shown(people.admin, made))["state"] == "paused" and now, "the pause")
    assert paused["pauseReason"] == "failing" and paused["lastStatus"] == 500 and paused["failingSince"]
    # It stays paused over another start, and goes on behind what was not taken once somebody resumes it.
    server.stop()
    server.start()
    people = sign_in_all(server)
    assert shown(people.admin, made) == paused
    receiver.answer = lambda _: 200
    good(people.admin.patch(f"/webhooks/{made['id']}", {"state": "active"}), 200)
    log = log_behind(people, made)
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)


@pytest.mark.timeout(600)
def test_kills_lose_nothing(new_server, receiver):
    server = new_server(env=LOCAL)
    people = sign_in_all(server)
    made = add_webhook(people.admin, receiver)
    writers = Writers(people, 2).start()
    for kill in range(6):
        receiver.wait_for(10 * (kill + 1))
        server.kill()
        server.start()
    writers.await_more(10)
    writers.stop()
    log = log_behind(people, made)
    receiver.wait_for(len(log))
    receiver.assert_in_order(log)
    receiver.assert_genuine(made["secret"])
    assert len(receiver.deliveries) <= len(log) + 6, "more was repeated than was under way at a kill"
    server.stop()
    server.command("verify")


# What is refused

REFUSED = [
    ("http://ioc.example.vn/hook", "scheme"), ("http://127.0.0.1/hook", "scheme"), ("https://127.0.0.1/hook", "address"),
    ("https://localhost/hook", "address"), ("https://x.localhost/", "address"), ("https://10.0.0.8/", "address"),
    ("https://172.16.4.4/", "address"), ("https://192.168.1.1/", "address"), ("https://100.64.0.1/", "address"),
    ("https://169.254.169.254/latest/meta-data/", "address"), ("https://0.0.0.0/", "address"), ("https://[::1]/", "address"),
    ("https://[::ffff:127.0.0.1]/", "address"), ("https://[fe80::1]/", "address"), ("https://[fd00::1]/", "address"),
    ("https://224.0.0.1/", "address"), ("https://255.255.255.255/", "address"), ("https://[64:ff9b::7f00:1]/", "address"),
    ("https://2130706433/", "format"), ("https://0x7f000001/", "format"), ("https://127.1/", "format"),
    ("https://user:pass@ioc.example.vn/", "format"), ("https://ioc.example.vn/#x", "format"), ("ftp://ioc.example.vn/", "format"),
    ("https://ioc.example.vn:99999/", "format"), ("https://ioc.example.vn\\@127.0.0.1/", "format"), ("", "format"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "code"), REFUSED)
def test_addresses_that_are_refused(people, url, code):
    """On a server whose operator has allowed nothing."""
    refused = problem(people.admin.post("/webhooks", {"url": url, "facilities": [people.admin.facility]}), "invalid")
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [("/url", code)], refused


def test_a_name_that_leads_inside_is_refused_when_it_is_looked_up(people):
    """This machine's own name stands for an address of the house, where it stands for anything."""
    name = socket.gethostname().lower()
    made = people.admin.post("/webhooks", {"url": f"https://{name}/hook", "facilities": [people.admin.facility]})
    if made.status_code == 422:
        return  # A name that no URL takes.
    webhook = good(made, 201)
    try:
        tested = people.admin.send(f"/webhooks/{webhook['id']}/test")
        assert tested["delivered"] is False and tested["error"] in ("address-refused", "unresolved")
        try:
            found = {info[4][0] for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        except OSError:
            found = set()
        if found and not any(ipaddress.ip_address(address.split("%")[0]).is_global for address in found):
            assert tested["error"] == "address-refused", found
    finally:
        good(people.admin.delete(f"/webhooks/{webhook['id']}"), 204)


def test_never_to_metadata_and_never_out_in_plain_text(local):
    """Also where the own network is allowed."""
    for url in ("http://169.254.169.254/latest/", "http://8.8.8.8/", "http://[fe80::1]/", "http://0.0.0.0/"):
        body = {"url": url, "facilities": [local.admin.facility]}
        refused = problem(local.admin.post("/webhooks", body), "invalid")
        assert [error["code"] for error in refused["errors"]] == ["address"], url


@pytest.mark.parametrize("role", ["station", "specialist", "dispatcher", "crew", "monitor", "auditor"])
def test_only_the_admin_makes_them(people, role):
    caller = getattr(people, role)
    body = {"url": "https://ioc.example.vn/hook", "facilities": [people.admin.facility]}
    problem(caller.get("/webhooks"), "forbidden")
    problem(caller.post("/webhooks", body), "forbidden")


def test_the_documented_example_verifies(local, receiver, webhook):
    """The Python of docs/WEBHOOKS.md, as it stands there."""
    page = (pathlib.Path(__file__).parents[2] / "docs/WEBHOOKS.md").read_text()
    example = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S)[1], example)
    made = webhook(receiver)
    request_consult(local.station)
    receiver.wait_for(1)
    delivery = receiver.deliveries[0]
    assert example["is_genuine"](delivery.headers, delivery.body, made["secret"])
    assert not example["is_genuine"](delivery.headers, delivery.body + b" ", made["secret"])
    old = delivery.headers | {"webhook-timestamp": str(int(time.time()) - 3600)}
    assert not example["is_genuine"](old, delivery.body, made["secret"])


def test_a_stolen_event_of_another_webhook_is_not_genuine(local, receiver, webhook):
    first, second = webhook(receiver), webhook(receiver)
    consult = request_consult(local.station)["id"]
    move(local.station, consult, "cancel")
    receiver.wait(lambda it: len(it.deliveries) >= 4, "both webhooks' events")
    for delivery in receiver.deliveries:
        verdicts = [is_genuine(delivery.headers, delivery.body, made["secret"]) for made in (first, second)]
        assert sorted(verdicts) == [False, True]
