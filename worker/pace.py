"""Keeps messages from marching in step.

Messages that start together wait for their models together and then all want the processor at once; while they
queue for it, nobody waits for a model, and the slots are held for nothing. They also finish together, and so the
next ones start together again. Pulling in batches, with a pause between them that is half of what would fill all
slots evenly, pulls the column apart and never starves the slots. Measured by `scripts/bench` (100 in flight, 1 s a
model call): 88 instead of 84 % of the throughput that latency allows.
"""

BATCHES = 8
"""How many batches fill all slots."""

MAX_PAUSE_SECONDS = 0.25
_WEIGHT = 0.1


class Pace:
    """When the next batch may be pulled. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._message_seconds = 0.0
        self._last_pull = float("-inf")

    def finished(self, seconds: float) -> None:
        """Take in how long a message took: a moving average over about ten of them."""
        known = self._message_seconds or seconds
        self._message_seconds = known + _WEIGHT * (seconds - known)

    def pulled(self, now: float) -> None:
        """Take in that a batch has been pulled."""
        self._last_pull = now

    def pause(self, now: float) -> float:
        """How long to wait before the next batch; nothing as long as no message has finished."""
        spacing = min(self._message_seconds / BATCHES / 2, MAX_PAUSE_SECONDS)
        return max(0.0, self._last_pull + spacing - now)
