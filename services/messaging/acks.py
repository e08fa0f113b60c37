"""Acknowledgements that travel together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence


class AckBatcher:
    """Sends acks one request at a time; those that come meanwhile go with the next one, without a timer.

    `send` acknowledges the leases it is given, at most `most` of them in one call.
    """

    def __init__(self, send: Callable[[Sequence[str]], Awaitable[None]], *, most: int) -> None:
        self._send = send
        self._most = most
        self._waiting: list[str] = []
        self._next: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def add(self, lease_id: str) -> None:
        """Return when the request that carries this ack is done, or raise what it raised."""
        if self._next is None or len(self._waiting) >= self._most:
            self._waiting = []
            self._next = asyncio.create_task(self._flush(self._waiting))
        self._waiting.append(lease_id)
        # A caller that is cancelled must not take the others' request with it.
        await asyncio.shield(self._next)

    async def _flush(self, lease_ids: list[str]) -> None:
        async with self._one_at_a_time:
            if self._waiting is lease_ids:
                self._next = None
            await self._send(lease_ids)
