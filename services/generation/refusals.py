"""Keeps a model that refuses from being asked, until it is time to look again.

A refusal holds for every call to a model, whichever message it is for: the model is retired, a role is missing, the
quota of the day is used up. Asking on costs time and brings nothing, and an operator needs to be told once.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from services.errors import ContentWorkerError, ModelRejected, ModelUnavailable
from services.generation.allowance import AllowanceSpent
from services.generation.port import ModelRef, RungFailure

log = structlog.get_logger()

T = TypeVar("T")

LASTING = frozenset({"model_not_found", "permission_denied", "unauthenticated"})
"""Kinds of `ModelRejected` that are the same for every call to a model, mostly until an operator acts.

`invalid_request` is not among them: a 400 is mostly about one message (a prompt that is too long), and one
student's odd question must not take the model away from everybody. Refusals by policy arrive as 400 too; the
provider tells them apart and reports them as `permission_denied`.
"""

PROBE_AFTER_SECONDS = (5.0, 120.0, 240.0, 480.0, 900.0)
"""How long a refused model is left alone: at first, and after each probe in vain.

Rights that were granted are there after 2 minutes, typically, and may take 7 or longer
(https://cloud.google.com/iam/docs/access-change-propagation); a refusal that came by mistake is over in seconds.
"""

MAX_CLOSED_SECONDS = 24 * 3600.0
"""The longest time that a service may name: quotas are for a day at most, and a typing error must not last a year."""

OUT_FOR_A_WHILE = (
    "Nothing needs to be done: lower rungs answer until then. If it comes often, ask for more quota."
)

JITTER_SHARE, MAX_JITTER_SECONDS = 0.1, 30.0
"""What may come on top of every time, so that not all processes probe in the same instant."""


class RungClosed(ContentWorkerError):  # noqa: N818  # named after a state, like its family in services/errors.py
    """The model is not to be asked now. A rung reports `failure` as its own: it never gets beyond the ladder."""

    kind = "rung_closed"

    def __init__(self, failure: RungFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, kw_only=True, slots=True)
class _Closure:
    """`probes` counts those that were refused."""

    failure: RungFailure
    since: datetime
    until: datetime
    probes: int


class Refusals:
    """What one model at one location has refused; shared by all rungs that stand for it.

    A refusal closes the rungs when the model says it twice: the call is repeated at once, because one may pass (a token
    that has expired, a front end that has not heard of a new right) and a refusal costs no tokens. After a while one
    call is let through as the probe: an answer reopens the rungs, another refusal closes them for longer. A service
    that names a time beyond what is worth waiting closes them until then.
    """

    def __init__(
        self,
        ref: ModelRef,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._ref = ref
        self._now = now
        self._uniform = uniform
        self._closure: _Closure | None = None
        self._is_probed = False

    async def run(self, call: Callable[[], Awaitable[T]], *, longest_wait: float) -> T:
        """The result of the call, or any error it raises. Waits for nothing.

        Raises `RungClosed` without a call while the model is not to be asked, and after a call that closes it: by a
        lasting refusal, or an outage of more than `longest_wait` seconds.
        """
        is_probe = self._admit()
        try:
            result = await self._insist(call, is_probe=is_probe)
        except ModelUnavailable as error:
            if error.lasts or (error.retry_after or 0.0) > longest_wait:
                raise self._close(error) from error
            raise
        except ModelRejected as error:
            # What is wrong with one request is said by a model that answers others.
            if is_probe and error.kind not in LASTING:
                self._reopen()
            raise
        else:
            if is_probe:
                self._reopen()
            return result
        finally:
            if is_probe:
                self._is_probed = False

    def _admit(self) -> bool:
        """Whether the call is the probe of a closed rung."""
        if self._closure is None:
            return False
        if self._is_probed or self._now() < self._closure.until:
            raise self._closed(self._closure)
        self._is_probed = True
        return True

    async def _insist(self, call: Callable[[], Awaitable[T]], *, is_probe: bool) -> T:
        """The call's result, repeated at once until the model answers or has said the same twice."""
        said = {self._closure.failure.kind} if is_probe and self._closure else set()
        refusal: ModelRejected | None = None
        while True:
            try:
                return await call()
            except AllowanceSpent:
                if refusal is None:
                    raise
                raise refusal from None
            except ModelRejected as error:
                if error.kind not in LASTING:
                    raise
                if error.kind in said:
                    raise self._close(error) from error
                if self._closure is not None and not is_probe:
                    # Another call was told the same twice meanwhile.
                    raise self._closed(self._closure) from error
                said.add(error.kind)
                refusal = error

    def _close(self, reason: ModelRejected | ModelUnavailable) -> RungClosed:
        now, earlier = self._now(), self._closure
        if earlier is not None and now < earlier.until:
            return self._closed(earlier)
        probes = earlier.probes + 1 if earlier else 0
        seconds = _closed_seconds(reason, probes=probes)
        jitter = self._uniform(0.0, min(JITTER_SHARE * seconds, MAX_JITTER_SECONDS))
        closure = _Closure(
            # Of the error only the words are kept: its traceback holds on to the request.
            failure=RungFailure(kind=reason.kind, code=reason.code, message=str(reason)),
            since=earlier.since if earlier else now,
            until=now + timedelta(seconds=seconds + jitter),
            probes=probes,
        )
        self._closure = closure
        if earlier is None or earlier.failure.message != closure.failure.message:
            self._warn(reason, closure.until)
        else:
            log.info("rung.still_closed", **self._names(), kind=reason.kind, until=_text(closure.until))
        return self._closed(closure)

    def _closed(self, closure: _Closure) -> RungClosed:
        left = max(0.0, (closure.until - self._now()).total_seconds())
        return RungClosed(replace(closure.failure, retry_after=left))

    def _reopen(self) -> None:
        if self._closure is not None:
            seconds = (self._now() - self._closure.since).total_seconds()
            log.info("rung.reopened", **self._names(), closed_seconds=round(seconds, 1))
            self._closure = None

    def _warn(self, reason: ModelRejected | ModelUnavailable, until: datetime) -> None:
        log.warning(
            "rung.closed",
            **self._names(),
            kind=reason.kind,
            code=reason.code,
            cause=reason.message,
            fix=reason.fix if isinstance(reason, ModelRejected) else OUT_FOR_A_WHILE,
            until=_text(until),
        )

    def _names(self) -> dict[str, str | None]:
        return {"provider": self._ref.provider, "model": self._ref.model, "location": self._ref.location}


def _closed_seconds(reason: ModelRejected | ModelUnavailable, *, probes: int) -> float:
    """How long to leave the model alone after that many probes in vain."""
    if isinstance(reason, ModelRejected):
        return _pause(probes)
    named = min(reason.retry_after or 0.0, MAX_CLOSED_SECONDS)
    # A quota is not back in seconds, whatever time is named with it.
    return max(named, _pause(probes + 1)) if reason.lasts else named


def _pause(probes: int) -> float:
    return PROBE_AFTER_SECONDS[min(probes, len(PROBE_AFTER_SECONDS) - 1)]


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
