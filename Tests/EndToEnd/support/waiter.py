"""A request for a page of events that waits, as a program without sockets follows the feed."""
import threading
import time

from .api import BASE, good


class Waiter(threading.Thread):
    """One request for a page, in a thread of its own."""

    def __init__(self, caller, **query):
        super().__init__(daemon=True)
        self.caller, self.query = caller, query
        self.answer = self.took = None
        self.start()

    def run(self):
        begun = time.monotonic()
        headers = {"Authorization": f"Bearer {self.caller.token}"}
        with self.caller.server.plain(headers=headers) as client:
            self.answer = client.get(BASE + "/events", params=self.query)
        self.took = time.monotonic() - begun

    def page(self) -> dict:
        return good(self.wait(), 200)

    def wait(self):
        self.join(60)
        assert self.answer is not None, "The request was not answered."
        return self.answer
