"""What a message that cannot be worked on takes with it to the dead-letter topic."""

import hashlib
import re

from services.errors import ContentWorkerError
from services.messaging.port import Delivery, Message

# Pub/Sub's limits: 100 attributes a message, 1,024 bytes a value. https://cloud.google.com/pubsub/quotas
_MAX_VALUE_BYTES = 1024
_MAX_ORIGINAL_ATTRIBUTES = 90


def dead_letter(
    delivery: Delivery, error: ContentWorkerError, *, stage: str, request_id: str | None
) -> Message:
    """The original bytes and attributes, with the reason beside them."""
    original = dict(list(delivery.attributes.items())[:_MAX_ORIGINAL_ATTRIBUTES])
    reason = {
        "error_kind": error.kind,
        "error_stage": stage,
        "error_message": _shortened(error.message),
        "fingerprint": fingerprint(stage, error),
        "source_message_id": delivery.message_id,
        "source_publish_time": delivery.publish_time.isoformat(),
    }
    if request_id is not None:
        reason["request_id"] = request_id
    return Message(data=delivery.data, attributes={**original, **reason})


def fingerprint(stage: str, error: ContentWorkerError) -> str:
    """The same for the same cause: stage, kind, and the message without its numbers."""
    words = re.sub(r"\d+", "#", error.message)
    return hashlib.sha256(f"{stage}|{error.kind}|{words}".encode()).hexdigest()[:12]


def _shortened(text: str) -> str:
    return text.encode()[:_MAX_VALUE_BYTES].decode(errors="ignore")
