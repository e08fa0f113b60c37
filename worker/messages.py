"""The wire format: bytes from the queue become a request, or an error that says what is wrong with them."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.content.models import ContentRequest, RequestId
from services.errors import MessageDecodeError

MAX_BYTES = 256 * 1024
"""Far above any valid message (about 6 KB); keeps one hostile message from costing memory and time."""

_request_id = TypeAdapter(RequestId)


def decode(data: bytes) -> ContentRequest:
    """The request in a message. Raises `MessageDecodeError`, which never quotes the message."""
    return request_from(_json_object(data))


def request_from(fields: dict[str, Any]) -> ContentRequest:
    """The request with these fields. Raises `MessageDecodeError` naming every field that breaks a rule."""
    try:
        return ContentRequest.model_validate(fields)
    except ValidationError as error:
        raise MessageDecodeError(
            _explain(error), kind="invalid_fields", request_id=_readable_id(fields)
        ) from error


def is_request_id(text: str) -> bool:
    """Whether a request may have this id."""
    return _readable_id({"request_id": text}) is not None


def _json_object(data: bytes) -> dict[str, Any]:
    if not data.strip():
        raise MessageDecodeError("The message has no body; publish a JSON object.", kind="empty")
    if len(data) > MAX_BYTES:
        raise MessageDecodeError(
            f"The message has {len(data)} bytes; at most {MAX_BYTES} are accepted.", kind="too_large"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageDecodeError(
            f"The message is not UTF-8: byte {error.start} cannot be decoded.", kind="not_utf8"
        ) from error
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        # The parser's messages give a reason and a position, never the text itself.
        raise MessageDecodeError(f"The message is not JSON: {error}.", kind="not_json") from error
    if not isinstance(value, dict):
        raise MessageDecodeError(
            "The message is JSON, but not an object; publish {...} with the request's fields.",
            kind="not_an_object",
        )
    return value


def _explain(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )
    return "; ".join(problems)


def _readable_id(fields: dict[str, Any]) -> str | None:
    try:
        return _request_id.validate_python(fields.get("request_id"), strict=True)
    except ValidationError:
        return None
