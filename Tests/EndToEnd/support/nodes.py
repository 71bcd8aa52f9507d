"""Several servers of one database, and which of them leads."""
import random
import types

from .api import Api
from .server import Server


class Nodes:
    """`count` servers; the first is in nothing different from the others."""

    def __init__(self, binary, database, count=2, **options):
        self.database = database
        self.nodes = [Server(binary, database, mode="serve", **options) for _ in range(count)]

    def __iter__(self):
        return iter(self.nodes)

    def __getitem__(self, index) -> Server:
        return self.nodes[index]

    def start(self) -> "Nodes":
        """All at once, as after a power cut."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.await_ready()
        return self

    def dispose(self):
        for node in self.nodes:
            node.dispose()

    def running(self) -> list:
        return [node for node in self.nodes if node.child.running()]

    def any(self) -> Server:
        """One of those that run."""
        return random.choice(self.running())

    # The lease

    def lease(self) -> types.SimpleNamespace:
        """Who numbers the events: the node's id, its address, and the term."""
        rows = self.database.rows(
            "SELECT lease.holder, node.address, lease.term FROM lease JOIN node ON node.id = lease.holder WHERE lease.name = 'sequencer'"
        )
        assert rows, "nobody leads"
        return types.SimpleNamespace(**dict(zip(("holder", "address", "term"), rows[0])))

    def leader(self) -> Server:
        address = self.lease().address
        found = [node for node in self.nodes if f"127.0.0.1:{node.port}" == address]
        assert found, f"the leader at {address} is none of {[node.port for node in self.nodes]}"
        return found[0]

    def others(self, than: Server) -> list:
        return [node for node in self.nodes if node is not than]


def on(node: Server, people):
    """The same sessions, at another node: one caller, or all of them."""
    if isinstance(people, Api):
        return Api(node, people.token, people.session)
    return types.SimpleNamespace(**{role: on(node, caller) for role, caller in vars(people).items()})
