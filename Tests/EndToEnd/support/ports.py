"""Loopback ports below the kernel's own range (32768 and up), so that no outgoing connection can take one first."""
import random
import socket

_given = set()


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """A port nobody uses now and this process never gave before."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError("No free loopback port between 20000 and 32000.")


def free_range(count: int) -> int:
    """The first of `count` neighbouring free ports."""
    for _ in range(1000):
        first = random.randrange(20000, 32000 - count)
        ports = set(range(first, first + count))
        if not ports & _given and all(map(_is_free, ports)):
            _given.update(ports)
            return first
    raise RuntimeError(f"No {count} free loopback ports in a row.")
