"""`hoichan events tail` beside a running server: every event a line, from a cursor on, until somebody ends it."""
import json
import os
import signal
import subprocess
import threading

import pytest
from conftest import sign_in_all
from support.api import sign_in
from support.care import consult_in, move, request_consult
from support.log import assert_exactly_once_in_order, read_log
from support.server import PASSWORD
from support.waiting import PATIENCE, eventually


def head(caller) -> str:
    return caller.fetch("/events", after="oldest", limit=1)["head"]


class Tail:
    """The command with its two outputs apart; each line is taken when it comes."""

    def __init__(self, server, *arguments):
        self.lines = []
        self.process = subprocess.Popen(
            [server.binary, "events", "tail", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **server.settings, **server.env},
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def end(self, how=signal.SIGTERM):
        """Signals it; its status, and what it said on standard error, as frames."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self):
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        said = self.process.stderr.read()
        return status, [json.loads(line) for line in said.splitlines() if line.startswith("{")], said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()


def test_it_prints_the_log_and_follows_it(server, people):
    before = head(people.admin)
    consult_in(people, "signed")
    with Tail(server, "--after", before) as tail:
        consult = consult_in(people, "cancelled")
        done = lambda: any(consult in event["subject"] and event["type"] == "consult.cancelled" for event in tail.lines)
        eventually(done, "the newest event")
        log = [event for _, event in read_log(people.admin, after=before)]
        assert_exactly_once_in_order(tail.lines, log[: len(tail.lines)])
        assert len(tail.lines) >= 7


def test_types_narrow_it(server, people):
    before = head(people.admin)
    consult = consult_in(people, "signed")
    with Tail(server, "--after", before, "--type", "consult.concluded", "--type", "*.signed") as tail:
        told = lambda: [event["type"] for event in tail.lines if consult in event["subject"]]
        eventually(lambda: len(told()) == 2, "both")
        assert told() == ["consult.concluded", "consult.signed"]
        assert {event["type"] for event in tail.lines} == {"consult.concluded", "consult.signed"}


def test_without_a_cursor_it_begins_now(new_server):
    server = new_server()
    station = sign_in(server, "tram", PASSWORD)
    earlier = request_consult(station)["id"]
    with Tail(server) as tail:
        # It is there when something that is written now and then comes through.
        later = lambda: request_consult(station)["id"] and tail.lines
        eventually(later, "what is written now", every=0.5)
        assert not any(earlier in event["subject"] for event in tail.lines)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_cursor_goes_on(new_server, how):
    server = new_server()
    people = sign_in_all(server)
    request_consult(people.station)
    with Tail(server, "--after", "oldest") as tail:
        whole = [event for _, event in read_log(people.admin)]
        eventually(lambda: len(tail.lines) == len(whole), "the log")
        status, said, _ = tail.end(how)
        assert status == 0 and tail.lines == whole
        assert [frame["kind"] for frame in said] == ["bookmark"]
    consult = request_consult(people.station)["id"]
    with Tail(server, "--after", said[0]["cursor"]) as tail:
        eventually(lambda: tail.lines, "what came since")
        assert [event["subject"] for event in tail.lines] == [f"consults/{consult}"]


def test_a_closed_pipe_ends_it(server, people):
    request_consult(people.station)
    tail = subprocess.Popen(
        [server.binary, "events", "tail", "--after", "oldest"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **server.settings, **server.env},
    )  # fmt: skip
    try:
        assert json.loads(tail.stdout.readline())["specversion"] == "1.0"
        tail.stdout.close()
        # Nothing more need happen for it to notice.
        assert tail.wait(PATIENCE) == 0
        assert "Fatal" not in tail.stderr.read()
    finally:
        tail.kill()
        tail.wait()
        tail.stderr.close()


def test_a_reader_that_takes_nothing_holds_no_end_up(new_server):
    server = new_server()
    people = sign_in_all(server)
    for _ in range(150):
        move(people.station, request_consult(people.station)["id"], "cancel")
    tail = subprocess.Popen(
        [server.binary, "events", "tail", "--after", "oldest"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **server.settings, **server.env},
    )  # fmt: skip
    try:
        # More than a pipe holds: it waits for us, and is ended all the same.
        first = tail.stdout.readline()
        tail.send_signal(signal.SIGTERM)
        rest = tail.stdout.read()
        assert tail.wait(PATIENCE) == 0
        # Whole lines only.
        assert all(json.loads(line) for line in (first + rest).splitlines()) and (first + rest).endswith(b"\n")
    finally:
        tail.kill()
        tail.wait()
        tail.stdout.close()


def test_a_cursor_may_begin_with_a_dash(server):
    with Tail(server, "--after", "-" + "A" * 31) as tail:
        status, said, _ = tail.ended()
        assert status == 3 and said[0]["reason"] == "epoch-changed"


def test_a_gap_is_told_with_a_status_of_its_own(new_server, server, people):
    request_consult(people.station)
    foreign = head(people.admin)
    other = new_server()
    with Tail(other, "--after", foreign) as tail:
        status, said, _ = tail.ended()
        assert status == 3 and tail.lines == []
        bounds = sign_in(other, "quantri", PASSWORD).fetch("/events", after="oldest", limit=1)
        assert said == [{"kind": "gap", "reason": "ahead", "oldest": bounds["oldest"], "head": bounds["head"]}]


def test_what_is_no_cursor_is_refused_in_a_sentence(server):
    done = server.command("events", "tail", "--after", "yesterday", check=False)
    assert done.returncode not in (0, 3) and "cursor" in done.stderr and "Fatal" not in done.stderr
    assert server.command("events", check=False).returncode != 0


def test_it_goes_on_while_the_server_restarts(new_server):
    server = new_server()
    station = sign_in(server, "tram", PASSWORD)
    with Tail(server, "--after", head(sign_in(server, "quantri", PASSWORD))) as tail:
        first = request_consult(station)["id"]
        server.restart()
        second = request_consult(sign_in(server, "tram", PASSWORD))["id"]
        eventually(lambda: len(tail.lines) >= 2, "both")
        assert [event["subject"] for event in tail.lines] == [f"consults/{first}", f"consults/{second}"]
