"""What one message may take in all: calls and seconds, over its stages, their rungs, retries and re-asks."""

import math
import time
from collections.abc import Awaitable, Callable

from services.errors import ContentWorkerError
from services.generation.spend import Spend


class AllowanceSpent(ContentWorkerError):  # noqa: N818  # named after a state, like its family in services/errors.py
    """The message may make no further call. A rung reports it as its failure: it never gets beyond the ladder."""

    kind = "allowance_spent"
    code = None

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The message has used up its {what}; "
            "WORKER_MESSAGE_CALL_LIMIT and WORKER_MESSAGE_TIMEOUT_SECONDS bound them."
        )


Guard = Callable[[], Awaitable[None]]
"""Returns when a call may be made; raises when it may not, because somebody else works on the message now."""


async def no_guard() -> None:
    """Lets every call pass."""


class Allowance:
    """Runs down as calls are made. Without bounds it only adds up what a message has taken.

    `seconds` count from its making. `spend` is everything that was spent, also on calls that brought nothing: what a
    message cost is told by it and by nothing else. `guard` is asked before every call.
    """

    def __init__(
        self,
        *,
        guard: Guard = no_guard,
        max_calls: int | None = None,
        seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.guard = guard
        self._max_calls = max_calls
        self._seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds
        self.spend = Spend()
        self._tell_late: Callable[[Spend], None] | None = None

    @property
    def calls_left(self) -> float:
        """How many calls may still be made; infinite without a bound."""
        return math.inf if self._max_calls is None else max(0, self._max_calls - self.spend.calls)

    @property
    def seconds_left(self) -> float:
        """How long a call may still take; 0 when the time is over."""
        return max(0.0, self._ends_at - self._clock())

    @property
    def is_spent(self) -> bool:
        """Whether no call may be made any more."""
        return self.calls_left == 0 or self.seconds_left == 0

    def add(self, spend: Spend) -> None:
        """Take in what was spent."""
        self.spend += spend
        if self._tell_late is not None:
            self._tell_late(spend)

    def close(self, tell_late: Callable[[Spend], None]) -> Spend:
        """All that was spent so far, for the bill; nothing when that was asked for before.

        A call that other messages wait for, too, outlives the work on its own message: what it takes is told to
        `tell_late` when it ends.
        """
        if self._tell_late is not None:
            return Spend()
        self._tell_late = tell_late
        return self.spend

    def spent(self) -> AllowanceSpent:
        """The error that says which bound is reached."""
        return AllowanceSpent(
            f"{self._max_calls} calls" if self.calls_left == 0 else f"{self._seconds:g} seconds"
        )
