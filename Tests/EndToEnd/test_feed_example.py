"""docs/examples/feed.py as it stands, run against servers that stop, die and are restored: what it prints equals the log."""
import importlib.util
import json
import pathlib
import random
import signal
import sys
import time
import types

import pytest
from conftest import REPOSITORY, sign_in_all
from support.api import Api
from support.care import request_consult
from support.load import Writers
from support.log import assert_exactly_once_in_order, read_log
from support.processes import Child
from support.waiting import eventually

PROGRAM = REPOSITORY / "docs/examples/feed.py"


class Example:
    """The program, started again and again with the same file for its cursor. `caller` is its token."""

    def __init__(self, server, folder: pathlib.Path, name="vi-du"):
        root = sign_in_all(server).monitor.facility
        token = server.command("token", "create", name, "--role", "monitor", "--facility", root).stdout.strip()
        self.caller, self.file = Api(server, token), folder / "cursor"
        eventually(lambda: self.caller.get("/events", limit=1).status_code == 200, "the new token", patience=15)
        self.arguments = [sys.executable, PROGRAM, server.origin, "--cursor", self.file]
        # The machine's own proxy is none of the example's business here.
        self.env = {"HOICHAN_TOKEN": token, "NO_PROXY": "127.0.0.1"}
        self.children, self.read, self.lines = [], [], []

    def start(self) -> "Example":
        self.children.append(Child(self.arguments, env=self.env))
        self.read.append(0)
        return self

    def stop(self, how=signal.SIGTERM) -> int:
        return self.children[-1].stop(how)

    @property
    def said(self) -> str:
        """All that the last run wrote, its notes about the connection among it."""
        return self.children[-1].text()

    def look(self) -> list:
        """Reads on in what the runs wrote; the lines of JSON so far. One that is being written is none yet."""
        for number, child in enumerate(self.children):
            with open(child.output.name, "rb") as file:
                file.seek(self.read[number])
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self.read[number] += len(whole)
            self.lines += [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return self.lines

    def log(self) -> list:
        return [event for _, event in read_log(self.caller)]

    def await_more(self, more=10):
        assert self.children[-1].running(), self.said[-2000:]
        wanted = len(self.look()) + more
        eventually(lambda: len(self.look()) >= wanted, f"{more} more lines of the example", patience=120)

    def up_to(self, last: dict) -> list:
        """Waits until this event was printed; everything up to it."""
        found = lambda: next((count for count, line in enumerate(self.look(), 1) if line.get("id") == last["id"]), None)
        return self.lines[: eventually(found, f"event {last['sequence']} from the example", patience=120)]

    def dispose(self):
        for child in self.children:
            child.dispose()


@pytest.fixture
def new_example(tmp_path):
    made = []

    def make(server, **options):
        made.append(Example(server, tmp_path, **options))
        return made[-1]

    yield make
    for example in made:
        example.dispose()


@pytest.mark.timeout(900)
def test_each_event_once_over_stops_and_kills(new_server, new_example):
    server = new_server()
    example = new_example(server).start()
    writers = Writers(sign_in_all(server), 2).start()
    for turn in range(8):
        # It follows when the server goes, and is in the middle of it.
        example.await_more()
        time.sleep(random.uniform(0, 0.5))  # the random moment
        server.kill() if turn % 2 else server.stop()
        if turn % 3 == 2:
            # Asked to stop, it ends between two events, also while there is no server.
            assert example.stop() == 0
            example.start()
        server.start()
    example.await_more()
    writers.stop()
    log = example.log()
    assert_exactly_once_in_order(example.up_to(log[-1]), log)
    assert example.stop() == 0
    assert "Traceback" not in "".join(child.text() for child in example.children)


@pytest.mark.timeout(600)
def test_its_own_death_repeats_one_event_at_most(new_server, new_example):
    server = new_server()
    example = new_example(server).start()
    writers = Writers(sign_in_all(server), 2).start()
    deaths = 6
    for _ in range(deaths):
        example.await_more()
        example.stop(signal.SIGKILL)
        example.start()
    example.await_more()
    writers.stop()
    log = example.log()
    seen = example.up_to(log[-1])
    # A crash between the work and the keeping of the cursor: the same id comes once more, and nothing else does.
    once = list({event["id"]: event for event in seen}.values())
    assert_exactly_once_in_order(once, log)
    assert len(seen) - len(once) <= deaths


@pytest.mark.timeout(600)
def test_a_restored_server_is_followed_from_its_oldest_event(new_server, new_example, tmp_path):
    server = new_server()
    example = new_example(server).start()
    writers = Writers(sign_in_all(server), 2).start()
    example.await_more(30)
    server.command("backup", tmp_path / "backup")
    # What the backup does not have is printed too, and has never happened afterwards.
    writers.await_more()
    example.up_to(example.log()[-1])
    server.stop()
    server.command("restore", tmp_path / "backup")
    server.start()
    writers.await_more()
    writers.stop()
    log = example.log()
    lines = example.up_to(log[-1])
    gaps = [line for line in lines if "gap" in line]
    assert gaps == [{"gap": "epoch-changed"}]
    before, after = lines[: lines.index(gaps[0])], lines[lines.index(gaps[0]) + 1 :]
    assert_exactly_once_in_order(after, log)
    # Before it, the log of that time: the same as far as the backup reached, and each event once.
    sequences = [event["sequence"] for event in before]
    assert sequences == sorted(set(sequences))
    common = [event for event, restored in zip(before, log) if event == restored]
    assert len(common) >= 30 and before[: len(common)] == common and len(before) > len(common)


def test_a_revoked_token_ends_it(server, people, new_example):
    example = new_example(server, name="vi-du-bi-thu-hoi")
    example.file.write_text(people.monitor.fetch("/events", after="oldest", limit=1)["head"] + "\n")
    example.start()
    consult = request_consult(people.station)["id"]
    eventually(lambda: f"consults/{consult}" in [event["subject"] for event in example.look()], "the event")
    server.command("token", "revoke", "vi-du-bi-thu-hoi")
    eventually(lambda: not example.children[-1].running(), "the end of the example")
    assert example.stop() == 1 and "4401" in example.said
    # And so it does before it is let in.
    example.start()
    eventually(lambda: not example.children[-1].running(), "the end of the example")
    assert example.stop() == 1 and "401" in example.said and "Traceback" not in example.said


# What it decides, without a server

@pytest.fixture
def follower(tmp_path):
    spec = importlib.util.spec_from_file_location("feed_example", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.Follower("https://hoichan.example.vn/", "secret", tmp_path / "cursor", "trip.*")


def test_where_it_begins(follower, tmp_path):
    assert follower.address == "wss://hoichan.example.vn/api/v1/events" and follower.cursor == "oldest"
    follower.keep("c1")
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"] and (tmp_path / "cursor").read_text() == "c1"
    assert type(follower)("http://x", "t", tmp_path / "cursor").cursor == "c1"


def test_what_it_does_with_each_frame(follower, capsys):
    follower.attempt = 3
    follower.take({"kind": "ready", "cursor": "c0", "oldest": "o", "head": "h"})
    assert follower.cursor == "c0" and follower.attempt == 3
    follower.take({"kind": "event", "cursor": "c1", "event": {"id": "1", "subject": "trips/ệ"}})
    assert follower.cursor == "c1" and follower.attempt == 0
    follower.take({"kind": "volatile", "event": {"id": "2"}})
    follower.take({"kind": "something-newer"})
    assert follower.cursor == "c1"
    follower.take({"kind": "bookmark", "cursor": "c5"})
    assert follower.cursor == "c5"
    follower.take({"kind": "gap", "reason": "too-old", "oldest": "o9", "head": "h9"})
    assert follower.cursor == "o9"
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"id": "1", "subject": "trips/ệ"}, {"gap": "too-old"}]


@pytest.mark.parametrize(
    ("code", "attempt", "least", "most"),
    [
        (1001, 0, 0, 1), (4410, 2, 0, 1), (1001, 3, 4, 8), (1006, 0, 0.5, 1), (1011, 2, 2, 4), (4408, 1, 1, 2), (1006, 500, 15, 30), (4429, 0, 30, 60),
    ],
)  # fmt: skip
def test_how_long_it_waits(follower, code, attempt, least, most):
    follower.attempt = attempt
    waits = [follower.wait_after_close(code) for _ in range(100)]
    assert least <= min(waits) and max(waits) <= most
    assert len(set(waits)) > 90, "without chance, everybody comes back in the same moment"


@pytest.mark.parametrize("code", [4401, 4403])
def test_what_only_a_person_can_mend_ends_it(follower, code):
    with pytest.raises(SystemExit):
        follower.wait_after_close(code)


def test_refusals(follower):
    answer = lambda status, **headers: types.SimpleNamespace(status_code=status, headers=headers, body=b'{"code":"invalid"}')
    for status in (400, 401, 403, 422):
        with pytest.raises(SystemExit, match="invalid"):
            follower.wait_after_refusal(answer(status))
    assert follower.wait_after_refusal(answer(503, **{"Retry-After": "7"})) == 7
    assert follower.wait_after_refusal(answer(502)) <= 1
