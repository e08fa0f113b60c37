import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from services.content.models import InterestMatch, ScriptDraft, Understanding
from services.generation.providers.vertex_schema import SUPPORTED, response_schema


class Inner(BaseModel):
    default: str = Field(default="x", max_length=5, description="a field with a keyword's name")


class Outer(BaseModel):
    kind: Literal["only"]
    title: str = Field(min_length=1, pattern="^a")
    inner: Inner = Field(description="beside a reference")
    many: list[Inner] = Field(default_factory=list, max_length=3)
    score: float = Field(ge=0, lt=1)
    maybe: str | None = None


def keywords(schema: dict[str, Any]) -> set[str]:
    found = set(schema)
    for name in ("properties", "$defs"):
        for inner in schema.get(name, {}).values():
            found |= keywords(inner)
    for inner in [schema.get("items"), *schema.get("anyOf", [])]:
        found |= keywords(inner) if inner else set()
    return found


@pytest.mark.parametrize("answer_type", [Outer, Understanding, InterestMatch, ScriptDraft])
def test_only_supported_keywords_are_left(answer_type: type[BaseModel]) -> None:
    # Given an answer type
    # When its schema is made
    schema = response_schema(answer_type)
    # Then the service knows every keyword in it
    assert keywords(schema) <= SUPPORTED


def test_fields_with_names_of_keywords_stay() -> None:
    # Given a type with fields called `title` and `default`
    # When its schema is made
    schema = response_schema(Outer)
    # Then they are still there, in order, and what the service takes of their rules too
    assert schema["propertyOrdering"] == ["kind", "title", "inner", "many", "score", "maybe"]
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["$defs"]["Inner"]["properties"]["default"]["description"] == "a field with a keyword's name"
    assert schema["properties"]["many"]["maxItems"] == 3
    assert schema["properties"]["score"] == {"type": "number", "minimum": 0}


def test_a_constant_becomes_an_enumeration_of_one() -> None:
    # Given a field that takes one value
    # When the schema is made
    schema = response_schema(Outer)
    # Then the value is not lost with the keyword
    assert schema["properties"]["kind"]["enum"] == ["only"]


def test_nothing_stands_beside_a_reference() -> None:
    # Given a field with a description whose type is a reference
    # When the schema is made
    schema = response_schema(Outer)
    # Then only the reference is left, as the service demands
    assert schema["properties"]["inner"] == {"$ref": "#/$defs/Inner"}


def test_the_title_of_the_answer_is_the_only_one() -> None:
    # Given a stage's answer type
    # When the schema is made
    schema = response_schema(ScriptDraft)
    # Then it is named once, and fields are not named twice
    assert schema["title"] == "ScriptDraft"
    assert json.dumps(schema).count('"title": "') == 1
