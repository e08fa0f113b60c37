"""Keeps everything alive that a message in work needs: its lease in the queue and its claim in the store."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from services.content.ownership import Ownership
from services.errors import ClaimLost, ContentWorkerError
from services.generation.allowance import Allowance
from services.generation.spend import Spend
from services.messaging.port import Delivery, MessageQueue

log = structlog.get_logger()

RENEW_EVERY_SECONDS = 5.0
"""Half of the shortest lease a subscription can have (10 s), so that even the first renewal is in time."""


@dataclass(eq=False, slots=True)
class InFlight:
    """One message in work. `claim_lost` says that its task was cancelled because another worker owns the request.

    `allowance` is there once its request was claimed, and stays.
    """

    delivery: Delivery
    task: asyncio.Task[None] | None = None
    ownership: Ownership | None = None
    allowance: Allowance | None = None
    claim_lost: bool = False

    @property
    def spend(self) -> Spend:
        """What was spent on it so far, in this process."""
        return Spend() if self.allowance is None else self.allowance.spend

    def bill(self, tell_late: Callable[[Spend], None]) -> Spend:
        """The same for the bill, once; `tell_late` hears what calls under way still take."""
        return Spend() if self.allowance is None else self.allowance.close(tell_late)


class LeaseKeeper:
    """Renews the leases of all messages in flight in one call, and their claims where they are due."""

    def __init__(
        self,
        queue: MessageQueue,
        *,
        lease_seconds: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._lease_seconds = lease_seconds
        self._sleep = sleep
        self._in_flight: set[InFlight] = set()

    def keep(self, message: InFlight) -> None:
        """Keep this message alive from now on."""
        self._in_flight.add(message)

    def drop(self, message: InFlight) -> None:
        """Leave this message alone from now on."""
        self._in_flight.discard(message)

    async def run(self) -> None:
        """Renew until cancelled.

        A renewal that fails is tried again at the next turn: leases outlive several. What ends the run for good,
        such as a lost permission, is met and told by the work itself.
        """
        while True:
            await self._sleep(RENEW_EVERY_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    RENEW_EVERY_SECONDS
                ):  # one renewal that hangs must not keep all others
                    await self.renew()

    async def renew(self) -> None:
        """Renew everything once."""
        in_flight = list(self._in_flight)
        if not in_flight:
            return
        await asyncio.gather(
            self._extend([message.delivery for message in in_flight]),
            *(self._renew_claim(message) for message in in_flight if message.ownership),
        )

    async def _extend(self, deliveries: list[Delivery]) -> None:
        try:
            await self._queue.extend(deliveries, seconds=self._lease_seconds)
        except ContentWorkerError as error:
            log.warning("lease.not_renewed", messages=len(deliveries), cause=error.message)

    async def _renew_claim(self, message: InFlight) -> None:
        if message.ownership is None:
            return
        try:
            await message.ownership.renew()
        except ClaimLost:
            message.claim_lost = True
            if message.task is not None:
                message.task.cancel()
        except ContentWorkerError as error:
            log.warning("claim.not_renewed", cause=error.message)
