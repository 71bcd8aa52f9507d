"""Where a province is kept: a SQLite file or a PostgreSQL database. Tests need not know which."""
import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import uuid

from .postgres import PROGRAMS, Cluster
from .waiting import eventually


# In the order in which `described.cloud_event` takes them.
EVENTS = "SELECT seq, id, type, time, subject, facilities, data FROM event ORDER BY seq"


class SQLiteDatabase:
    """A data folder with the file in it."""

    engine = "sqlite"
    # False once a test has written into the log itself: then it is no witness of what the product writes.
    is_ours = True

    def __init__(self, folder: pathlib.Path):
        self.folder = pathlib.Path(folder)

    @property
    def file(self) -> pathlib.Path:
        return self.folder / "hoichan.sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:{self.file}"

    @property
    def environment(self) -> dict:
        """What `serve` and the commands need to find it."""
        return {"HOICHAN_DATABASE": self.url}

    @property
    def demo_options(self) -> list:
        return ["--data", self.folder]

    @property
    def demo_environment(self) -> dict:
        return {}

    def copy_into(self, other: "SQLiteDatabase") -> "SQLiteDatabase":
        """No server may hold either."""
        shutil.copytree(self.folder, other.folder)
        return other

    def rows(self, sql: str, *parameters) -> list:
        """Reads beside the server, to check what no API shows. Read-only, so it disturbs nothing."""
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(sql, parameters).fetchall()

    def events(self) -> list:
        """The rows of the log, whether or not a server runs."""
        # Without a write-ahead log nobody has it open; read as what does not change, it gets no new files beside it.
        options = "mode=ro" if self.file.with_name("hoichan.sqlite-wal").exists() else "mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(f"file:{self.file}?{options}", uri=True, timeout=30)) as connection:
            return connection.execute(EVENTS).fetchall()

    def change(self, sql: str, *parameters) -> int:
        """Writes behind the product's back; how many rows it changed."""
        with sqlite3.connect(self.file, timeout=30) as connection:
            count = connection.execute(sql, parameters).rowcount
        connection.close()
        return count

    def state(self) -> bytes:
        """Equal as long as nothing was written."""
        return self.file.read_bytes()

    def holds(self, text: str) -> bool:
        """Whether the text stands anywhere in it as it is."""
        return any(text.encode() in file.read_bytes() for file in self.folder.glob("hoichan.sqlite*"))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresDatabase:
    """A database of a cluster. It need not exist yet: `make` it, or copy another into it."""

    engine = "postgres"
    is_ours = True

    def __init__(self, cluster: Cluster, name: str):
        self.cluster, self.name = cluster, name

    @property
    def url(self) -> str:
        return self.cluster.url(self.name)

    @property
    def environment(self) -> dict:
        return {"HOICHAN_DATABASE": self.url}

    @property
    def demo_options(self) -> list:
        return []

    @property
    def demo_environment(self) -> dict:
        return self.environment

    def make(self) -> "PostgresDatabase":
        self.cluster.execute(f'CREATE DATABASE "{self.name}"')
        return self

    def await_alone(self):
        """Backends end a moment after their clients, and a database is copied only when nobody is in it."""
        eventually(lambda: not self.cluster.sessions(self.name), f"the end of the sessions in {self.name}", every=0.02)

    def copy_into(self, other: "PostgresDatabase") -> "PostgresDatabase":
        """No server may hold either. Into another cluster it goes by a dump."""
        self.await_alone()
        if other.cluster is self.cluster:
            self.cluster.execute(f'CREATE DATABASE "{other.name}" TEMPLATE "{self.name}"')
            return other
        other.make()
        subprocess.run(
            [PROGRAMS / "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null", other.url],
            input=self.cluster.dump(self.name), text=True, check=True, timeout=120,
        )  # fmt: skip
        return other

    def connect(self, **options):
        return self.cluster.connect(self.name, **options)

    def rows(self, sql: str, *parameters) -> list:
        return self.cluster.execute(sql.replace("?", "%s"), *parameters, database=self.name)

    def events(self) -> list:
        # A test may have left a lock behind that nobody gives back.
        with self.connect(options="-c statement_timeout=20s") as connection:
            return connection.execute(EVENTS).fetchall()

    def change(self, sql: str, *parameters) -> int:
        with self.connect() as connection:
            return connection.execute(sql.replace("?", "%s"), parameters or None).rowcount

    def state(self) -> str:
        # Who serves it, who leads and what they tell each other is no data of the province.
        passing = ("node", "node_message", "lease")
        return self.cluster.dump(self.name, *(f"--exclude-table-data={table}" for table in passing))

    def holds(self, text: str) -> bool:
        dump = self.cluster.dump(self.name)
        # Columns of bytes are shown in hexadecimal digits.
        return text in dump or text.encode().hex() in dump

    def remove(self):
        self.cluster.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


class SQLiteEngine:
    """Makes places for provinces."""

    name = "sqlite"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def place(self) -> SQLiteDatabase:
        """Where there is nothing yet."""
        return SQLiteDatabase(self.folder / uuid.uuid4().hex)

    def empty(self) -> SQLiteDatabase:
        """Where a server can begin: it makes the file itself."""
        return self.place()

    def copy(self, source: SQLiteDatabase) -> SQLiteDatabase:
        return source.copy_into(self.place())


class PostgresEngine:
    name = "postgres"

    def __init__(self, cluster: Cluster):
        self.cluster = cluster

    def place(self) -> PostgresDatabase:
        return PostgresDatabase(self.cluster, f"p{os.getpid()}_{uuid.uuid4().hex[:12]}")

    def empty(self) -> PostgresDatabase:
        return self.place().make()

    def copy(self, source: PostgresDatabase) -> PostgresDatabase:
        return source.copy_into(self.place())
