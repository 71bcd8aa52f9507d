"""Hours that pass at once: libfaketime shifts the clock that a server's process reads."""
import datetime
import functools
import pathlib
import subprocess
import tempfile

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
TIMERS = pathlib.Path(__file__).with_name("timerfd.c")


@functools.cache
def built() -> tempfile.TemporaryDirectory:
    """Where the library is that keeps libfaketime's hands off the server's timers; gone when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="hoichan-clock-")
    # The compiler that comes with Swift.
    subprocess.run(
        ["clang", "-Wall", "-Werror", "-shared", "-fPIC", "-o", f"{folder.name}/timerfd.so", TIMERS], check=True, timeout=60
    )
    # Whoever the tests start as another user loads it too.
    pathlib.Path(folder.name).chmod(0o755)
    return folder


def ahead(span: datetime.timedelta) -> dict:
    """The environment of a process whose clock shows `span` more."""
    return {
        "LD_PRELOAD": f"{built().name}/timerfd.so:{LIBRARY}",
        "FAKETIME": f"+{int(span.total_seconds())}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
