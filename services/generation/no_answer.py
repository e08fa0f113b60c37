"""Decides whose fault it is that no rung of a ladder answered: the request's, or the services'."""

from collections.abc import Sequence

from services.errors import NoModelAnswered, RequestFailed
from services.generation.allowance import COST_LIMIT, AllowanceSpent
from services.generation.port import ModelRef, RungFailure

OWN_FAULTS = frozenset(
    {"invalid_json", "invalid_answer", "truncated", "empty", "recitation", "invalid_request", COST_LIMIT}
)
"""Kinds of failure that come with the request: every kind of `ModelAnswerInvalid`, what a model calls malformed, and
dollars that are used up: not counted, the request would be paid for again and again."""

NEUTRAL = frozenset({AllowanceSpent.kind})
"""Kinds that follow from the failures before them."""


def no_answer(
    stage: str, failures: Sequence[tuple[ModelRef, RungFailure]], *, answers_others: bool = True
) -> NoModelAnswered | RequestFailed:
    """The error for a task whose rungs have all failed like this, best rung first.

    `answers_others` says whether one of those that failed at the request could answer another one.
    """
    telling = [failure.kind for _, failure in failures if failure.kind not in NEUTRAL]
    if telling and OWN_FAULTS.issuperset(telling):
        if answers_others:
            return _request_failed(stage, failures, kind=telling[-1])
        return _outage(f"No model answers anybody for {stage}, not even a standard question.", failures)
    return _outage(f"No rung of the ladder for {stage} answered.", failures)


def _outage(what: str, failures: Sequence[tuple[ModelRef, RungFailure]]) -> NoModelAnswered:
    reasons = "; ".join(f"{ref}: {failure.message}" for ref, failure in failures)
    return NoModelAnswered(f"{what} {reasons}", retry_after=_retry_after(failures))


def _retry_after(failures: Sequence[tuple[ModelRef, RungFailure]]) -> float | None:
    """When the first rung is asked again; None when one of them may be asked at any time."""
    waits = [failure.retry_after for _, failure in failures]
    known = [wait for wait in waits if wait is not None]
    return min(known) if known and len(known) == len(waits) else None


def _request_failed(
    stage: str, failures: Sequence[tuple[ModelRef, RungFailure]], *, kind: str
) -> RequestFailed:
    # Kinds only: such failures are counted by their message, and which field was wrong differs from time to time.
    kinds = "; ".join(f"{ref}: {failure.kind}" for ref, failure in failures)
    message = (
        f"Every rung of the ladder for {stage} failed at this request. {kinds}. See rung.failed in the logs."
    )
    return RequestFailed(message, stage=stage, kind=kind)
