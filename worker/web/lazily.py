"""Making something at first need: clients belong to the event loop that uses them, which runs only by then."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lazily(Generic[Made]):
    """One thing, made once however many need it at the same time; a failure is not kept, the next one tries again."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Made]]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self._open = AsyncExitStack()
        self._made: list[Made] = []

    async def __call__(self) -> Made:
        """The thing. Raises what making it raises."""
        if not self._made:
            async with self._lock:
                if not self._made:
                    self._made.append(await self._open.enter_async_context(self._make()))
        return self._made[0]

    async def close(self) -> None:
        """Close it, if it was made."""
        async with self._lock:
            self._made.clear()
            await self._open.aclose()
