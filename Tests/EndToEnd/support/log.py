"""Reading the event log by paging, and holding what a reader saw against it."""
from . import described


def read_log(caller, after="oldest", limit=500, **filters) -> list:
    """Every durable event from `after` to the head as (cursor, event), oldest first."""
    items = []
    while True:
        page = caller.fetch("/events", after=after, limit=limit, **filters)
        items += [(item["cursor"], item["event"]) for item in page["items"]]
        for item in page["items"]:
            described.event(item["event"], "an event of a page")
        after = page["cursor"]
        if page["next"] is None:
            return items


def events_of(caller, subject: str) -> list:
    """The types of the events about `subject`, in order."""
    return [event["type"] for _, event in read_log(caller, subject=subject)]


def assert_exactly_once_in_order(seen: list, log: list):
    """`seen` (events by a reader) equals `log` (events by paging): nothing twice, nothing missing, nothing swapped."""
    ids = [event["id"] for event in seen]
    assert len(ids) == len(set(ids)), "an event was delivered twice"
    sequences = [event["sequence"] for event in seen]
    assert sequences == sorted(sequences), "events came out of order"
    missing = [event for event in log if event["id"] not in set(ids)]
    assert not missing, f"{len(missing)} events were never delivered, the first: {missing[0]}"
    assert seen == log, "the reader saw other events than the log holds"
