"""Pages opened as people, on devices; and what no page may ever do."""
from playwright.sync_api import expect

from .browser import LAPTOP

SECOND = 1000
# Debug builds on a busy machine: long enough that only a fault runs into it.
PATIENCE = 30 * SECOND
expect.set_options(timeout=PATIENCE)


class Visits:
    """Opens pages in browser contexts of their own, and keeps what went wrong in any of them in `faults`."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        self.contexts, self.faults = [], []

    def open(self, caller, path: str, device=LAPTOP, origin=None, clock=False, **options):
        """`caller`'s page (an Api, or None for a stranger). `clock` lets the test move the page's time on."""
        origin = origin or self.server.origin
        options = {"locale": "vi-VN", "permissions": ["camera", "microphone"], **device, **options}
        context = self.browser.new_context(**options)
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE)
        if caller:
            context.add_cookies([{"name": "hoichan_session", "value": caller.token, "url": origin, "httpOnly": True, "sameSite": "Lax"}])
        page = context.new_page()
        if clock:
            page.clock.install()
        self.watch(page, origin, path)
        page.goto(origin + path)
        return page

    def watch(self, page, origin: str, name: str):
        """An error in a script, a request to another site, or something the page's own policy forbids is a fault."""
        page.on("pageerror", lambda error: self.faults.append(f"{name}: {error}"))
        page.on("console", lambda line: "Content Security Policy" in line.text and self.faults.append(f"{name}: {line.text}"))
        own = (origin + "/", origin.replace("http", "ws", 1) + "/", "data:", "blob:")
        for kind in ("request", "websocket"):
            page.on(kind, lambda asked: asked.url.startswith(own) or self.faults.append(f"{name} asked {asked.url}"))

    def close(self):
        for context in self.contexts:
            context.close()
        assert not self.faults, self.faults
