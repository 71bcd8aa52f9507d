"""The deployment of ops/deploy on loopback: its own files, with other addresses, ports, sizes and passwords."""
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import time
import urllib.parse

import psycopg
from machine import OWNER, Child, free_port, postmaster_of, signal_postgres, wait_until

DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
NAMES = ("hc1", "hc2", "hc3")
MACHINES = ("10.20.0.11", "10.20.0.12", "10.20.0.13")
# What a laptop has no room or rights for. Everything else of patroni.yml is proven as it is.
SMALLER = {
    "shared_buffers: 4GB": "shared_buffers: 128MB", "effective_cache_size: 12GB": "effective_cache_size: 512MB",
    "maintenance_work_mem: 512MB": "maintenance_work_mem: 64MB", "max_wal_size: 8GB": "max_wal_size: 1GB",
    "max_slot_wal_keep_size: 20GB": "max_slot_wal_keep_size: 2GB", "wal_keep_size: 1GB": "wal_keep_size: 256MB",
    "mode: automatic": 'mode: "off"', "local all postgres peer": "local all postgres trust",
    "10.20.0.0/24": "127.0.0.1/32",
}  # fmt: skip


def replaced(text: str, pairs: dict) -> str:
    """Every key must be there: a file that was changed must not quietly lose its replacement."""
    for old, new in pairs.items():
        if old not in text:
            raise RuntimeError(f"'{old}' is no longer in the deployed file; mend ops/failover/cluster.py")
        text = text.replace(old, new)
    return text


class Cluster:
    """Three machines of etcd, Patroni and PostgreSQL."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.ports = {name: {kind: free_port() for kind in ("client", "peer", "rest", "sql")} for name in NAMES}
        self.password = secrets.token_urlsafe(18)
        self.others = {kind: secrets.token_urlsafe(18) for kind in ("rest", "superuser", "replication", "rewind")}
        self.etcd, self.patroni = {}, {}
        for name in NAMES:
            home = self.home(name)
            home.mkdir()
            home.chmod(0o700)
            if OWNER:
                shutil.chown(home, OWNER, OWNER)

    def home(self, name: str) -> pathlib.Path:
        return self.folder / name

    def data(self, name: str) -> pathlib.Path:
        return self.home(name) / "data"

    # Their life

    def start(self):
        for name in NAMES:
            self.start_etcd(name)
        for name in NAMES:
            self.start_patroni(name)
        self.await_whole(120)

    def start_etcd(self, name: str):
        ports = self.ports[name]
        address = lambda kind, of=name: f"http://127.0.0.1:{self.ports[of][kind]}"
        env = dict(line.split("=", 1) for line in (DEPLOY / "etcd/etcd").read_text().splitlines() if line.startswith("ETCD_"))
        env |= {
            "ETCD_NAME": name, "ETCD_DATA_DIR": str(self.home(name) / "etcd"),
            "ETCD_LISTEN_PEER_URLS": address("peer"), "ETCD_LISTEN_CLIENT_URLS": address("client"),
            "ETCD_INITIAL_ADVERTISE_PEER_URLS": address("peer"), "ETCD_ADVERTISE_CLIENT_URLS": address("client"),
            "ETCD_INITIAL_CLUSTER": ",".join(f"{other}={address('peer', other)}" for other in NAMES),
        }  # fmt: skip
        self.etcd[name] = Child(f"etcd-{name}", self.folder, ["/usr/bin/etcd"], env, OWNER)

    def start_patroni(self, name: str):
        ports, home = self.ports[name], self.home(name)
        file = home / "patroni.yml"
        file.write_text(
            replaced(
                (DEPLOY / "patroni/patroni.yml").read_text(),
                SMALLER
                | {f"{machine}:2379": f"127.0.0.1:{self.ports[other]['client']}" for machine, other in zip(MACHINES, NAMES)}
                | {
                    "/var/lib/postgresql/15/hoichan": str(self.data(name)),
                    "/var/lib/postgresql/.pgpass.patroni": str(home / "pgpass"),
                    "/var/run/postgresql": str(home),
                    "/etc/patroni/create-hoichan": str(self.folder / "create-hoichan"),
                },
            )
        )
        file.chmod(0o644)
        # psql inside it reads this machine's own files otherwise.
        shutil.copy(DEPLOY / "patroni/create-hoichan", self.folder / "create-hoichan")
        env = {
            "PATRONI_NAME": name,
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{ports['sql']}", "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{ports['sql']}",
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{ports['rest']}", "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{ports['rest']}",
            "PATRONI_RESTAPI_USERNAME": "patroni", "PATRONI_RESTAPI_PASSWORD": self.others["rest"],
            "PATRONI_SUPERUSER_USERNAME": "postgres", "PATRONI_SUPERUSER_PASSWORD": self.others["superuser"],
            "PATRONI_REPLICATION_USERNAME": "replicator", "PATRONI_REPLICATION_PASSWORD": self.others["replication"],
            "PATRONI_REWIND_USERNAME": "rewind", "PATRONI_REWIND_PASSWORD": self.others["rewind"],
            "HOICHAN_DATABASE_PASSWORD": self.password, "HOME": str(home),
        }  # fmt: skip
        self.patroni[name] = Child(f"patroni-{name}", self.folder, ["/usr/bin/patroni", file], env, OWNER)

    def dispose(self):
        """Ends everything at once: nothing of it is kept. Patroni first, since it would start PostgreSQL again."""
        for child in self.patroni.values():
            child.kill()
        for name in NAMES:
            signal_postgres(self.data(name), signal.SIGKILL)
        for child in self.etcd.values():
            child.kill()

    # What it is

    def members(self) -> dict:
        """Patroni's own view, of whichever answers: name → role, state."""
        for name in NAMES:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.ports[name]["rest"], timeout=3)
                connection.request("GET", "/cluster")
                found = json.loads(connection.getresponse().read())["members"]
                return {member["name"]: member for member in found}
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                continue
        return {}

    def named(self, role: str) -> str | None:
        return next((name for name, member in self.members().items() if member["role"] == role), None)

    def whole(self) -> bool:
        """One primary, two standbys that follow it, one of them synchronous for Patroni and for PostgreSQL."""
        members = self.members()
        roles = sorted(member["role"] for member in members.values())
        if roles != ["leader", "replica", "sync_standby"] or any(m["state"] not in ("running", "streaming") for m in members.values()):
            return False
        try:
            with self.owner(next(name for name in members if members[name]["role"] == "leader")) as sql:
                found = sql.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1").fetchall()
        except psycopg.Error:
            return False
        return [row[0] for row in found] == ["async", "sync"]

    def await_whole(self, patience: float = 90):
        try:
            wait_until(self.whole, "a primary with a synchronous and another standby", patience, every=0.5)
        except TimeoutError as error:
            logs = "\n".join(f"--- {child.name}\n{child.tail()}" for child in self.patroni.values())
            raise TimeoutError(f"{error}: {self.members()}\n{logs}") from None

    # Ways into it

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{self.ports[name]['sql']}" for name in NAMES)
        return f"postgres://hoichan:{urllib.parse.quote(self.password)}@{hosts}/hoichan"

    def connect(self, timeout: int = 3, **options):
        """As hoichan connects: to whichever machine takes writes."""
        return psycopg.connect(
            self.uri, target_session_attrs="read-write", connect_timeout=timeout, autocommit=True, options="-c statement_timeout=5000", **options
        )

    def owner(self, name: str):
        """As Patroni connects to the one machine `name`: hoichan's own account may not see the standbys."""
        return psycopg.connect(
            host="127.0.0.1", port=self.ports[name]["sql"], user="postgres", password=self.others["superuser"], dbname="postgres",
            connect_timeout=2, autocommit=True,
        )  # fmt: skip

    # What can happen to it

    def kill_postgres(self, name: str) -> int:
        """kill -9 of the postmaster and all its children; Patroni lives on beside it."""
        return signal_postgres(self.data(name), signal.SIGKILL)

    def kill_machine(self, name: str):
        """The power goes: Patroni, PostgreSQL and etcd of one machine, in one moment."""
        self.patroni[name].kill()
        self.kill_postgres(name)
        self.etcd[name].kill()

    def return_machine(self, name: str):
        self.start_etcd(name)
        self.start_patroni(name)

    def freeze(self, name: str, number=signal.SIGSTOP):
        """Hangs, or goes on (SIGCONT): open connections stay open, and nobody answers."""
        self.patroni[name].signal(number)
        signal_postgres(self.data(name), number)

    def postgres_runs(self, name: str) -> bool:
        return postmaster_of(self.data(name)) is not None


class Proxy:
    """HAProxy with the deployed file."""

    def __init__(self, folder: pathlib.Path, nodes: list[int]):
        self.port = free_port()
        ports = [*nodes, free_port(), free_port()][:3]
        env = {f"HOICHAN_NODE_{number + 1}": f"127.0.0.1:{port}" for number, port in enumerate(ports)}
        env |= {
            "HOICHAN_BIND": f"127.0.0.1:{self.port}", "HOICHAN_PROXY_METRICS": f"127.0.0.1:{free_port()}",
            "HOICHAN_PROXY_SOCKET": str(folder / "haproxy.sock"),
        }  # fmt: skip
        # -n: sixty thousand connections want more open files than a laptop may have.
        self.child = Child("haproxy", folder, ["/usr/sbin/haproxy", "-db", "-n", 2000, "-f", DEPLOY / "haproxy/haproxy.cfg"], env)


class Node:
    """One `hoichan` on the cluster's database."""

    # The load comes from one address, at a pace no person has.
    ROOMY = {"HOICHAN_LIMIT_REQUESTS": "1000000", "HOICHAN_LIMIT_SIGNINS": "1000000", "HOICHAN_LIMIT_SOCKETS": "100000"}

    def __init__(self, name: str, binary: str, folder: pathlib.Path, database: str):
        self.name, self.binary, self.folder = name, binary, folder
        self.port = free_port()
        self.env = self.ROOMY | {
            "HOICHAN_DATABASE": database, "HOICHAN_LISTEN": f"127.0.0.1:{self.port}", "HOICHAN_TRUSTED_PROXIES": "127.0.0.1",
        }  # fmt: skip
        self.child = None

    def start(self, *arguments):
        self.child = Child(f"hoichan-{self.name}", self.folder, [self.binary, *(arguments or ["serve"])], self.env)

    def ready(self) -> bool:
        if not self.child.running():
            raise RuntimeError(f"hoichan {self.name} ended:\n{self.child.tail()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def await_ready(self, patience: float = 60):
        wait_until(self.ready, f"/readyz of hoichan {self.name}", patience)
