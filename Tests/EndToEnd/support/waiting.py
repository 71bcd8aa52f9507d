"""Waiting for what will happen: a generous deadline, and an end as soon as it has happened."""
import time

# Slow machines are no failure; only what never comes is.
PATIENCE = 60.0


def eventually(probe, what: str, patience: float = PATIENCE, every: float = 0.05):
    """Calls `probe` until it returns something true, and returns that. An AssertionError in it counts as not yet."""
    deadline = time.monotonic() + patience
    last = None
    while True:
        try:
            value = probe()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"After {patience:.0f} s still waiting for {what}") from last
        time.sleep(every)
