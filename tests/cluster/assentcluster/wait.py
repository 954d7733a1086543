"""Waiting for a condition with a deadline."""

import subprocess
import time

# What a condition may raise and still be asked again. (A tool that did not answer in its time has said nothing yet.)
RETRIED = (OSError, ValueError, KeyError, LookupError, subprocess.TimeoutExpired)


class TimedOut(Exception):
    """A condition did not come true in time. The text says which, for how long, and what was seen last."""


def wait_for(condition, deadline, what, interval=0.02):
    """Calls `condition()` until it gives something true, and returns that. After `deadline` seconds: TimedOut."""
    began = time.monotonic()
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except RETRIED as error:
            seen = f"{type(error).__name__}: {error}"
        waited = time.monotonic() - began
        if waited >= deadline:
            raise TimedOut(f"after {waited:.1f} s still waiting for {what}; last seen: {seen!r}")
        time.sleep(min(interval, deadline - waited))
