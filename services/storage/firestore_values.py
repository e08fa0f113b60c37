"""Documents as Firestore's own protobuf values.

Google's library makes an object around every single value on the way: to claim a request and to write its
result takes four times the CPU that it takes so (measured: 2.1 ms against 0.5 ms).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SCALARS = {bool: "boolean_value", int: "integer_value", float: "double_value", str: "string_value"}


def put_fields(document: Mapping[str, Any], target: Any) -> None:
    """Set the protobuf map of fields that is the target. Raises `TypeError` for what is not JSON-like."""
    for name, value in document.items():
        _put(value, target[name])


def get_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The document that `put_fields` made a protobuf map of; its times are in UTC."""
    return {name: _get(value) for name, value in fields.items()}


def _put(value: object, target: Any) -> None:
    if scalar := SCALARS.get(type(value)):
        setattr(target, scalar, value)
        return
    match value:
        case None:
            target.null_value = 0
        case datetime():
            target.timestamp_value.FromDatetime(value)
        case Mapping():
            target.map_value.SetInParent()  # so that an empty one is one, too
            put_fields(value, target.map_value.fields)
        case list():
            target.array_value.SetInParent()
            for item in value:
                _put(item, target.array_value.values.add())
        case _:
            raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def _get(value: Any) -> Any:
    match value.WhichOneof("value_type"):
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "map_value":
            return get_fields(value.map_value.fields)
        case "array_value":
            return [_get(item) for item in value.array_value.values]
        case kind:
            return getattr(value, kind)
