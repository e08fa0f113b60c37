"""Parts of an implementation that live for one scenario."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar


class Closable(Protocol):
    async def close(self) -> None: ...


Part = TypeVar("Part", bound=Closable)


class Parts:
    """Runs a scenario in an event loop of its own and closes there what the scenario had made."""

    def __init__(self) -> None:
        self._made: list[Closable] = []

    def kept(self, made: Part) -> Part:
        self._made.append(made)
        return made

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            try:
                await scenario()
            finally:
                for made in self._made:
                    await made.close()

        asyncio.run(main())
