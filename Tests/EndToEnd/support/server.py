"""The real binary: started, awaited, stopped, killed, and its command line beside it."""
import os
import signal
import subprocess

import httpx

from . import described
from .ports import free_port
from .processes import Child
from .waiting import eventually

PASSWORD = "hoichan-demo"
# Tests come from one address at a pace no person has; the per-address limits have tests of their own.
ROOMY = {"HOICHAN_LIMIT_REQUESTS": "1000000", "HOICHAN_LIMIT_SIGNINS": "1000000", "HOICHAN_LIMIT_SOCKETS": "100000"}


class Server:
    """One server of a province. `mode` is `demo` or `serve`; the same database can be started again."""

    def __init__(self, binary, database, mode="demo", options=(), env=None, tls=None, port=None):
        self.binary, self.database, self.mode, self.options = str(binary), database, mode, list(options)
        self.port = port or free_port()
        self.tls = tls
        self.env = {**ROOMY, **(env or {})}
        if tls:
            self.env |= {"HOICHAN_TLS_CERT": str(tls.certificate), "HOICHAN_TLS_KEY": str(tls.key)}
        self.child = None
        self.sessions = {}

    # Where it is

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def socket_origin(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict:
        """What the command line and `serve` need to find this database."""
        return {
            **self.database.environment,
            "HOICHAN_LISTEN": f"127.0.0.1:{self.port}",
            "HOICHAN_PUBLIC_URL": self.origin,
        }

    # Its life

    def start(self, wait=True, prefix=()):
        """Starts it; with `wait`, returns when /readyz says so. `prefix` wraps the command (faketime)."""
        if self.mode == "demo":
            arguments = ["demo", "--port", self.port, *self.database.demo_options, *self.options]
            env = {**self.database.demo_environment, **self.env}
        else:
            arguments = ["serve", *self.options]
            env = {**self.settings, **self.env}
        self.child = Child([*prefix, self.binary, *arguments], env=env)
        if wait:
            self.await_ready()
        return self

    def await_ready(self):
        def ready():
            if not self.child.running():
                # Not an AssertionError: waiting on would be in vain.
                raise RuntimeError(f"The server ended at its start:\n{self.log()[-4000:]}")
            try:
                return self.plain().get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        eventually(ready, f"/readyz of the server on {self.port}", patience=120, every=0.02)

    def stop(self) -> int:
        """Graceful: SIGTERM and wait."""
        return self.child.stop(signal.SIGTERM) if self.child else 0

    def kill(self):
        """As a power cut for the process: SIGKILL, no goodbye."""
        self.child.process.kill()
        self.child.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def dispose(self):
        if self.child:
            self.child.dispose()
            described.log(self.database)

    def log(self) -> str:
        return self.child.text() if self.child else ""

    def assert_alive(self):
        assert self.child.running(), f"The server has died:\n{self.log()[-4000:]}"

    # Talking to it

    def plain(self, **options) -> httpx.Client:
        """A client without a session. The caller closes it, or lets it go."""
        if self.tls:
            options.setdefault("verify", self.tls.context)
        return httpx.Client(base_url=self.origin, timeout=60, trust_env=False, **options)

    def command(self, *arguments, input=None, env=None, check=True, patience=120) -> subprocess.CompletedProcess:
        """Runs `hoichan ARGUMENTS` beside the server on the same database."""
        done = subprocess.run(
            [self.binary, *map(str, arguments)],
            input=input,
            capture_output=True,
            text=True,
            timeout=patience,
            env={**os.environ, **self.settings, **self.env, **(env or {})},
        )
        if check:
            assert done.returncode == 0, f"hoichan {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
