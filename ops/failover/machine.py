"""Ports, child processes and their ends: nothing that is started here outlives the run."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

# PostgreSQL refuses to run as root: then Debian's own account runs the database, and what belongs to it.
OWNER = "postgres" if os.geteuid() == 0 else None
_given = set()


def free_port() -> int:
    """A loopback port below the kernel's own range, that nobody uses now and this process never gave before."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("No free loopback port between 20000 and 32000.")


def wait_until(probe, what: str, patience: float, every: float = 0.2):
    """Polls until `probe()` is true, and returns its value."""
    end = time.monotonic() + patience
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {patience:.0f} s")
        time.sleep(every)


class Child:
    """A program with its output in a file; the kernel kills it when this process dies."""

    def __init__(self, name: str, folder: pathlib.Path, arguments, env=None, owner=None):
        self.name, self.log = name, folder / f"{name}.log"
        as_owner = ["--reuid", owner, "--regid", owner, "--init-groups"] if owner else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", *as_owner, "--pdeathsig", "KILL", "--", *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C is ours alone: we end the children in their order.
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, patience: float = 15):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def postmaster_of(data: pathlib.Path) -> int | None:
    """The running postmaster of a data folder. A pid alone may be anybody's by now, so the process must stand in it."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if os.readlink(f"/proc/{pid}/cwd") == str(data) else None
    except (OSError, ValueError):
        return None


def children_of(pid: int) -> list[int]:
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name of a program stands in brackets and may hold anything; the parent comes after the last one.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
            except (OSError, ValueError, IndexError):
                pass
    return found


def signal_postgres(data: pathlib.Path, number) -> int:
    """Sends a signal to a postmaster and everything it has started; returns how many processes that were."""
    postmaster = postmaster_of(data)
    if postmaster is None:
        return 0
    family = [postmaster, *children_of(postmaster)]
    for pid in family:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return len(family)
