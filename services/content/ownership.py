"""One worker's hold on one request, from the claim to the result."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from services.storage.port import Claim, Document, ResultStore


class Ownership:
    """A claim that is kept alive by one task and ended by another.

    Every write to the store changes the claim's version, so a renewal and the final write must not overlap: the
    later one would look like a stale owner's. The lock keeps them apart.
    """

    def __init__(
        self, store: ResultStore, claim: Claim, *, lifetime: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._claim = claim
        self._lifetime = lifetime
        self._now = now
        self._lock = asyncio.Lock()
        self._ended = False

    @property
    def claim(self) -> Claim:
        """The claim as it was last written."""
        return self._claim

    async def renew(self) -> None:
        """Extend the claim once half its life is over. Raises `ClaimLost`, `StoreUnavailable`."""
        async with self._lock:
            now = self._now()
            if not self._ended and self._claim.expires_at - now < self._lifetime / 2:
                self._claim = await self._store.extend(self._claim, expires_at=now + self._lifetime)

    async def complete(self, document: Document) -> None:
        """Write the result and end the claim. Raises `ClaimLost`, `StoreUnavailable`."""
        async with self._lock:
            await self._store.complete(self._claim, document)
            self._ended = True

    async def release(self) -> None:
        """Let the next worker have the request at once; does nothing after `complete`."""
        async with self._lock:
            if not self._ended:
                self._ended = True
                await self._store.extend(self._claim, expires_at=self._now())
