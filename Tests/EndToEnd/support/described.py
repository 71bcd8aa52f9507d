"""Holds every event and frame that any test receives against `/asyncapi.json`, as the binary under test prints it.

Whoever receives calls `event`, `frame` or `told`, in any thread; a `log` is held whole when its server goes. What does
not fit is kept in `faults` until a test's end, which fails for it (conftest.py)."""
import json
import sqlite3
import subprocess
import threading
from datetime import datetime, timedelta

import psycopg
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from .api import ZONE

EPOCH = datetime(1970, 1, 1, tzinfo=ZONE) + timedelta(hours=7)
# Of many faults the first tell what is wrong.
MOST = 20


class Description:
    """The document, with a validator for each message and each type of event, made when it is first needed."""

    def __init__(self, document: dict):
        self.document = document
        self.messages, self.schemas = document["components"]["messages"], document["components"]["schemas"]
        self._registry = Registry().with_resource("urn:asyncapi", DRAFT202012.create_resource(document))
        self._formats = FormatChecker(["date-time", "uuid"])
        self._validators = {}

    def errors(self, path: str, value) -> list:
        """In what `value` differs from the schema at `path` of the components: nothing, if it fits."""
        if path not in self._validators:
            schema = {"$ref": f"urn:asyncapi#/components/{path}"}
            self._validators[path] = Draft202012Validator(schema, registry=self._registry, format_checker=self._formats)
        return [f"{error.json_path}: {error.message}" for error in self._validators[path].iter_errors(value)]

    def message_errors(self, name: str, message) -> list:
        """`name` is the message's: an event's type, a frame's kind, or who speaks and the `op`."""
        return self.errors(f"messages/{name}/payload", message) if name in self.messages else [f"there is no message {name}"]

    def event_errors(self, event) -> list:
        """For a CloudEvent by itself, as pages and streams show it."""
        type = event.get("type")
        known = type in self.messages and type in self.schemas
        return self.errors(f"schemas/{type}", event) if known else [f"there is no type {type}"]


faults = []
_description = None
_lock = threading.Lock()
# Hashes of what was found to fit: the same event reaches many readers.
_known = set()


def begin(binary):
    """From here on everything is held against what this binary prints."""
    global _description
    done = subprocess.run([str(binary), "asyncapi"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"hoichan asyncapi: {done.returncode}\n{done.stdout}\n{done.stderr}"
    _description = Description(json.loads(done.stdout))


def description() -> Description:
    return _description


def take() -> list:
    """The faults so far; they are forgotten."""
    with _lock:
        taken = list(faults)
        faults.clear()
    return taken


def event(event: dict, source="an event"):
    """A CloudEvent that came by itself."""
    _hold(source, event, description().event_errors)


def frame(frame: dict):
    """A frame of the feed's socket."""
    named = frame.get("event", {}) if frame.get("kind") in ("event", "volatile") else {"type": frame.get("kind")}
    if _hold("a frame", frame, lambda value: description().message_errors(named.get("type"), value)) and "event" in frame:
        # By another way it need not be looked at again.
        _known.add(hash(json.dumps(frame["event"])))


def told(message: dict):
    """What a participant of a call hears."""
    _hold("a message of a call", message, lambda value: description().message_errors(f"server.{value.get('op')}", value))


def log(database):
    """Every event in a database's log. No server may have to answer: it is read beside them."""
    if not database.is_ours:
        return
    try:
        rows = database.events()
    except (sqlite3.Error, psycopg.Error):
        return  # Never made, or broken by its test, which has looked at what it received.
    for row in rows:
        event(cloud_event(*row), "an event of a log")


def cloud_event(seq: int, id: str, type: str, time: int, subject: str, facilities: str, data: str) -> dict:
    """A row of the log as it goes out, member by member in the same order."""
    moment = EPOCH + timedelta(milliseconds=time)
    return {
        "specversion": "1.0",
        "id": id,
        "type": type,
        "source": "/facilities/" + facilities.split(",")[0],
        "subject": subject,
        "time": moment.isoformat(timespec="milliseconds" if time % 1000 else "seconds"),
        "sequence": f"{seq:012}",
        "datacontenttype": "application/json",
        "data": json.loads(data),
    }


def _hold(source: str, value: dict, errors) -> bool:
    key = hash(json.dumps(value))
    if key in _known:
        return True
    found = errors(value)
    if found:
        with _lock:
            if len(faults) < MOST:
                faults.append(f"{source} is not as /asyncapi.json describes it: {'; '.join(found)}\n  {json.dumps(value, ensure_ascii=False)}")
        return False
    _known.add(key)
    return True
