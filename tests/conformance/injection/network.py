"""Everything between workers and the world outside them: it numbers the calls, and has one fault up its sleeve."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

from services.messaging.port import Delivery
from tests.conformance.injection.faults import (
    DOWN_SECONDS,
    GIVE_UP_SECONDS,
    SLOW_SECONDS,
    STOP_SECONDS,
    Fault,
    Injection,
    Point,
)
from tests.conformance.virtual_time import VirtualTimeLoop

Found = TypeVar("Found")

RUNNING: ContextVar["Process | None"] = ContextVar("RUNNING", default=None)
"""The process in whose name code runs at the moment; its tasks and timers inherit it."""

TRAVEL_SECONDS = 0.01
"""What every request and every reply takes, so that other tasks come between a call, its effect and its reply."""


@dataclass(eq=False, slots=True)
class Process:
    """The outer life of one worker process."""

    name: str
    stop: Callable[[], None] = lambda: None
    died: asyncio.Event = field(default_factory=asyncio.Event)
    stopped_at: float | None = None
    frozen_until: float = 0.0


@dataclass(kw_only=True, slots=True)
class Visit:
    """A call that was made. `was_empty` tells pulls that brought nothing."""

    point: Point
    process: Process
    at: float
    was_empty: bool = False


class Network:
    """Carries the calls of all workers of one run."""

    def __init__(self, loop: VirtualTimeLoop, injection: Injection | None = None) -> None:
        self._loop = loop
        loop.held_until = self._held_until
        self._counts: Counter[str] = Counter()
        self._down_until: defaultdict[str, float] = defaultdict(float)
        self._late: list[asyncio.Task[Any]] = []
        self._is_over = asyncio.Event()
        self.injection = injection
        self.visits: list[Visit] = []
        self.hit = asyncio.Event()
        self.hit_process: Process | None = None
        self.hit_at: float | None = None
        self.doubled: list[Delivery] = []

    async def carry(
        self,
        process: Process,
        call: str,
        effect: Callable[[], Awaitable[Found]],
        *,
        unavailable: Callable[[str], Exception],
        again: Callable[[Found], Awaitable[object]] | None = None,
    ) -> Found:
        """The reply to one call: the result of `effect`, unless a fault comes between.

        `again` is what a doubled request does; by default the effect once more.
        """
        await self._moves(process)
        visit = self._visit(process, call)
        fault = self._fault_at(visit)
        await asyncio.sleep(TRAVEL_SECONDS)
        await self._before(fault, visit, effect, unavailable)
        await self._moves(process)
        # Errors of the other side travel back like any reply.
        (reply,) = await asyncio.gather(effect(), return_exceptions=True)
        visit.was_empty = reply == []
        if fault is Fault.DUPLICATE and not isinstance(reply, BaseException):
            await self._double(effect, reply, again)
        await self._after(fault, process, unavailable)
        await asyncio.sleep(TRAVEL_SECONDS)
        await self._moves(process)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def settle(self) -> None:
        """Wait until the effects that are late have come."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def end(self) -> None:
        """Let go of the processes that died: what their tasks still try is cancelled from now on, so that they end."""
        self._is_over.set()

    def _held_until(self) -> float:
        """Until when nothing moves in the process that runs."""
        process = RUNNING.get()
        if process is None or self._is_over.is_set():
            return 0.0
        return inf if process.died.is_set() else process.frozen_until

    def _visit(self, process: Process, call: str) -> Visit:
        self._counts[call] += 1
        point = Point(call=call, ordinal=self._counts[call])
        self.visits.append(Visit(point=point, process=process, at=self._loop.time()))
        return self.visits[-1]

    def _fault_at(self, visit: Visit) -> Fault | None:
        if self.injection is None or self.injection.point != visit.point:
            return None
        fault, process = self.injection.fault, visit.process
        self.hit_process, self.hit_at = process, self._loop.time()
        self.hit.set()
        if fault is Fault.STOP:
            self._terminate(process)
        if fault is Fault.STOP_IN_OUTAGE:
            self._loop.call_later(STOP_SECONDS, self._terminate, process)
        if fault is Fault.FREEZE:
            process.frozen_until = self._loop.time() + SLOW_SECONDS
        return fault

    def _terminate(self, process: Process) -> None:
        """SIGTERM."""
        process.stopped_at = self._loop.time()
        process.stop()

    async def _before(
        self,
        fault: Fault | None,
        visit: Visit,
        effect: Callable[[], Awaitable[object]],
        unavailable: Callable[[str], Exception],
    ) -> None:
        port = visit.point.port
        if fault in (Fault.DOWN, Fault.STOP_IN_OUTAGE):
            self._down_until[port] = self._loop.time() + DOWN_SECONDS
        if fault is Fault.FAIL or self._loop.time() < self._down_until[port]:
            raise unavailable(f"The {port} does not answer: injected before the effect.")
        if fault is Fault.CRASH_BEFORE:
            visit.process.died.set()
        if fault is Fault.DELAY:
            await asyncio.sleep(SLOW_SECONDS)
        if fault is Fault.LATE:
            self._late.append(asyncio.create_task(_after_a_while(effect)))
            await asyncio.sleep(GIVE_UP_SECONDS)
            raise unavailable(f"The {port} did not answer in time: injected, the effect comes late.")

    async def _double(
        self,
        effect: Callable[[], Awaitable[Found]],
        reply: Found,
        again: Callable[[Found], Awaitable[object]] | None,
    ) -> None:
        # What comes of the second request nobody hears.
        await asyncio.gather(again(reply) if again else effect(), return_exceptions=True)

    async def _after(
        self, fault: Fault | None, process: Process, unavailable: Callable[[str], Exception]
    ) -> None:
        if fault is Fault.CRASH_AFTER:
            process.died.set()
        if fault is Fault.DELAY_REPLY:
            await asyncio.sleep(SLOW_SECONDS)
        if fault is Fault.DROP_REPLY:
            raise unavailable("The reply was lost: injected after the effect.")

    async def _moves(self, process: Process) -> None:
        """Return once the process moves on; in a dead one that is never, until everything is over."""
        if (frozen := process.frozen_until - self._loop.time()) > 0:
            await asyncio.sleep(frozen)
        if process.died.is_set():
            await self._is_over.wait()
            raise asyncio.CancelledError


async def _after_a_while(effect: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(SLOW_SECONDS)
    await effect()
