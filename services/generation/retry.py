"""Asks again when a model is busy: a bounded number of calls, with pauses that spread the crowd."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from services.errors import ModelUnavailable
from services.generation.allowance import Allowance

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrySettings:
    """How patient a rung is. All durations are seconds.

    A service that asks to wait longer than `max_retry_after_seconds` is not waited for: its rung closes (`refusals`).

    Google advises at most two retries, exponential from one second, with jitter
    (https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/retry-strategy).
    """

    max_calls: int = 3
    base_seconds: float = 1.0
    max_backoff_seconds: float = 8.0
    max_retry_after_seconds: float = 30.0
    call_timeout_seconds: float = 60.0


def pause_before(
    settings: RetrySettings,
    *,
    failures: int,
    retry_after: float | None,
    uniform: Callable[[float, float], float],
) -> float:
    """Seconds to wait after that many failures in a row.

    Full jitter: anything between nothing and the exponential bound. Where the service named a time, it is
    kept and jitter comes on top, or all waiting calls would return in the same instant.
    """
    if retry_after is not None:
        return retry_after + uniform(0.0, settings.base_seconds)
    return uniform(0.0, min(settings.max_backoff_seconds, settings.base_seconds * 2 ** (failures - 1)))


class Retry:
    """Makes one call, and repeats it on `ModelUnavailable` only."""

    def __init__(
        self,
        settings: RetrySettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.settings = settings
        self._sleep = sleep
        self._uniform = uniform

    async def run(self, call: Callable[[], Awaitable[T]], *, max_calls: int, allowance: Allowance) -> T:
        """The call's result, or the error of the last one. No pause is made that the allowance would not outlast."""

        def gives_up(state: RetryCallState) -> bool:
            # Read after each call: other stages of the message draw on the allowance meanwhile.
            return (
                state.attempt_number >= max_calls
                or allowance.calls_left == 0
                or state.upcoming_sleep >= allowance.seconds_left
            )

        # One object a run: tenacity keeps the state of a run on it, and runs overlap.
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            stop=gives_up,
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(call)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        retry_after = error.retry_after if isinstance(error, ModelUnavailable) else None
        return pause_before(
            self.settings, failures=state.attempt_number, retry_after=retry_after, uniform=self._uniform
        )
