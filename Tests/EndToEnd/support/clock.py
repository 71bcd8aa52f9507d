"""Hours that pass at once: libfaketime shifts the clock that a server's process reads."""
import datetime

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def ahead(span: datetime.timedelta) -> dict:
    """The environment of a process whose clock shows `span` more."""
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": f"+{int(span.total_seconds())}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
