"""Kills parts of a whole deployment under load and looks whether anything that was acknowledged is missing.

Started by ops/test-failover, which installs what is needed. The last line is `N passed, N failed`.
"""
import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import psycopg
from cluster import Cluster, Node, Proxy
from feed import Reader
from load import Booker, Http, Inserter, find_slots, share_out, sign_in
from machine import wait_until

LIMIT = 30  # seconds until writing goes on by itself
TAKEOVER = 5  # seconds until another node numbers events
WORKERS = 6
SCENARIOS = ("primary", "machine", "standby", "node", "stopped")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name: str, good: bool, detail: str = ""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        say(f"{'ok    ' if good else 'FAILED'}  {name}{': ' + detail if detail else ''}")


class Run:
    def __init__(self, folder: pathlib.Path, options):
        self.folder, self.options, self.tally = folder, options, Tally()
        self.bare = options.bare
        self.cluster = Cluster(folder)
        self.nodes, self.proxy, self.readers, self.workers = [], None, [], []
        self.acknowledged, self.log_before = [], 0

    def check(self, name, good, detail=""):
        self.tally.check(f"{self.scenario}: {name}", bool(good), detail)

    # Before and after

    def start(self):
        say("Starting three machines of etcd, Patroni and PostgreSQL")
        self.cluster.start()
        if self.bare:
            with self.cluster.connect() as sql:
                sql.execute("CREATE TABLE plain (id TEXT PRIMARY KEY)")
            return
        say("Starting two nodes of hoichan behind HAProxy")
        self.nodes = [Node(name, self.options.binary, self.folder, self.cluster.uri) for name in ("a", "b")]
        first = self.nodes[0]
        first.start("demo", "--port", first.port)  # fills the empty database
        first.await_ready(180)
        first.child.stop(40)
        for node in self.nodes:
            node.start()
        self.proxy = Proxy(self.folder, [node.port for node in self.nodes])
        for node in self.nodes:
            node.await_ready()
        self.station = wait_until(lambda: quietly(sign_in, self.proxy.port, "tram"), "a sign-in through the proxy", 30)
        self.admin = sign_in(self.proxy.port, "quantri")
        page = self.admin.good("GET", "/api/v1/events?limit=1")
        with self.cluster.connect() as sql:
            self.log_before = sql.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0]
        ways = [(f"node {node.name}", node.port) for node in self.nodes] + [("the proxy", self.proxy.port)]
        self.readers = [Reader(name, port, self.admin.token, page["head"]) for name, port in ways]
        for reader in self.readers:
            reader.start()

    def dispose(self):
        for thread in [*self.workers, *self.readers]:
            thread.done.set()
        for node in self.nodes:
            if node.child:
                node.child.kill()
        self.struck = time.monotonic()
        if self.proxy:
            self.proxy.child.kill()
        self.cluster.dispose()

    # The load

    def start_load(self):
        if self.bare:
            self.workers = [Inserter(self.cluster) for _ in range(WORKERS)]
        else:
            slots = find_slots(self.station)
            if len(slots) < 1000:
                raise RuntimeError(f"The demo has only {len(slots)} free slots left")
            self.workers = [Booker(self.proxy.port, self.station.token, share) for share in share_out(slots[:6000], WORKERS)]
        for worker in self.workers:
            worker.start()
        wait_until(lambda: all(len(worker.acknowledged) >= 5 for worker in self.workers) or self.load_is_wrong(), "the load's beginning", 60)
        time.sleep(3)

    def load_is_wrong(self) -> bool:
        return any(worker.wrong for worker in self.workers)

    def stop_load(self) -> list:
        for worker in self.workers:
            worker.done.set()
        for worker in self.workers:
            worker.join(worker.patience + 30)
        wrong = [text for worker in self.workers for text in worker.wrong]
        self.check("every client was answered as it must be in the end", not wrong, "; ".join(wrong[:3]))
        fresh = [one for worker in self.workers for one in worker.acknowledged]
        self.acknowledged += fresh
        return fresh

    def first_after(self, moment: float) -> float | None:
        """When the first write was acknowledged that was sent after `moment`."""
        return min((one.at for worker in self.workers for one in list(worker.acknowledged) if one.sent >= moment), default=None)

    # One scenario: load, blow, recovery by itself, healing, checks

    def play(self, scenario: str):
        self.scenario = scenario
        say(f"\n{scenario}: {TITLES[scenario]}")
        self.cluster.await_whole(180)
        leader = self.cluster.named("leader")
        self.start_load()
        heal = getattr(self, f"blow_{scenario}")(leader)
        blow = self.struck
        try:
            wait_until(lambda: self.first_after(blow) or self.load_is_wrong(), "a write", LIMIT * 2, every=0.05)
        except TimeoutError:
            pass
        resumed = self.first_after(blow)
        took = f"{resumed - blow:.1f} s" if resumed else "never"
        self.check(f"writing resumes within {LIMIT} s by itself", resumed and resumed - blow <= LIMIT, took)
        time.sleep(5)
        heal()
        time.sleep(3)
        fresh = self.stop_load()
        silence = longest_silence([one.at for one in fresh])
        say(f"        {len(fresh)} acknowledged, {sum(worker.repeats for worker in self.workers)} repeats, longest silence {silence:.1f} s")
        try:
            self.cluster.await_whole(120)
            self.check("the cluster is whole again by itself", True)
        except TimeoutError as error:
            self.check("the cluster is whole again by itself", False, str(error))
        self.look()

    def blow_primary(self, leader):
        count = self.cluster.kill_postgres(leader)
        self.struck = time.monotonic()
        say(f"        kill -9 of {count} processes of PostgreSQL on {leader}")
        return lambda: self.check("another machine took over", self.cluster.named("leader") not in (None, leader))

    def blow_machine(self, leader):
        self.cluster.kill_machine(leader)
        self.struck = time.monotonic()
        say(f"        kill -9 of etcd, Patroni and PostgreSQL on {leader}")

        def heal():
            self.check("another machine took over", self.cluster.named("leader") not in (None, leader))
            self.cluster.return_machine(leader)

        return heal

    def blow_standby(self, leader):
        standby = self.cluster.named("sync_standby")
        self.cluster.freeze(standby)
        frozen = self.struck = time.monotonic()
        say(f"        SIGSTOP to Patroni and PostgreSQL of {standby}, the synchronous standby of {leader}")
        # As long as the primary waits for this standby alone, nothing can be on two disks: whoever is told that a write is
        # kept was told too much. A commit that was on its way gets half a second.
        last = frozen
        with self.cluster.owner(leader) as sql:
            while time.monotonic() - frozen < LIMIT:
                asked = time.monotonic()
                found = sql.execute("SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'").fetchall()
                named = sql.execute("SHOW synchronous_standby_names").fetchone()[0]
                if named != standby or any(name != standby for (name,) in found):
                    break
                last = asked
                time.sleep(0.05)
        early = [one for worker in self.workers for one in list(worker.acknowledged) if one.sent > frozen and one.at < last]
        self.check("nothing is acknowledged that only one machine has", not early, f"{len(early)} in {last - frozen:.1f} s" if early else "")
        return lambda: self.cluster.freeze(standby, signal.SIGCONT)

    def blow_node(self, leader):
        # The one that numbers events, since its death is the greater loss.
        with self.cluster.connect() as sql:
            found = sql.execute("SELECT n.address FROM lease l JOIN node n ON n.id = l.holder WHERE l.name = 'sequencer'").fetchone()
        node = next(node for node in self.nodes if found and found[0].endswith(f":{node.port}"))
        follower = next(reader for reader, other in zip(self.readers, self.nodes) if other is not node)
        node.child.kill()
        self.struck = time.monotonic()
        say(f"        kill -9 of hoichan {node.name}, which numbers events")

        def heal():
            arrivals = [at for at in list(follower.arrivals) if at > self.struck - 1]
            silence = longest_silence([*arrivals, time.monotonic()])
            self.check(f"the other node's feed goes on within {TAKEOVER} s", silence <= TAKEOVER, f"{silence:.1f} s of silence")
            # What systemd does by itself.
            node.start()
            self.ready_again(node)

        return heal

    def blow_stopped(self, leader):
        node = self.nodes[1]
        node.child.signal(signal.SIGTERM)
        self.struck = time.monotonic()
        say(f"        SIGTERM to hoichan {node.name}, as an upgrade sends it")

        def heal():
            self.check("it ended by itself, with status 0", wait_quietly(lambda: not node.child.running(), 30) and node.child.process.returncode == 0)
            node.child.stop()
            node.start()
            self.ready_again(node)

        return heal

    def ready_again(self, node):
        try:
            node.await_ready(30)
            self.check("the node is ready again", True)
        except (TimeoutError, RuntimeError) as error:
            self.check("the node is ready again", False, str(error))

    # What must be true whenever it is quiet

    def look(self):
        wait_until(lambda: quietly(self.whole_primary), "a primary that answers", 60)
        if self.bare:
            with self.cluster.connect() as sql:
                there = {row[0] for row in sql.execute("SELECT id FROM plain")}
            lost = [one.id for one in self.acknowledged if one.id not in there]
            self.check(f"all {len(self.acknowledged)} acknowledged inserts are there", not lost, f"lost {lost[:3]}" if lost else "")
            return
        self.look_at_bookings()
        self.look_at_rows()
        self.look_at_feeds()
        self.verify()

    def whole_primary(self):
        with self.cluster.connect() as sql:
            return sql.execute("SELECT 1").fetchone()

    def look_at_bookings(self):
        caller = Http(self.proxy.port, self.station.token, timeout=30)
        wrong = []
        for one in self.acknowledged:
            status, consult, _ = wait_until(lambda: patient(caller, f"/api/v1/consults/{one.id}"), "an answer", 60)
            appointment = consult.get("appointment") or {}
            if status != 200 or consult.get("state") != "scheduled" or appointment.get("practitionerId") != one.detail["practitionerId"] \
                    or appointment.get("start") != one.detail["start"]:  # fmt: skip
                wrong.append(f"{one.id}: {status} {consult.get('state')} {appointment}")
        self.check(f"all {len(self.acknowledged)} acknowledged bookings are answered by GET", not wrong, "; ".join(wrong[:3]))

    def look_at_rows(self):
        with self.cluster.connect() as sql:
            booked = {row[0] for row in sql.execute("SELECT consult FROM appointment WHERE state = 'booked'")}
            lost = [one.id for one in self.acknowledged if one.id not in booked]
            self.check("each of them has its row", not lost, f"lost {lost[:3]}" if lost else "")
            for name, statement in DOUBTS.items():
                rows = sql.execute(statement).fetchall()
                self.check(name, not rows, f"{len(rows)} rows, the first {rows[0]}" if rows else "")
            subjects = dict(sql.execute("SELECT subject, count(*) FROM event WHERE type = 'consult.scheduled' GROUP BY subject"))
            wrong = [one.id for one in self.acknowledged if subjects.get(f"consults/{one.id}") != 1]
            self.check("each of them has one event consult.scheduled", not wrong, f"{len(wrong)} have not, the first {wrong[0]}" if wrong else "")

    def look_at_feeds(self):
        with self.cluster.connect() as sql:
            log = [tuple(row) for row in sql.execute("SELECT seq, id FROM event WHERE seq > %s ORDER BY seq", (self.log_before,))]
        for reader in self.readers:
            wait_quietly(lambda: len(reader.events) >= len(log) or reader.wrong, 60)
            seen = [(int(event["sequence"]), event["id"]) for event in list(reader.events)][: len(log)]
            detail = f"{len(seen)} events over {reader.connections} connections"
            if reader.wrong:
                detail += f"; {reader.wrong[0]}"
            elif seen != log:
                place = next((n for n, (mine, theirs) in enumerate(zip(seen, log)) if mine != theirs), min(len(seen), len(log)))
                detail += f" of {len(log)}; the first difference is at {place}: {seen[place : place + 1]} for {log[place : place + 1]}"
            self.check(f"the reader at {reader.name} has every event once, in order", not reader.wrong and seen == log, detail)

    def verify(self):
        done = subprocess.run(
            [self.options.binary, "verify"], capture_output=True, text=True, timeout=300, env={"PATH": "/usr/bin:/bin"} | self.nodes[0].env
        )
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        self.check("hoichan verify finds nothing", done.returncode == 0, " ".join(last) if done.returncode else "")


TITLES = {
    "primary": "the primary's PostgreSQL is killed",
    "machine": "the primary's whole machine is gone, and comes back later",
    "standby": "the synchronous standby hangs, then goes on",
    "node": "the node of hoichan that numbers events is killed, and started again",
    "stopped": "a node of hoichan is stopped for an upgrade, and started again",
}
# Statements that must find nothing. A cell is five minutes of one specialist.
DOUBTS = {
    "no consult has two booked appointments": "SELECT consult FROM appointment WHERE state = 'booked' GROUP BY consult HAVING count(*) > 1",
    "no two booked appointments of a specialist overlap": """
        SELECT a.id, b.id FROM appointment a JOIN appointment b ON a.practitioner = b.practitioner AND a.id < b.id
          AND a.start_at < b.end_at AND b.start_at < a.end_at WHERE a.state = 'booked' AND b.state = 'booked'""",
    "every booked appointment holds its cells": """
        SELECT a.id FROM appointment a WHERE a.state = 'booked' AND (a.end_at - a.start_at) / 300000 <>
          (SELECT count(*) FROM claim c WHERE c.holder_id = a.consult AND c.resource_id = a.practitioner
             AND c.cell >= a.start_at / 300000 AND c.cell < a.end_at / 300000)""",
    "every cell is held by a booked appointment": """
        SELECT c.resource_id, c.cell FROM claim c
        WHERE NOT EXISTS (SELECT 1 FROM appointment a WHERE a.consult = c.holder_id AND a.state = 'booked')""",
    "the log has no hole": "SELECT max(seq), count(*) FROM event HAVING max(seq) <> count(*)",
    "no event is there twice": "SELECT id FROM event GROUP BY id HAVING count(*) > 1",
}


def quietly(probe, *arguments):
    try:
        return probe(*arguments)
    except (OSError, RuntimeError, psycopg.Error):
        return None


def wait_quietly(probe, patience: float) -> bool:
    try:
        return bool(wait_until(probe, "", patience))
    except TimeoutError:
        return False


def patient(caller: Http, path: str):
    """An answer, or nothing while the server says that it is not ready."""
    try:
        answer = caller.call("GET", path)
    except OSError:
        return None
    return None if answer[0] in Booker.AGAIN else answer


def longest_silence(moments: list[float]) -> float:
    moments = sorted(moments)
    return max((b - a for a, b in zip(moments, moments[1:])), default=0.0)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--binary")
    options.add_argument("--folder", type=pathlib.Path, required=True)
    options.add_argument("--bare", action="store_true")
    options.add_argument("scenarios", nargs="*")
    options = options.parse_args()
    known = [name for name in SCENARIOS if not options.bare or name in ("primary", "machine", "standby")]
    if unknown := [name for name in options.scenarios if name not in known]:
        say(f"There is no scenario {unknown[0]} here; there are {', '.join(known)}.")
        return 2
    # A stop by any signal goes through the finally below.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    run = Run(options.folder, options)
    try:
        run.scenario = "start"
        run.start()
        for scenario in options.scenarios or known:
            run.play(scenario)
    except (TimeoutError, RuntimeError, OSError, psycopg.Error) as error:
        run.check("went through to its end", False, f"{type(error).__name__}: {error}")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        run.dispose()
    print(f"{run.tally.passed} passed, {run.tally.failed} failed")
    return 0 if run.tally.passed and not run.tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
