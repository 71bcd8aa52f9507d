"""coturn on loopback, with the REST credentials that the server mints."""
import secrets
import socket
import tempfile

from .ports import free_port, free_range
from .processes import Child
from .waiting import eventually


class Turn:
    """A TURN server whose shared secret is known; `settings` are what hoichan needs to use it."""

    def __init__(self):
        self.port = free_port()
        self.secret = secrets.token_hex(16)
        self.folder = tempfile.TemporaryDirectory(prefix="hoichan-turn-")
        first = free_range(100)
        self.child = Child(
            [
                "turnserver", "-n", "--use-auth-secret", f"--static-auth-secret={self.secret}", "--realm=hoichan.test",
                "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}",
                f"--min-port={first}", f"--max-port={first + 99}", "--allow-loopback-peers", "--no-cli", "--no-tls",
                "--no-dtls", "--log-file=stdout", "--verbose", f"--pidfile={self.folder.name}/pid",
                f"--userdb={self.folder.name}/db",
            ]
        )  # fmt: skip
        eventually(self._listens, "coturn's port")

    @property
    def settings(self) -> dict:
        return {"HOICHAN_TURN_URLS": f"turn:127.0.0.1:{self.port}?transport=udp", "HOICHAN_TURN_SECRET": self.secret}

    def _listens(self) -> bool:
        if not self.child.running():
            raise RuntimeError(f"coturn ended at its start:\n{self.child.text()[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def allocations(self) -> int:
        """How many relays were granted so far."""
        return self.child.text().count("ALLOCATE processed, success")

    def dispose(self):
        self.child.dispose()
        self.folder.cleanup()
