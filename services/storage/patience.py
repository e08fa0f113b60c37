"""Waits out an outage of the store, so that what is in flight is kept instead of begun again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import structlog

from services.errors import ContentWorkerError, StoreUnavailable

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 5.0

Found = TypeVar("Found")


class Patience:
    """Repeats work until the store answers, or until whoever waits is cancelled: the run's own limits end the wait.

    All work of one process shares one, so that an outage is told once, and its end, too. Only work that may be
    done twice can be repeated like this; all methods of the stores are made for it.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._uniform = uniform
        self._clock = clock
        self._away_since: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the store was away when it was last asked."""
        return self._away_since is not None

    async def __call__(self, work: Callable[[], Awaitable[Found]]) -> Found:
        """The result of the work, or any error it raises other than `StoreUnavailable`."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                result = await work()
            except StoreUnavailable as error:
                self._is_away(error)
            except ContentWorkerError:
                self._is_back()
                raise
            else:
                self._is_back()
                return result
            await self._sleep(self._uniform(pause / 2, pause))
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    def _is_away(self, error: StoreUnavailable) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            log.warning(
                "store.away",
                cause=error.message,
                fix="What is in flight is kept; it goes on when the store is back.",
            )

    def _is_back(self) -> None:
        if self._away_since is not None:
            log.info("store.back", after_seconds=round(self._clock() - self._away_since, 1))
            self._away_since = None


class _Answers(Protocol):
    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]: ...

    async def keep(self, key: str, document: Mapping[str, Any]) -> None: ...


class PatientAnswers:
    """A store of paid answers that waits out outages."""

    def __init__(self, answers: _Answers, patience: Patience) -> None:
        self._answers = answers
        self._patience = patience

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Those that are there, by key."""
        return await self._patience(lambda: self._answers.find(keys))

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        """Store one."""
        await self._patience(lambda: self._answers.keep(key, document))
