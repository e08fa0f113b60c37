"""Nothing is paid for twice, and what a fault excuses."""

from collections.abc import Iterator, Sequence

from tests.conformance.injection.audit import Audit
from tests.conformance.injection.faults import CRASHES, MODEL_CALL, Fault, Injection
from tests.conformance.injection.models import CRASHED, ENDED, GIVEN_UP, UNHEARD, PaidCall
from tests.conformance.injection.running import Run


def paid_once(run: Run, _audit: Audit) -> Iterator[str]:
    """Tell of each answer that was paid for more often than the fault excuses."""
    by_content: dict[str, list[PaidCall]] = {}
    for call in run.calls:
        if not _is_excused(run, call):
            by_content.setdefault(call.content, []).append(call)
    for content, calls in by_content.items():
        if len(calls) > 1 and not _at_the_same_time_elsewhere(calls):
            told = ", ".join(f"{call.process} after {call.asked_at:.2f} s ({_fate(call)})" for call in calls)
            yield f"{len(calls)} calls were paid for one answer, by {told}: {content[:30]!r}"


def _at_the_same_time_elsewhere(calls: Sequence[PaidCall]) -> bool:
    """Whether each call is of another process for another request: what is not durable yet they cannot share."""
    processes = {call.process for call in calls}
    requests = {call.request_id for call in calls}
    return len(processes) == len(requests) == len(calls) and not any(call.was_kept for call in calls)


def _fate(call: PaidCall) -> str:
    return call.lost or "heard"


def _is_excused(run: Run, call: PaidCall) -> bool:
    """Whether the fault explains that this answer was paid for and lost."""
    if run.injection is None or call.lost is None:
        return False
    if run.injection.fault is Fault.FREEZE:
        return run.hit_at is not None and call.asked_at <= run.hit_at
    return call.lost in _excused_losses(run.injection)


def _excused_losses(injection: Injection) -> set[str]:
    if injection.fault in CRASHES:
        return {CRASHED}
    if injection.fault is Fault.STOP_IN_OUTAGE and injection.point.port == "answers":
        return {GIVEN_UP, ENDED}
    if injection.fault in (Fault.STOP, Fault.STOP_IN_OUTAGE):
        return {GIVEN_UP}
    return {UNHEARD, GIVEN_UP} if injection.point.call == MODEL_CALL else set()
