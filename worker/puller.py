"""Gets messages out of the queue: in paced batches, and through an outage that ends in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from services.errors import QueueUnavailable
from services.messaging.port import Delivery, MessageQueue
from worker.pace import Pace

log = structlog.get_logger()

PULL_WAIT_SECONDS = 2.0
"""How long one pull waits for messages. A pull under way is never cancelled: it may have leased messages."""

OUTAGE_BACKOFF_SECONDS = 1.0
OUTAGE_BACKOFF_MAX_SECONDS = 15.0


class Puller:
    """Pulls one subscription. `stop` cuts every wait short but the one for a pull under way.

    `was_away` says that the queue was unreachable for a while during the last pull.
    """

    def __init__(
        self,
        queue: MessageQueue,
        *,
        wait_seconds: float = PULL_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._sleep = sleep
        self._stopping = asyncio.Event()
        self.pace = Pace()
        self.was_away = False

    def stop(self) -> None:
        """Wait no longer than a pull under way takes."""
        self._stopping.set()

    async def pull(self, limit: int, *, patience_seconds: float) -> Sequence[Delivery]:
        """Pull up to `limit` messages once the pace allows it; none when there are none, or after `stop`.

        Raises `QueueUnavailable` when the queue stays away longer than the patience, `ConfigurationError` at once.
        """
        await self._keep_pace()
        if self._stopping.is_set():
            return []
        deliveries = await self._pull_through_outage(limit, patience_seconds)
        if deliveries:
            self.pace.pulled(self._clock())
        return deliveries

    async def _keep_pace(self) -> None:
        pause = self.pace.pause(self._clock())
        if pause > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def _pause(self, seconds: float) -> None:
        ways_to_end = {
            asyncio.ensure_future(self._sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        }
        await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
        for waiting in ways_to_end:
            waiting.cancel()

    async def _pull_through_outage(self, limit: int, patience_seconds: float) -> Sequence[Delivery]:
        started, delay = self._clock(), OUTAGE_BACKOFF_SECONDS
        self.was_away = False
        while True:
            try:
                return await self._queue.pull(limit, wait_seconds=self._wait_seconds)
            except QueueUnavailable as error:
                self.was_away = True
                if self._stopping.is_set() or self._clock() - started >= patience_seconds:
                    raise
                log.warning("queue.away", cause=error.message, again_in_seconds=delay)
                await self._pause(delay)
                delay = min(delay * 2, OUTAGE_BACKOFF_MAX_SECONDS)
