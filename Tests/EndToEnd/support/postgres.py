"""A PostgreSQL 15 cluster of the tests' own, on loopback: it can be stopped, broken and started again."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg

from .ports import free_port
from .processes import Child
from .waiting import eventually

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")
OWNER = "postgres"


def owner() -> str | None:
    """PostgreSQL refuses to run as root: then Debian's own account runs it."""
    return OWNER if os.geteuid() == 0 else None


class Cluster:
    """One server of databases. `folder` is for its data alone, a small file system perhaps: it must be empty, and stays."""

    def __init__(self, folder: pathlib.Path | None = None, **settings):
        self.port = free_port()
        # Short and open to the account that runs it: a socket's path has a limit, and pytest's folders are private.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hoichan-pg-"))
        self.folder = folder or self.home / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.home, self.folder):
            path.chmod(0o700)
            if owner():
                shutil.chown(path, owner(), pwd.getpwnam(owner()).pw_gid)
        self.settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.home,
            "max_connections": 300,
            # Processes are killed here, machines are not: what was written is there. A disk that others keep busy would
            # make statements late that have a time limit.
            "fsync": "off",
        } | settings
        self.child = None
        # Sorted as Vietnamese is: wherever the product means the order of bytes, it must say so itself.
        # The write-ahead log stands apart: without room for it, PostgreSQL itself gives up.
        self._run(
            "initdb", "-D", self.folder, "-A", "trust", "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8",
            "--locale-provider=icu", "--icu-locale=vi", "--waldir", self.home / "wal",
        )  # fmt: skip

    def _run(self, program: str, *arguments):
        as_owner = ["setpriv", "--reuid", owner(), "--regid", owner(), "--init-groups"] if owner() else []
        done = subprocess.run(
            [*as_owner, PROGRAMS / program, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd="/"
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    # Its life

    def start(self, wait=True) -> "Cluster":
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        if self.child:
            self.child.dispose()
        # QUIT: its own children end with it, and its shared memory is given back, if this process dies.
        self.child = Child([PROGRAMS / "postgres", "-D", self.folder, *options], cwd="/", user=owner(), at_our_death="QUIT")
        if wait:
            eventually(self.accepts, "PostgreSQL's connections", every=0.02)
        return self

    def accepts(self) -> bool:
        if not self.child.running():
            raise RuntimeError(f"PostgreSQL ended at its start:\n{self.log()[-3000:]}")
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self):
        """Fast: sessions are ended, everything is written."""
        if self.child and self.child.running():
            self.child.stop(signal.SIGINT)

    def crash(self):
        """As `pg_ctl stop -m immediate`: nothing is written, and the next start has to recover."""
        self.child.stop(signal.SIGQUIT)

    def dispose(self):
        try:
            if self.child:
                if self.child.running():
                    self.child.stop(signal.SIGQUIT)
                self.child.dispose()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        return self.child.text() if self.child else ""

    # Talking to it

    def url(self, database="postgres") -> str:
        return f"postgres://{OWNER}@127.0.0.1:{self.port}/{database}"

    def connect(self, database="postgres", **options) -> psycopg.Connection:
        """A session of the test's own; statements commit at once unless asked otherwise. The caller closes it."""
        options.setdefault("autocommit", True)
        return psycopg.connect(self.url(database), connect_timeout=10, **options)

    def execute(self, sql: str, *parameters, database="postgres") -> list:
        """One statement in a session of its own, and its rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def sessions(self, database: str) -> list:
        """The backends that serve this database."""
        return [pid for (pid,) in self.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", database)]

    def dump(self, database: str, *options) -> str:
        """All of it as SQL. What is random in a dump, and no part of the data, is left out."""
        done = subprocess.run(
            [PROGRAMS / "pg_dump", *options, self.url(database)], capture_output=True, text=True, timeout=120, check=True
        )
        return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
