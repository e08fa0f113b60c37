"""The promises of the worker, checked on what was seen of a run from the outside."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.conformance.injection.audit import Audit, Removal
from tests.conformance.injection.faults import MODEL_CALL
from tests.conformance.injection.orderliness import ends_in_good_order, nothing_of_a_student_gets_out
from tests.conformance.injection.paying import paid_once
from tests.conformance.injection.running import Run

UNFINISHED = "processing"
FAILED = "failed"
LOWEST_FIRST = ("mock", "fallback", "live")

Check = Callable[[Run, Audit], Iterator[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """One promise that one run has broken, and how."""

    promise: str
    seen: str


def broken_promises(run: Run) -> list[Broken]:
    """All promises that the run has broken."""
    assert run.audit is not None
    checks: dict[str, Check] = {
        "nothing is lost": _nothing_is_lost,
        "one result each": _one_result_each,
        "paid once": paid_once,
        "no stale write": _no_stale_write,
        "it says how": _it_says_how,
        "it ends in good order": ends_in_good_order,
        "nothing of a student gets out": nothing_of_a_student_gets_out,
    }
    return [
        Broken(promise=promise, seen=seen)
        for promise, check in checks.items()
        for seen in check(run, run.audit)
    ]


def _nothing_is_lost(run: Run, audit: Audit) -> Iterator[str]:
    if audit.waiting or len(audit.removals) != len(run.message_ids):
        settled, waiting = len(audit.removals), len(audit.waiting)
        yield f"{len(run.message_ids)} messages were published, {settled} settled, {waiting} are in the queue"
    requests = dict(zip(run.message_ids, run.scenario.request_ids, strict=True))
    for removal in audit.removals:
        status = removal.results.get(requests[removal.message_id] or "", UNFINISHED)
        if status in (UNFINISHED, FAILED) and not _is_dead(removal):
            yield f"a message was acked with its result {status} and no dead letter"
    statuses = {request_id: document["status"] for request_id, document in audit.results.items()}
    if statuses != run.scenario.results:
        yield f"results are {statuses}, expected {dict(run.scenario.results)}"
    kinds = {letter.get("error_kind", "") for letter in audit.letters}
    if kinds != set(run.scenario.letters):
        yield f"dead letters tell of {sorted(kinds)}, expected {sorted(run.scenario.letters)}"


def _is_dead(removal: Removal) -> bool:
    return any(letter.get("source_message_id") == removal.message_id for letter in removal.letters)


def _one_result_each(_run: Run, audit: Audit) -> Iterator[str]:
    written = Counter(write.request_id for write in audit.writes if write.after["status"] != UNFINISHED)
    for request_id, count in written.items():
        if count > 1:
            yield f"{count} final documents were written for {request_id}"


def _no_stale_write(run: Run, audit: Audit) -> Iterator[str]:
    yield from run.stale
    for write in audit.writes:
        if write.before is None or write.before["status"] != UNFINISHED:
            continue
        old, new = write.before.get("claim"), write.after.get("claim")
        if old and new and old["owner"] != new["owner"] and old["expires_at"] > new["renewed_at"]:
            yield f"{new['owner']} took {write.request_id} over from {old['owner']}, whose claim was alive"


def _it_says_how(run: Run, audit: Audit) -> Iterator[str]:
    """Which rung answered, and why not a better one."""
    for request_id, document in audit.results.items():
        if document["status"] == FAILED and not document["failures"]:
            yield f"{request_id} failed and does not say why"
        if document["status"] in (UNFINISHED, FAILED):
            continue
        modes = {record["mode"] for record in document["stages"].values()}
        lowest = next(mode for mode in LOWEST_FIRST if mode in modes)
        if document["mode"] != lowest or document["degraded"] != (lowest != "live"):
            yield f"{request_id} says {document['mode']} of stages that are {sorted(modes)}"
        if lowest not in run.scenario.modes and not _hit_the_model(run):
            yield f"{request_id} was answered by {lowest}, expected {sorted(run.scenario.modes)}"
        for stage, record in document["stages"].items():
            if record["mode"] != "live" and not record["error"]:
                yield f"{request_id} does not say why {stage} is {record['mode']}"


def _hit_the_model(run: Run) -> bool:
    return run.injection is not None and run.injection.point.call == MODEL_CALL
