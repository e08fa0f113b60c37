"""What happens to a message, decided from how its work ended; acting on it is the consumer's business."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from services.content.fulfilment import AlreadyFinished, Failed, Outcome, OwnedElsewhere, Stored
from services.errors import ConfigurationError, ContentWorkerError

_RETRY_FIRST_SECONDS = 10.0
_RETRY_MAX_SECONDS = 600.0


class Action(Enum):
    """The four ways to settle a message."""

    ACK = "ack"
    """The result is stored: never deliver it again."""
    RETRY = "retry"
    """Nothing is stored: deliver it again after a while."""
    HOLD = "hold"
    """Somebody else works on it: keep the lease and look again."""
    DEAD_LETTER = "dead_letter"
    """No attempt can succeed: publish it with the reason, then ack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """An action and, for everything but a plain success, why; and what an operator can do, where there is anything."""

    action: Action
    reason: str
    detail: str = ""
    fix: str = ""


def settle_outcome(outcome: Outcome) -> Settlement:
    """The settlement of work that came to an outcome."""
    match outcome:
        case Stored():
            return Settlement(action=Action.ACK, reason="stored")
        case AlreadyFinished():
            return Settlement(action=Action.ACK, reason="already_finished")
        case OwnedElsewhere():
            return Settlement(action=Action.HOLD, reason="owned_elsewhere")
        case Failed(failure=failure, hopeless=hopeless):
            action = Action.DEAD_LETTER if hopeless else Action.RETRY
            return Settlement(action=action, reason=failure.kind, detail=failure.message)


def settle_error(error: ContentWorkerError) -> Settlement:
    """The settlement of work that was put off by an error which is not the request's fault: no failure is counted."""
    # After a lost claim its new owner answers, and then the redelivered message is acked.
    fix = error.fix if isinstance(error, ConfigurationError) else ""
    return Settlement(action=Action.RETRY, reason=error.kind, detail=error.message, fix=fix)


def retry_delay_seconds(attempt: int, *, uniform: Callable[[float, float], float]) -> int:
    """How long to leave a message alone: exponential from 10 s to 10 min, with full jitter above the first 10 s.

    `attempt` is the delivery that failed, counted from 1 (0 where the queue does not count). The ceiling is the
    longest lease Pub/Sub grants.
    """
    ceiling = min(_RETRY_MAX_SECONDS, _RETRY_FIRST_SECONDS * 2.0 ** min(max(attempt - 1, 0), 10))
    return round(uniform(_RETRY_FIRST_SECONDS, max(_RETRY_FIRST_SECONDS, ceiling)))
