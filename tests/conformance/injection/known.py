"""What is known to break a promise, each with its cause and the shortest way to see it. Mended: take it out here."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.conformance.injection.faults import Fault, Injection, Point
from tests.conformance.injection.promises import Broken

Explains = Callable[[str, Injection, Broken], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """One cause, an example of it, and which broken promises it explains."""

    cause: str
    scenario: str
    example: Injection
    explains: Explains


def known_cause(scenario: str, injection: Injection | None, broken: Broken) -> str | None:
    """The known cause of a broken promise, or None."""
    if injection is None:
        return None
    return next((one.cause for one in KNOWN if one.explains(scenario, injection, broken)), None)


def _at(call: str, ordinal: int, fault: Fault) -> Injection:
    return Injection(point=Point(call=call, ordinal=ordinal), fault=fault)


def _reopened(scenario: str, injection: Injection, broken: Broken) -> bool:
    fails = scenario in ("hopeless", "bug", "malformed-with-id")
    is_written_again = broken.promise == "one result each" or "'processing'}, expected" in broken.seen
    return fails and is_written_again and not _refused_in_vain(scenario, injection, broken)


def _refused_in_vain(scenario: str, injection: Injection, broken: Broken) -> bool:
    is_left = "'processing'}, expected" in broken.seen
    return scenario == "malformed-with-id" and injection.point.call == "store.complete" and is_left


def _not_shared(scenario: str, _injection: Injection, broken: Broken) -> bool:
    return scenario == "two-students" and broken.promise == "paid once" and "gave up" not in broken.seen


def _stale_payer(_scenario: str, injection: Injection, broken: Broken) -> bool:
    return injection.fault is Fault.FREEZE and broken.promise == "paid once"


def _hung_renewal(scenario: str, injection: Injection, broken: Broken) -> bool:
    return (
        scenario == "slow"
        and injection.fault in (Fault.DELAY, Fault.DELAY_REPLY)
        and injection.point.call in ("queue.extend", "store.extend")
        and broken.promise == "paid once"
    )


def _cut_while_keeping(_scenario: str, injection: Injection, broken: Broken) -> bool:
    return injection.fault is Fault.STOP and "ended before the answer was durable" in broken.seen


KNOWN: list[Known] = []
