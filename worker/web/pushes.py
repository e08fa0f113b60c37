"""The forms in which Pub/Sub and Eventarc push a message, as one delivery.

    wrapped              {"message": {"data": base64, "attributes", "messageId", "publishTime"}, "subscription", …}
    CloudEvent, binary   headers ce-*, and the wrapped form as the body
    CloudEvent, structured    application/cloudevents+json whose `data` is the wrapped form
    unwrapped            the message's data is the body; its metadata, if any, stands in headers x-goog-pubsub-*

https://docs.cloud.google.com/pubsub/docs/push and https://docs.cloud.google.com/pubsub/docs/payload-unwrapping.
Whatever is none of these is taken for an unwrapped message: the worker's own rules then say what is wrong with it.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from services.messaging.port import Delivery

STRUCTURED = "application/cloudevents+json"
MARKS = ("data", "attributes", "messageId", "message_id")
MAX_ATTEMPT = 1_000_000


def delivery_of(headers: Mapping[str, str], body: bytes, *, now: datetime) -> Delivery:
    """The delivery that a pushed body is; names of headers are in lower case. Raises nothing."""
    wrapped = None if "x-goog-pubsub-message-id" in headers else _wrapped(headers, body)
    if wrapped is not None:
        data = _data(wrapped["message"])
        if data is not None:
            return _unpacked(wrapped, data, body, now)
    return _delivery(
        data=body,
        message_id=headers.get("x-goog-pubsub-message-id"),
        body=body,
        publish_time=_time(headers.get("x-goog-pubsub-publish-time"), now),
    )


def _unpacked(wrapped: Mapping[str, Any], data: bytes, body: bytes, now: datetime) -> Delivery:
    message = wrapped["message"]
    attempt = wrapped.get("deliveryAttempt")
    return _delivery(
        data=data,
        message_id=message.get("messageId") or message.get("message_id"),
        body=body,
        publish_time=_time(message.get("publishTime") or message.get("publish_time"), now),
        attributes=_strings(message.get("attributes")),
        attempt=attempt if isinstance(attempt, int) and 0 <= attempt <= MAX_ATTEMPT else 0,
    )


def _delivery(
    *,
    data: bytes,
    message_id: object,
    body: bytes,
    publish_time: datetime,
    attributes: Mapping[str, str] | None = None,
    attempt: int = 0,
) -> Delivery:
    # Without an id of its own a message is known by its bytes: so its redelivery is seen to be one.
    known_as = (
        message_id
        if message_id and isinstance(message_id, str)
        else f"body-{hashlib.sha256(body).hexdigest()[:32]}"
    )
    return Delivery(
        message_id=known_as,
        lease_id="",
        data=data,
        attributes=attributes or {},
        publish_time=publish_time,
        attempt=attempt,
    )


def _wrapped(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    outer = _json_object(body)
    if outer is not None and headers.get("content-type", "").lower().startswith(STRUCTURED):
        outer = _event_data(outer)
    if outer is None or not isinstance(message := outer.get("message"), dict):
        return None
    return outer if any(mark in message for mark in MARKS) else None


def _event_data(event: Mapping[str, Any]) -> dict[str, Any] | None:
    if isinstance(data := event.get("data"), dict):
        return data
    decoded = _base64(event.get("data_base64"))
    return None if decoded is None else _json_object(decoded)


def _data(message: Mapping[str, Any]) -> bytes | None:
    """The message's bytes; none are the same as no field, as on Pub/Sub. None when they are not base64."""
    value = message.get("data")
    return b"" if value is None else _base64(value)


def _strings(value: object) -> dict[str, str]:
    """Attributes, which Pub/Sub has as strings alone: nothing else may reach a log or a dead letter by their way."""
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def _base64(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        value = from_json(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _time(value: object, now: datetime) -> datetime:
    if not isinstance(value, str):
        return now
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return now
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
