"""The forms of a push: each must give the delivery that a pull of the same message gives."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from services.messaging.port import Delivery
from tests.builders import NOON, message_bytes
from worker.web.pushes import pushed

DATA = message_bytes()
PUBLISHED = datetime(2026, 11, 20, 11, 59, 58, 123456, tzinfo=UTC)


def delivery_of(headers: Mapping[str, str], body: bytes, *, now: datetime) -> Delivery:
    """The delivery of a push, whatever is wrong with it."""
    return pushed(headers, body, now=now).delivery


def wrapped(data: object = base64.b64encode(DATA).decode(), **changes: Any) -> dict[str, Any]:
    message = {
        "data": data,
        "attributes": {"from": "a test"},
        "messageId": "m-7",
        "message_id": "m-7",
        "publishTime": "2026-11-20T11:59:58.123456Z",
        **changes,
    }
    return {
        "message": {name: value for name, value in message.items() if value is not ...},
        "subscription": "projects/p/subscriptions/s",
        "deliveryAttempt": 3,
    }


def event(**changes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "e-1", "type": "t", "source": "s", **changes}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


WRAPPED_FORMS = {
    "wrapped": ({"content-type": "application/json"}, as_json(wrapped())),
    "CloudEvent, binary": (
        {
            "content-type": "application/json",
            "ce-id": "m-7",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        },
        as_json(wrapped()),
    ),
    "CloudEvent, structured": (
        {"content-type": "application/cloudevents+json; charset=utf-8"},
        as_json(event(data=wrapped())),
    ),
    "CloudEvent, structured, base64": (
        {"content-type": "application/cloudevents+json"},
        as_json(event(data_base64=base64.b64encode(as_json(wrapped())).decode())),
    ),
}


@pytest.mark.parametrize("form", WRAPPED_FORMS)
def test_every_wrapped_form_gives_the_message_that_was_published(form: str) -> None:
    headers, body = WRAPPED_FORMS[form]
    delivery = delivery_of(headers, body, now=NOON)
    assert delivery.data == DATA
    assert delivery.attributes == {"from": "a test"}
    assert (delivery.message_id, delivery.publish_time, delivery.attempt) == ("m-7", PUBLISHED, 3)


def test_an_unwrapped_message_has_its_metadata_in_headers() -> None:
    headers = {
        "x-goog-pubsub-message-id": "m-8",
        "x-goog-pubsub-publish-time": "2026-11-20T11:59:58.123456Z",
        "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
    }
    delivery = delivery_of(headers, DATA, now=NOON)
    assert (delivery.data, delivery.message_id) == (DATA, "m-8")
    assert (delivery.publish_time, delivery.attempt) == (PUBLISHED, 0)


def test_unwrapped_data_that_looks_wrapped_is_still_the_data_when_headers_say_so() -> None:
    body = as_json(wrapped())
    assert delivery_of({"x-goog-pubsub-message-id": "m-8"}, body, now=NOON).data == body


def test_a_bare_body_is_known_by_its_bytes_so_that_its_redelivery_is_seen_to_be_one() -> None:
    first, again, other = (delivery_of({}, body, now=NOON) for body in (DATA, DATA, DATA + b" "))
    assert first.message_id == again.message_id != other.message_id
    assert (first.data, first.publish_time) == (DATA, NOON)


def test_a_message_with_attributes_and_no_data_is_an_empty_one() -> None:
    assert delivery_of({}, as_json(wrapped(data=...)), now=NOON).data == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[1, 2]",
        b'"text"',
        b'{"message": "no object"}',
        b'{"message": {}}',
        b'{"message": {"other": 1}}',
        as_json(wrapped(data="*** no base64 ***")),
        as_json(wrapped(data=17)),
        b"[" * 100_000,
    ],
)
def test_what_is_no_push_is_a_raw_message(body: bytes) -> None:
    assert delivery_of({"content-type": "application/json"}, body, now=NOON).data == body


@pytest.mark.parametrize(
    "body", [as_json(event()), as_json(event(data_base64="e30=")), as_json(event(data=[1]))]
)
def test_an_event_without_a_message_is_a_raw_message(body: bytes) -> None:
    assert delivery_of({"content-type": "application/cloudevents+json"}, body, now=NOON).data == body


@pytest.mark.parametrize("attempt", [-1, "2", None, 10**30, 1.5])
def test_an_odd_count_of_deliveries_is_no_count(attempt: object) -> None:
    body = as_json({**wrapped(), "deliveryAttempt": attempt})
    assert delivery_of({}, body, now=NOON).attempt == 0


@pytest.mark.parametrize("time", ["yesterday", 17, None, ""])
def test_an_odd_time_is_now(time: object) -> None:
    body = as_json(wrapped(publishTime=time, publish_time=time))
    assert delivery_of({}, body, now=NOON).publish_time == NOON


def test_a_time_in_nanoseconds_is_read() -> None:
    delivery = delivery_of({}, as_json(wrapped(publishTime="2026-11-20T11:59:58.123456789Z")), now=NOON)
    assert delivery.publish_time == PUBLISHED


def test_odd_attributes_are_none() -> None:
    assert delivery_of({}, as_json(wrapped(attributes=["a"])), now=NOON).attributes == {}


def test_attributes_that_are_no_strings_are_left_out() -> None:
    odd = {"from": "a test", "number": 1, "nothing": None, "deep": {"words": "of a student"}}
    assert delivery_of({}, as_json(wrapped(attributes=odd)), now=NOON).attributes == {"from": "a test"}


@pytest.mark.parametrize("odd", [17, {"words": "of a student"}, ["words of a student"], True, ""])
def test_an_id_that_is_no_string_is_none_and_never_quoted(odd: object) -> None:
    body = as_json(wrapped(messageId=odd, message_id=odd))
    assert delivery_of({}, body, now=NOON).message_id.startswith("body-")


OWN_FIELDS = {
    "request_id": "q-1",
    "student_id": "s",
    "student_query": "why is the sky blue",
    "grade_level": 6,
}


@pytest.mark.parametrize(
    "extra",
    [
        {"message": {"data": "aGVsbG8="}},
        {"message": {"data": "*** no base64 ***"}},
        {"message": {"attributes": {}, "messageId": "7"}, "subscription": "premium"},
        {"message": "a text"},
    ],
)
@pytest.mark.parametrize("fields", [OWN_FIELDS, {"student_query": "why is the sky blue"}])
def test_a_question_may_have_fields_that_a_wrapper_has(extra: dict[str, Any], fields: dict[str, Any]) -> None:
    body = as_json({**fields, **extra})
    came = pushed({"content-type": "application/json"}, body, now=NOON)
    assert (came.delivery.data, came.defect) == (body, None)


BYTES = bytes(range(250, 256)) + b"?>?>a"


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(BYTES).decode(),
        base64.urlsafe_b64encode(BYTES).decode(),
        base64.b64encode(BYTES).decode().rstrip("="),
        base64.urlsafe_b64encode(BYTES).decode().rstrip("="),
    ],
)
def test_base64_is_read_in_either_alphabet_with_or_without_padding(encoded: str) -> None:
    came = pushed({}, as_json(wrapped(data=encoded)), now=NOON)
    assert (came.delivery.data, came.defect) == (BYTES, None)


@pytest.mark.parametrize(
    "data", ["*** no base64 ***", "aGVsbG8=x", "Q", "aGVs bG8=", "aGVsbG8=\n", "é", 17, ["aGVsbG8="]]
)
def test_what_is_not_base64_is_called_that_and_keeps_its_metadata(data: object) -> None:
    body = as_json(wrapped(data=data))
    came = pushed({}, body, now=NOON)
    assert came.defect is not None
    assert (came.defect.kind, came.delivery.data, came.delivery.message_id) == ("not_base64", body, "m-7")
    assert "message.data" in came.defect.message
    assert str(data) not in came.defect.message


def test_an_event_whose_base64_is_broken_is_called_that() -> None:
    body = as_json(event(data_base64="***"))
    came = pushed({"content-type": "application/cloudevents+json"}, body, now=NOON)
    assert came.defect is not None
    assert (came.defect.kind, came.delivery.data) == ("not_base64", body)


@pytest.mark.parametrize("name", ["orderingKey", "ordering_key"])
def test_the_ordering_key_comes_along(name: str) -> None:
    assert delivery_of({}, as_json(wrapped(**{name: "class-7"})), now=NOON).ordering_key == "class-7"
    assert delivery_of({}, as_json(wrapped(**{name: 7})), now=NOON).ordering_key == ""


def test_the_ordering_key_of_an_unwrapped_message_is_a_header() -> None:
    headers = {"x-goog-pubsub-message-id": "m-8", "x-goog-pubsub-ordering-key": "class-7"}
    assert delivery_of(headers, DATA, now=NOON).ordering_key == "class-7"
