"""Any value that fits a JSON schema: for answers to schemas that the emulator knows nothing else about.

Understands `$ref`, `$defs`, `anyOf`, `oneOf`, `allOf` (its first part), `enum`, `const`, `default`, types, formats,
lengths, and the bounds of numbers and lists. Patterns are beyond it. The OpenAPI subset of `response_schema` works
too: its upper case types and its numbers written as strings.
"""

import math
from typing import Any

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "someone@example.org",
    "uri": "https://example.org/",
}

_DEPTH_OF_OPTIONAL_FIELDS = 3
"""Deeper than this only required fields are filled: references may be cyclic, but only in optional ones."""


def example(schema: dict[str, Any]) -> Any:
    """A value that fits; the same one every time."""
    return _Generator(schema).value(schema, "value", 0)


class _Generator:
    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = root.get("$defs") or root.get("defs") or root.get("definitions") or {}

    def value(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("default") is not None:
            return schema["default"]
        return self._by_type(schema, name, depth)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while True:
            reference = schema.get("$ref") or schema.get("ref")
            options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if reference:
                schema = self._definitions[reference.rsplit("/", 1)[-1]]
            elif options:
                schema = next((option for option in options if _type(option) != "null"), options[0])
            else:
                return schema

    def _by_type(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return _integer(schema)
            case "number":
                return float(_number(schema))
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(schema, name)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        wanted = required if depth > _DEPTH_OF_OPTIONAL_FIELDS else properties
        return {name: self.value(properties.get(name, {}), name, depth + 1) for name in wanted}

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        count = least if depth > _DEPTH_OF_OPTIONAL_FIELDS else max(least, 1)
        count = min(count, int(schema.get("maxItems", count)))
        leading = [self.value(item, name, depth + 1) for item in schema.get("prefixItems", [])]
        rest = range(count - len(leading))
        return leading + [self.value(schema.get("items") or {}, name, depth + 1) for _ in rest]


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind).lower() if kind else "object" if "properties" in schema else "string"


def _integer(schema: dict[str, Any]) -> int:
    if "minimum" in schema:
        return math.ceil(float(schema["minimum"]))
    if "exclusiveMinimum" in schema:
        return math.floor(float(schema["exclusiveMinimum"])) + 1
    if "maximum" in schema:
        return min(1, math.floor(float(schema["maximum"])))
    return min(1, math.ceil(float(schema.get("exclusiveMaximum", 2))) - 1)


def _number(schema: dict[str, Any]) -> float:
    lowest = float(schema.get("minimum", schema.get("exclusiveMinimum", -math.inf)))
    highest = float(schema.get("maximum", schema.get("exclusiveMaximum", math.inf)))
    if math.isinf(lowest):
        return 1.0 if math.isinf(highest) else highest - 1.0
    # Half way between the bounds it does not matter whether they are included.
    return lowest + 1.0 if math.isinf(highest) else (lowest + highest) / 2


def _string(schema: dict[str, Any], name: str) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = f"An example of {schema.get('title') or name}."
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text
