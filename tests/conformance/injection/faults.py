"""What can go wrong at one await point, and where that makes no sense."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One fault at one call across the border of a worker. `effect` is what the call does on the other side."""

    FAIL = "fail"
    """The call fails before any effect."""
    DOWN = "down"
    """The same, and so does every other call to that port for 20 seconds."""
    DELAY = "delay"
    """The effect comes 90 seconds late, and the reply with it; leases and claims last 60."""
    DELAY_REPLY = "delay_reply"
    """The effect comes in time, the reply 90 seconds late."""
    LATE = "late"
    """The caller is told after 10 seconds that nobody answered; after 90 the effect comes all the same."""
    DROP_REPLY = "drop_reply"
    """The effect comes in time, the caller is told that nobody answered."""
    DUPLICATE = "duplicate"
    """The effect comes twice, the reply once; what is pulled also goes to a second worker."""
    CRASH_BEFORE = "crash_before"
    """The process dies before the effect, and nothing of it moves any more; another one starts."""
    CRASH_AFTER = "crash_after"
    """The same after the effect and before the reply."""
    FREEZE = "freeze"
    """The whole process stands still for 90 seconds, in the middle of this call; another one starts meanwhile."""
    STOP = "stop"
    """The process gets SIGTERM."""
    STOP_IN_OUTAGE = "stop_in_outage"
    """The port is down as in `down`, and 5 seconds later the process gets SIGTERM."""


CRASHES = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_AFTER})
SLOW = frozenset({Fault.DELAY, Fault.DELAY_REPLY, Fault.LATE, Fault.FREEZE})

DOWN_SECONDS = 20.0
STOP_SECONDS = 5.0
SLOW_SECONDS = 90.0
GIVE_UP_SECONDS = 10.0

MODEL_CALL = "model.complete"
PULL = "queue.pull"
CLAIM = "store.claim"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Point:
    """The `ordinal`-th call of one method of one port in a run, over all its workers: `store.claim#1`."""

    call: str
    ordinal: int

    @property
    def port(self) -> str:
        """Where the call goes."""
        return self.call.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.call}#{self.ordinal}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Injection:
    """One fault at one point."""

    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at {self.point}"


def reason_to_skip(injection: Injection) -> str | None:
    """Why a fault means nothing at a point, or None."""
    if injection.point.call == MODEL_CALL:
        if injection.fault is Fault.DUPLICATE:
            return "No network makes two of a unary call to a model."
        if injection.fault is Fault.LATE:
            return "The caller of a model has a timeout of its own: the same as delay."
    if injection.point.call == CLAIM and injection.fault is Fault.LATE:
        return "A claim that is not answered is no single request that could come late: each of its steps is guarded."
    return None
