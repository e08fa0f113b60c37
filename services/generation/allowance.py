"""What one message may take in all: calls, seconds and US dollars, over its stages, rungs, retries and re-asks."""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from services.errors import ContentWorkerError
from services.generation.spend import Spend

COST_LIMIT = "cost_limit"
"""The kind of `AllowanceSpent` when it is about dollars: the next attempt would cost as many."""


class AllowanceSpent(ContentWorkerError):  # noqa: N818  # named after a state, like its family in services/errors.py
    """The message may make no further call. A rung reports it as its failure: it never gets beyond the ladder."""

    kind = "allowance_spent"
    code = None

    def __init__(self, what: str, *, kind: str = kind) -> None:
        super().__init__(
            f"The message has used up its {what}; "
            "WORKER_MESSAGE_CALL_LIMIT, WORKER_MESSAGE_TIMEOUT_SECONDS and WORKER_MESSAGE_COST_LIMIT_USD bound them."
        )
        self.kind = kind


Guard = Callable[[], Awaitable[None]]
"""Returns when a call may be made; raises when it may not, because somebody else works on the message now."""


async def no_guard() -> None:
    """Lets every call pass."""


def no_limit() -> float | None:
    """No bound in dollars."""
    return None


class Allowance:
    """Runs down as calls are made. Without bounds it only adds up what a message has taken.

    `max_usd` is asked once, before the first call to a model; None is no bound. Calls of unknown price do not count.
    `seconds` count from its making. `spend` is everything that was spent, also on calls that brought nothing: what a
    message cost is told by it and by nothing else. `guard` is asked before every call.
    """

    def __init__(
        self,
        *,
        guard: Guard = no_guard,
        max_calls: int | None = None,
        seconds: float = math.inf,
        max_usd: Callable[[], float | None] = no_limit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.guard = guard
        self._max_calls = max_calls
        self._seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds
        self._find_max_usd = max_usd
        self._reserved_usd = 0.0
        self._fell_short = False
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
    def usd_left(self) -> float:
        """US dollars that a further call may cost, those under way at their highest; infinite without a bound."""
        return max(0.0, self._max_usd - self.spend.least_usd - self._reserved_usd)

    @cached_property
    def _max_usd(self) -> float:
        found = self._find_max_usd()
        return math.inf if found is None else found

    @contextmanager
    def reserved(self, usd: float) -> Iterator[None]:
        """Keep these dollars for a call: stages that run side by side must not both have them."""
        self._reserved_usd += usd
        try:
            yield
        finally:
            self._reserved_usd -= usd

    @property
    def is_spent(self) -> bool:
        """Whether no call may be made any more."""
        # Without a call there is no need of a price list, which takes its time to load.
        has_paid = self.spend.least_usd > 0
        return (
            self.calls_left == 0
            or self.seconds_left == 0
            or (has_paid and self.spend.least_usd >= self._max_usd)
        )

    @property
    def fell_short(self) -> bool:
        """Whether a call was not made, or may not be made any more, that a larger allowance would have had."""
        return self._fell_short or self.is_spent

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
        """The error that says which bound is reached; for dollars also when what is left is too little for a call."""
        self._fell_short = True
        if self.calls_left == 0:
            return AllowanceSpent(f"{self._max_calls} calls")
        if self.seconds_left == 0:
            return AllowanceSpent(f"{self._seconds:g} seconds")
        left = f", but for ${self.usd_left:.4f}" if self.usd_left else ""
        return AllowanceSpent(f"${self._max_usd:.4f}{left}", kind=COST_LIMIT)
