"""What is logged of a message, however it came: one canonical line when it is settled, one when it meets a bug."""

from typing import Any

import structlog

from services.content.failures import BUG, place_of
from services.generation.spend import Spend, cost_facts
from worker.handler import Handled
from worker.settlement import Action

log = structlog.get_logger()

COMES_AGAIN = "The message was not acked and will be delivered again."


def tell_settled(handled: Handled, *, message_id: str, seconds: float, spend: Spend) -> None:
    """Log how a message was settled, after so many seconds of work, what that cost, and the bug it met, if any."""
    failure = handled.failure
    if failure is not None and failure.kind == BUG:
        tell_bug(
            message_id, failure.message, "It is tried again, and becomes a dead letter after five times."
        )
    level = log.warning if handled.settlement.action in (Action.DEAD_LETTER, Action.RETRY) else log.info
    level(
        "message.settled",
        message_id=message_id,
        seconds=round(seconds, 3),
        **_facts(handled),
        **cost_facts(spend),
    )


def tell_unsettled(reason: str, *, message_id: str, spend: Spend) -> None:
    """Log what was spent on a message that was not settled here and comes again; nothing when that is nothing."""
    if spend.calls:
        log.info("message.settled", message_id=message_id, action="none", reason=reason, **cost_facts(spend))


def tell_late(spend: Spend, *, message_id: str) -> None:
    """Log what a call took that outlived the work on its message, because other messages waited for it, too."""
    if spend != Spend():
        log.info("message.spent_late", message_id=message_id, **cost_facts(spend))


def tell_crashed(message_id: str, error: Exception) -> None:
    """Log a bug outside of the work on a message."""
    # Only the kind of the error and where it was raised: its text may quote the message.
    tell_bug(
        message_id,
        f"{type(error).__name__} at {place_of(error)}: a bug; please report the place.",
        COMES_AGAIN,
    )


def tell_bug(message_id: str, cause: str, fix: str) -> None:
    """Log a bug that a message met."""
    log.error("message.crashed", message_id=message_id, cause=cause, fix=fix)


def _facts(handled: Handled) -> dict[str, Any]:
    settlement, document, failure = handled.settlement, handled.document, handled.failure
    facts: dict[str, Any] = {"action": settlement.action.value, "reason": settlement.reason}
    facts |= {name: value for name in ("detail", "fix") if (value := getattr(settlement, name))}
    if document is not None:
        facts |= {key: document[key] for key in ("status", "mode", "saved_usd", "attempt")}
    if failure is not None:
        facts |= {"stage": failure.stage, "fingerprint": failure.fingerprint, "failures": failure.count}
    return facts
