"""An event loop in which waiting takes no time: its clock jumps to the next timer when nothing else is to be done.

Packages that do the same (looptime, aiofastforward) let the clock run on in steps while a thread works, because they
cannot know how long it will. Here the order of everything must be the same in every run, also of what the embedded
database does on threads of its own. So the loop does that work itself: for the clock it takes no time, and nothing
else can come between. That is little code, and whatever runs on it repeats exactly.
"""

import asyncio
import concurrent.futures
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

Found = TypeVar("Found")
Ts = TypeVarTuple("Ts")

EPOCH = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""What the calendar says when a loop begins."""


class _Jumps(selectors.DefaultSelector):
    """Instead of waiting for input and output, of which there is none, puts the clock forward."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("Nothing is ready and no timer runs: everything waits for ever.")
        self.seconds += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Begins at 0 seconds. Work meant for executors is done at once.

    `held_until` is asked whenever a timer ends, in the context of who set it: a timer of somebody who is held up then
    ends when that is over, and never when that is infinite.
    """

    def __init__(self) -> None:
        self._jumps = _Jumps()
        self.held_until: Callable[[], float] = lambda: 0.0
        super().__init__(self._jumps)

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._jumps.seconds

    def now(self) -> datetime:
        """The same as a date and time; may be asked for on any thread."""
        return EPOCH + timedelta(seconds=self.time())

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio has it, for somebody who may be held up."""
        whose = context or copy_context()
        set_timer = super().call_at

        def end() -> None:
            until = self.held_until()
            if until > self.time() and not math.isinf(until):
                set_timer(until, end, context=whose)
            elif until <= self.time() and not handle.cancelled():
                callback(*args)

        handle = set_timer(when, end, context=whose)
        return handle

    def run_in_executor(  # type: ignore[override]  # whose executor it is does not matter here
        self, _executor: concurrent.futures.Executor | None, func: Callable[..., Found], *args: Any
    ) -> asyncio.Future[Found]:
        """Do the work now, on this thread; its result is there in the next turn of the loop."""
        work: concurrent.futures.Future[Found] = concurrent.futures.Future()
        try:
            work.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to who waits for the work
            work.set_exception(error)
        return asyncio.wrap_future(work, loop=self)


def run(main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, Found]]) -> Found:
    """The result of `main`, which gets the loop as its clock."""
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
