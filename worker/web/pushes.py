"""The forms in which Pub/Sub and Eventarc push a message, as one delivery.

    wrapped              {"message": {"data": base64, "attributes", "messageId", "publishTime"}, "subscription", …}
    CloudEvent, binary   headers ce-*, and the wrapped form as the body
    CloudEvent, structured    application/cloudevents+json whose `data` is the wrapped form
    unwrapped            the message's data is the body; its metadata, if any, stands in headers x-goog-pubsub-*

https://docs.cloud.google.com/pubsub/docs/push and https://docs.cloud.google.com/pubsub/docs/payload-unwrapping.
Whatever is none of these is taken for an unwrapped message: the worker's own rules then say what is wrong with it. So
is what has a question's own fields beside `message`, as no wrapper has: a question may have fields that nobody knows.

Base64 is read as ProtoJSON reads it: either alphabet, with or without padding.
https://protobuf.dev/programming-guides/json/#mapping
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from services.content.models import ContentRequest
from services.errors import MessageDecodeError
from services.messaging.port import Delivery

STRUCTURED = "application/cloudevents+json"
MARKS = ("data", "attributes", "messageId", "message_id")
MAX_ATTEMPT = 1_000_000

_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """A delivery, and what is wrong with how it came; its data is then the body as it came."""

    delivery: Delivery
    defect: MessageDecodeError | None = None


def pushed(headers: Mapping[str, str], body: bytes, *, now: datetime) -> Pushed:
    """What was pushed; names of headers are in lower case. Raises nothing."""
    if "x-goog-pubsub-message-id" not in headers:
        try:
            wrapped = _wrapped(headers, body)
        except _NotBase64 as error:
            return Pushed(delivery=_bare(headers, body, now), defect=error.defect)
        if wrapped is not None:
            return _unwrapped(wrapped, body, now)
    return Pushed(delivery=_bare(headers, body, now))


class _NotBase64(Exception):  # noqa: N818  # becomes a defect
    def __init__(self, field: str) -> None:
        super().__init__(field)
        message = f"The push has a field {field} that is not base64."
        self.defect = MessageDecodeError(message, kind="not_base64")


def _unwrapped(wrapped: Mapping[str, Any], body: bytes, now: datetime) -> Pushed:
    try:
        data = _data(wrapped["message"])
    except _NotBase64 as error:
        return Pushed(delivery=_unpacked(wrapped, body, body, now), defect=error.defect)
    return Pushed(delivery=_unpacked(wrapped, data, body, now))


def _bare(headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    return _delivery(
        data=body,
        message_id=headers.get("x-goog-pubsub-message-id"),
        body=body,
        publish_time=_time(headers.get("x-goog-pubsub-publish-time"), now),
        ordering_key=headers.get("x-goog-pubsub-ordering-key"),
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
        ordering_key=message.get("orderingKey") or message.get("ordering_key"),
    )


def _delivery(
    *,
    data: bytes,
    message_id: object,
    body: bytes,
    publish_time: datetime,
    attributes: Mapping[str, str] | None = None,
    attempt: int = 0,
    ordering_key: object = None,
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
        ordering_key=ordering_key if isinstance(ordering_key, str) else "",
    )


def _wrapped(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    outer = _json_object(body)
    if outer is not None and headers.get("content-type", "").lower().startswith(STRUCTURED):
        outer = _event_data(outer)
    if outer is None or not isinstance(message := outer.get("message"), dict):
        return None
    if ContentRequest.model_fields.keys() & outer.keys():
        return None
    return outer if any(mark in message for mark in MARKS) else None


def _event_data(event: Mapping[str, Any]) -> dict[str, Any] | None:
    if isinstance(data := event.get("data"), dict):
        return data
    encoded = event.get("data_base64")
    return None if encoded is None else _json_object(_base64(encoded, field="data_base64"))


def _data(message: Mapping[str, Any]) -> bytes:
    """The message's bytes; none are the same as no field, as on Pub/Sub. Raises `_NotBase64`."""
    value = message.get("data")
    return b"" if value is None else _base64(value, field="message.data")


def _strings(value: object) -> dict[str, str]:
    """Attributes, which Pub/Sub has as strings alone: nothing else may reach a log or a dead letter by their way."""
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def _base64(value: object, *, field: str) -> bytes:
    if not isinstance(value, str):
        raise _NotBase64(field)
    text = value.translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _NotBase64(field) from None


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
