"""Turns a pydantic model into the JSON Schema that Gemini accepts.

`response_json_schema` takes a part of JSON Schema; anything else in it is a 400 or is ignored. The list is
from the field's documentation in google-cloud-aiplatform 2.7. What is stripped (lengths, patterns,
defaults) is not lost: the answer is validated against the full model when it arrives.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

SUPPORTED = frozenset(
    {
        "$id",
        "$defs",
        "$ref",
        "$anchor",
        "type",
        "format",
        "title",
        "description",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
        "propertyOrdering",
    }
)
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs"})


def response_schema(answer_type: type[BaseModel]) -> dict[str, Any]:
    """The schema of an answer type, reduced to supported keywords; its title names the answer."""
    schema = answer_type.model_json_schema()
    return {"title": schema["title"], **_schema(schema)}


def allow_only(choices: Sequence[str], field: Any) -> None:
    """Let a text field of a schema in protobuf (`struct_pb2.Value`) take the choices only; null stays allowed."""
    keywords = field.struct_value.fields
    for option in keywords["anyOf"].list_value.values if "anyOf" in keywords else (field,):
        inner = option.struct_value.fields
        if inner["type"].string_value == "string":
            inner["enum"].list_value.extend(choices)


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        # Beside a reference only keywords that begin with a dollar sign are allowed.
        schema = {key: value for key, value in schema.items() if key.startswith("$")}
    reduced = {key: _value(key, value) for key, value in schema.items() if key in SUPPORTED}
    # Inside, a title repeats the field's name in capitals: tokens that are paid on every call and say nothing.
    reduced.pop("title", None)
    if "const" in schema:
        reduced["enum"] = [schema["const"]]
    if "properties" in reduced:
        # The wire type is an unordered map. Models write fields in the order they are told, and reason in it.
        reduced["propertyOrdering"] = list(reduced["properties"])
    return reduced


def _value(key: str, value: Any) -> Any:
    if key in _MAPS_OF_SCHEMAS:
        # The keys are names of fields here, not keywords: a field may be called `title` or `default`.
        return {name: _schema(inner) for name, inner in value.items()}
    if isinstance(value, Mapping):
        return _schema(value)
    if isinstance(value, list):
        return [_schema(inner) if isinstance(inner, Mapping) else inner for inner in value]
    return value
