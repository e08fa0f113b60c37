"""Keeps commands that send much from sending it all at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class RateLimit:
    """Lets callers pass `per_second` times a second at most, evenly."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._free_at = float("-inf")

    async def wait(self) -> None:
        """Return when the next may pass."""
        pause = self._free_at - self._clock()
        if pause > 0:
            await self._sleep(pause)
        # Counted from when it passed: after something slow there is no rush to catch up.
        self._free_at = max(self._free_at, self._clock()) + self._interval
