"""Whether a model answers, for those who hold messages until one does: asked before messages are, and not too often."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import structlog

from services.errors import ConfigurationError
from services.generation.outage_notes import Outage, OutageNotes
from services.generation.probe import Look
from services.generation.spend import Spend

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 5.0
MAX_PAUSE_SECONDS = 120.0


class LookAtModels(Protocol):
    """Asks the models of all stages."""

    async def __call__(self, *, thoroughly: bool) -> Look:
        """What came of it; `thoroughly` puts questions as messages bring them, else the smallest call has to do."""
        ...


class OutageWatch:
    """Looks at first need, and again after a message has met an outage; remembers in between.

    The first look that fails may be repeated at once, later ones after growing pauses. `spend` is what all looks have
    taken.
    """

    def __init__(
        self,
        look: LookAtModels,
        notes: OutageNotes,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._look = look
        self._notes = notes
        self._clock = clock
        self._now = now
        self._lock = asyncio.Lock()
        self._outage: Outage | None = None
        self._is_certain = False
        self._failed_looks = 0
        self._next_look_at = float("-inf")
        self.spend = Spend()

    @property
    def seconds_to_next_look(self) -> float:
        """How long `outage` will tell what is known already."""
        return max(0.0, self._next_look_at - self._clock())

    async def outage(self) -> Outage | None:
        """The outage for which messages are to be held; None when every stage has a model that answers.

        Raises `ConfigurationError` when a stage has none that exists, and `StoreUnavailable`.
        """
        async with self._lock:
            if not self._is_certain and not self.seconds_to_next_look:
                await self._look_again()
            return self._outage

    async def met(self, cause: str) -> Outage:
        """Take in that no model has answered a message: the next look is a thorough one. Raises `StoreUnavailable`."""
        async with self._lock:
            known = self._outage or await self._notes.find()
            since = known.since if known else self._now()
            self._is_certain, self._next_look_at = False, self._clock() + FIRST_PAUSE_SECONDS
            self._outage = Outage(since=since, cause=cause, met_by_message=True)
            await self._notes.keep(self._outage)
            return self._outage

    async def _look_again(self) -> None:
        known = self._outage or await self._notes.find()
        looked = await self._look(thoroughly=known is not None and known.met_by_message)
        self.spend += looked.spend
        if looked.obstacle is None:
            await self._over(known)
        elif isinstance(looked.obstacle, ConfigurationError):
            raise looked.obstacle
        else:
            await self._goes_on(known, looked.obstacle.message)

    async def _over(self, known: Outage | None) -> None:
        if known is not None:
            seconds = (self._now() - known.since).total_seconds()
            log.info("models.back", since=known.since.isoformat(), after_seconds=round(seconds))
            await self._notes.end(known)
        self._outage, self._is_certain, self._failed_looks = None, True, 0
        self._next_look_at = float("-inf")

    async def _goes_on(self, known: Outage | None, cause: str) -> None:
        self._failed_looks += 1
        pause = pause_after(self._failed_looks)
        self._next_look_at = self._clock() + pause
        self._outage = Outage(
            since=known.since if known else self._now(),
            cause=cause,
            met_by_message=known is not None and known.met_by_message,
        )
        since = self._outage.since.isoformat()
        log.warning("models.away", since=since, cause=cause, looks_again_in_seconds=pause)
        await self._notes.keep(self._outage)


def pause_after(failed_looks: int) -> float:
    """Seconds before the next look after that many in vain: 0, 5, 15, 35, 75, and then 120."""
    return min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * (2.0 ** (min(failed_looks, 10) - 1) - 1))
