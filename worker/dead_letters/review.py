"""Dead letters under lease: nobody else can take them meanwhile, and all that is not taken away goes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from services.errors import ContentWorkerError
from services.messaging.port import Delivery, MessageQueue
from worker.lease import InFlight, LeaseKeeper

log = structlog.get_logger()

LOOK_AT_MOST = 10_000
"""How many dead letters a command takes in hand at once."""

PULL_LIMIT = 1000
"""The most messages that one pull of Pub/Sub returns."""

FIRST_WAIT_SECONDS = 1.0
"""How long pulls wait that may still have to connect; those after them find what there is much sooner."""
NEXT_WAIT_SECONDS = 0.2

LEASE_SECONDS = 60
EMPTY_PULLS = 2
"""How many pulls in a row must be empty before a subscription counts as empty: one is no proof."""


class Review:
    """Dead letters of one subscription, kept under lease."""

    def __init__(self, queue: MessageQueue, leases: LeaseKeeper) -> None:
        self._queue = queue
        self._leases = leases
        self._held: dict[str, InFlight] = {}

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """What is held, in the order in which it came."""
        return [message.delivery for message in self._held.values()]

    async def pull(self, limit: int) -> None:
        """Lease dead letters until `limit` are held or the subscription is empty."""
        empty = 0
        while empty < EMPTY_PULLS and (room := limit - len(self._held)) > 0:
            wait_seconds = NEXT_WAIT_SECONDS if self._held else FIRST_WAIT_SECONDS
            found = await self._queue.pull(min(room, PULL_LIMIT), wait_seconds=wait_seconds)
            empty = 0 if found else empty + 1
            for delivery in found:
                self._held[delivery.lease_id] = InFlight(delivery)
                self._leases.keep(self._held[delivery.lease_id])

    async def take_away(self, delivery: Delivery) -> None:
        """Ack one of them. Raises `QueueUnavailable`; the letter is then still held."""
        await self._queue.acknowledge(delivery)
        self._leases.drop(self._held.pop(delivery.lease_id))

    async def give_back(self) -> None:
        """Make the rest visible again. Where that fails their leases end by themselves."""
        rest = self.deliveries
        self._held.clear()
        if not rest:
            return
        try:
            await self._queue.extend(rest, seconds=0)
        except ContentWorkerError as error:
            log.warning("dead_letters.not_given_back", letters=len(rest), cause=error.message)


@asynccontextmanager
async def leased(
    queue: MessageQueue, limit: int, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> AsyncIterator[Review]:
    """Up to `limit` dead letters, under lease until the block ends; those not taken away are given back.

    Raises `QueueUnavailable` and `ConfigurationError` as `queue.pull` does.
    """
    leases = LeaseKeeper(queue, lease_seconds=LEASE_SECONDS, sleep=sleep)
    review = Review(queue, leases)
    keeper = asyncio.create_task(leases.run())
    try:
        await review.pull(limit)
        yield review
    finally:
        # A renewal after the letters were given back would take them away again.
        keeper.cancel()
        await asyncio.wait([keeper])
        await review.give_back()
    if not keeper.cancelled():
        await keeper  # it ended early, by a bug


async def look(queue: MessageQueue, limit: int) -> Sequence[Delivery]:
    """Up to `limit` dead letters, as they are; all of them have been given back."""
    async with leased(queue, limit) as review:
        return review.deliveries
