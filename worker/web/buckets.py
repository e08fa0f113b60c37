"""How often somebody may call: token buckets, one a caller."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_BUCKETS = 10_000
"""How many callers are remembered; the one that was not heard of for longest is forgotten first."""


class TokenBuckets:
    """Lets every caller pass `per_minute` times a minute, and as many at once after a minute of silence."""

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_BUCKETS,
    ) -> None:
        self._burst = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str) -> float:
        """0 when the caller may pass now, which counts; else the seconds until it may, which count nothing."""
        now = self._clock()
        tokens, filled_at = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - filled_at) * self._per_second)
        passes = tokens >= 1
        self._buckets[caller] = (tokens - 1 if passes else tokens, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - tokens) / self._per_second
