"""How runs end, and that nothing of a student gets out on the way."""

from collections.abc import Iterator
from typing import Any

from tests.conformance.injection.audit import Audit
from tests.conformance.injection.faults import Fault
from tests.conformance.injection.running import Ended, Run
from tests.conformance.injection.scenarios import MARKER
from worker.summary import EXIT_BUG, EXIT_OK, EXIT_OUTAGE

KILLED_AFTER_SECONDS = 10.0
"""Cloud Run's time from SIGTERM to SIGKILL."""


def ends_in_good_order(run: Run, _audit: Audit) -> Iterator[str]:
    """Every process that was not killed ends by itself, in time, with the right exit code and the reason for it."""
    yield from run.complaints
    for worker in run.workers:
        if worker.exit_code is None:
            continue
        if worker.exit_code not in _exit_codes(run):
            yield f"{worker.name} ended with {worker.exit_code}: {worker.line}"
        if worker.exit_code != EXIT_OK and not _says_why(worker):
            yield f"{worker.name} ended with {worker.exit_code} and did not say why"
        if worker.stopped_after is not None and worker.stopped_after > KILLED_AFTER_SECONDS:
            yield f"{worker.name} took {worker.stopped_after:.1f} s from SIGTERM to its end"


def _exit_codes(run: Run) -> set[int]:
    codes = {EXIT_OK, EXIT_BUG} if run.scenario.meets_bug else {EXIT_OK}
    # Everything else that is injected ends in time for the run to go on.
    if run.injection is not None and run.injection.fault is Fault.STOP_IN_OUTAGE:
        codes.add(EXIT_OUTAGE)
    return codes


def _says_why(worker: Ended) -> bool:
    return any(
        event["log_level"] in ("error", "warning") and event.get("cause") and event.get("fix")
        for event in worker.events
    )


def nothing_of_a_student_gets_out(run: Run, audit: Audit) -> Iterator[str]:
    """Neither the question nor the student's id stands where people read about errors."""
    events = [
        (f"{worker.name} logged it: {one['event']}", one) for worker in run.workers for one in worker.events
    ]
    letters = [("it stands in the attributes of a dead letter", letter) for letter in audit.letters]
    errors = [
        (f"it stands in the errors of {key}", _errors(document)) for key, document in audit.results.items()
    ]
    for where, told in (*events, *letters, *errors):
        if MARKER in repr(told).lower():
            yield where
    for request_id, document in audit.results.items():
        if f"student-{MARKER}" in repr(document).lower():
            yield f"the id of the student stands in {request_id}"


def _errors(document: dict[str, Any]) -> list[Any]:
    return [document.get("failures"), [one["error"] for one in document.get("stages", {}).values()]]
