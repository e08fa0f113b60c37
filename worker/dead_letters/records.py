"""Dead letters for programs, as JSON values."""

import base64
from typing import Any

from services.messaging.port import Delivery
from worker.dead_letters.groups import Group
from worker.dead_letters.redriving import Redrive


def record_of(delivery: Delivery) -> dict[str, Any]:
    """A dead letter as JSON values: its body as it is, in `body_base64` where it is no UTF-8 text."""
    record = {
        "message_id": delivery.message_id,
        "publish_time": delivery.publish_time.isoformat(),
        "attributes": dict(sorted(delivery.attributes.items())),
    }
    if delivery.ordering_key:
        record["ordering_key"] = delivery.ordering_key
    try:
        return {**record, "body": delivery.data.decode()}
    except UnicodeDecodeError:
        return {**record, "body_base64": base64.b64encode(delivery.data).decode()}


def group_record_of(group: Group) -> dict[str, Any]:
    """A group as JSON values; `cost_usd` is what is known, all of it where `cost_is_complete`."""
    return {
        "fingerprint": group.cause.fingerprint,
        "count": len(group.letters),
        "stage": group.cause.stage,
        "kind": group.cause.kind,
        "cause": group.cause.text,
        "first_seen": group.first_seen.isoformat(),
        "last_seen": group.last_seen.isoformat(),
        "attempts": group.attempts,
        "cost_usd": float(group.cost_usd),
        "cost_is_complete": group.cost_is_complete,
    }


def redrive_record_of(redrive: Redrive) -> dict[str, Any]:
    """What is or was to be done with a message; `sent_as` is null as long as it was not sent."""
    return {
        "source_message_id": redrive.letter.source_message_id,
        "request_id": redrive.letter.request_id,
        "fingerprint": redrive.letter.cause.fingerprint,
        "redrives": redrive.letter.redrives,
        "action": "leave" if redrive.obstacle else "redrive",
        "obstacle": redrive.obstacle or None,
        "sent_as": redrive.message_id,
    }
