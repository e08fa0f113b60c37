"""Signals that end the process, which count from its first instant on.

The kernel gives PID 1, which a container's only process is, no signal that it has no handler for: without one SIGTERM
would be lost as long as the process starts, and it would be killed ten seconds later with messages in hand. So there
is always a handler, from `listen` on, each taking over from the one before: nothing that has arrived is forgotten.

Imports next to nothing, because it is the first module that a process imports.
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import TypeVar

Done = TypeVar("Done")

_arrived: list[signal.Signals] = []


class StoppedEarly(Exception):  # noqa: N818  # no error: somebody wants it so
    """A signal ended work that had not begun to change anything."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.signal = number


def listen() -> None:
    """Remember SIGTERM from now on, for whoever takes care of it later: the first act of a process."""
    signal.signal(signal.SIGTERM, _remember)


def end_at_sigterm() -> None:
    """From now on SIGTERM ends a process that listens with 143, as it would without a handler, closing what is open.

    For commands that have nothing to bring to an end. Raises `SystemExit` when it has arrived already.
    """
    if signal.getsignal(signal.SIGTERM) is not _remember:
        return
    signal.signal(signal.SIGTERM, _end)
    if _arrived:
        _end(_arrived[0], None)


@asynccontextmanager
async def stopped_by_signals(stop: Callable[[signal.Signals], object]) -> AsyncIterator[None]:
    """Call `stop` in the event loop at SIGTERM and SIGINT, at once when one has arrived before.

    The handlers that were there come back afterwards.
    """
    import asyncio

    loop = asyncio.get_running_loop()

    def handle(number: int, _frame: FrameType | None) -> None:
        _arrived.append(signal.Signals(number))
        loop.call_soon_threadsafe(stop, signal.Signals(number))

    former = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    if _arrived:
        stop(_arrived[0])
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


async def unless_stopped(work: Awaitable[Done]) -> Done:
    """Do work that may be broken off at any time. Raises `StoppedEarly` when a signal ended it."""
    import asyncio

    task = asyncio.ensure_future(work)
    signals: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        signals.append(number)
        task.cancel()

    async with stopped_by_signals(stop):
        try:
            return await task
        except asyncio.CancelledError:
            if not signals:
                raise
            raise StoppedEarly(signals[0]) from None


def _remember(number: int, _frame: FrameType | None) -> None:
    _arrived.append(signal.Signals(number))


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
