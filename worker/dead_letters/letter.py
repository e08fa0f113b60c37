"""What a message that cannot be worked on takes with it to the dead-letter topic."""

from datetime import datetime

from services.content.models import Failure
from services.messaging.port import Delivery, Message

# Pub/Sub's limits: 100 attributes a message, 1,024 bytes a value. https://cloud.google.com/pubsub/quotas
_MAX_VALUE_BYTES = 1024
_MAX_ORIGINAL_ATTRIBUTES = 85

UNKNOWN_COST = "unknown"


def dead_letter(
    delivery: Delivery,
    failure: Failure,
    *,
    attempts: int,
    cost_usd: float | None,
    request_id: str | None,
    now: datetime,
) -> Message:
    """The original message with the reason beside it: what failed, how often, and what it cost."""
    original = dict(list(delivery.attributes.items())[:_MAX_ORIGINAL_ATTRIBUTES])
    reason = {
        "error_kind": failure.kind,
        "error_stage": failure.stage,
        "error_message": _shortened(failure.message),
        "fingerprint": failure.fingerprint,
        "attempts": str(attempts),
        "cost_usd": UNKNOWN_COST if cost_usd is None else f"{cost_usd:.8f}",
        "dead_lettered_at": now.isoformat(),
        "source_message_id": delivery.message_id,
        "source_publish_time": delivery.publish_time.isoformat(),
    }
    if request_id is not None:
        reason["request_id"] = request_id
    return Message(data=delivery.data, attributes={**original, **reason}, ordering_key=delivery.ordering_key)


def _shortened(text: str) -> str:
    return text.encode()[:_MAX_VALUE_BYTES].decode(errors="ignore")
