"""One worker's hold on one request, from the claim to the result."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from services.content.models import Failure
from services.errors import ClaimLost, StoreUnavailable
from services.storage.port import Claim, Document, ResultStore

NO_TIME = timedelta(0)
RELEASE_SECONDS = 1.0


class Ownership:
    """A claim that is kept alive by one task and ended by another.

    Every write to the store changes the claim's version, so a renewal and the final write must not overlap: the
    later one would look like a stale owner's. The lock keeps them apart; renewals give way.
    """

    def __init__(
        self, store: ResultStore, claim: Claim, *, lifetime: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._claim = claim
        self._lifetime = lifetime
        self._now = now
        self._lock = asyncio.Lock()
        self._is_ending = False
        self._has_ended = False

    @property
    def claim(self) -> Claim:
        """The claim as it was last written."""
        return self._claim

    async def renew(self) -> None:
        """Extend the claim once half its life is over. Raises `ClaimLost`, `StoreUnavailable`.

        Does nothing once the end was tried: that write may have landed although no answer came.
        """
        if self._is_ending or self._lock.locked():
            return
        async with self._lock:
            now = self._now()
            if self._claim.expires_at - now < self._lifetime / 2:
                self._claim = await self._store.extend(self._claim, now=now, lifetime=self._lifetime)

    async def assure(self) -> None:
        """Make sure that the claim is still held: one that has expired is renewed. Raises as `renew` does.

        A process that was frozen for a while may have lost it without having noticed.
        """
        if self._claim.expires_at > self._now():
            return
        async with self._lock:
            self._claim = await self._store.extend(self._claim, now=self._now(), lifetime=self._lifetime)

    async def complete(self, document: Document) -> None:
        """Write the result and end the claim. Raises `ClaimLost`, `StoreUnavailable`; may be called again then."""
        self._is_ending = True
        async with self._lock:
            await self._store.complete(self._claim, document)
            self._has_ended = True

    async def fail(self, failures: Sequence[Failure]) -> None:
        """Write the failures and release the claim. Raises `ClaimLost`, `StoreUnavailable`; may be called again."""
        await self._end({"failures": [failure.model_dump() for failure in failures]})

    async def release(self) -> None:
        """Let the next worker have the request at once; does nothing after `complete` or `fail`."""
        await self._end({})

    async def let_go(self) -> None:
        """Release what is still held, at the end of work however it ended.

        That only spares the next worker the wait for the claim's end: it must neither hide why the work ended nor,
        with a store that hangs, keep a process from ending in time.
        """
        with suppress(ClaimLost, StoreUnavailable, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self.release()

    async def _end(self, changes: Document) -> None:
        self._is_ending = True
        async with self._lock:
            if not self._has_ended:
                await self._store.extend(self._claim, now=self._now(), lifetime=NO_TIME, changes=changes)
                self._has_ended = True
