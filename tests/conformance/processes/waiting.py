"""Waiting for what other processes do, never longer than said."""

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def until(ready: Callable[[], bool], seconds: float, what: str, *, every: float = _POLL_SECONDS) -> None:
    """Return once `ready()` holds; it is asked every `every` seconds. Raises `TimeoutError` that names `what`."""
    give_up = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > give_up:
            raise TimeoutError(f"There was not {what} within {seconds:.0f} s.")
        time.sleep(every)
