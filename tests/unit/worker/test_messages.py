"""Bytes become a request, or an error that says what is wrong and quotes nothing."""

import json

import pytest

from services.errors import MessageDecodeError
from tests.builders import message_bytes, request_fields
from worker.messages import MAX_BYTES, decode


def test_the_documented_example_is_a_request() -> None:
    # Given the example that the README promises will always work
    # When it is decoded
    request = decode(message_bytes())
    # Then its fields are there and the defaults are filled in
    assert request.request_id == "test_gemini_flash_final"
    assert request.candidate_interests == ["soccer"]
    assert (request.duration_seconds, request.language) == (180, "en")


def test_unknown_fields_are_ignored() -> None:
    assert decode(message_bytes(school="Hill Road", priority=3)).grade_level == 11


def test_the_preferred_interest_comes_first_and_only_once() -> None:
    request = decode(message_bytes(interest="chess", interests=["baking", "chess"]))
    assert request.candidate_interests == ["chess", "baking"]


def test_a_question_is_trimmed_before_it_is_measured() -> None:
    with pytest.raises(MessageDecodeError, match="student_query: String should have at least 3 characters"):
        decode(message_bytes(student_query="  a  "))


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b"", "empty", "no body"),
        (b"  \n", "empty", "no body"),
        (b"{" + b" " * MAX_BYTES + b"}", "too_large", f"at most {MAX_BYTES}"),
        (b'{"a": "\xff"}', "not_utf8", "byte 7"),
        (b'{"request_id": ', "not_json", "line 1 column"),
        (b'{"a": NaN}', "not_json", "line 1 column"),
        (b'{"a": "\\ud800"}', "not_json", "line 1 column"),
        (b"[" * 50_000, "not_json", "recursion"),
        (b"[1, 2]", "not_an_object", "not an object"),
        (b'"text"', "not_an_object", "not an object"),
        (b"null", "not_an_object", "not an object"),
    ],
)
def test_bytes_that_are_no_json_object_are_refused_with_the_reason(data: bytes, kind: str, says: str) -> None:
    with pytest.raises(MessageDecodeError, match=says) as refused:
        decode(data)
    assert refused.value.kind == kind
    assert refused.value.request_id is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", ...),
        ("request_id", ""),
        ("request_id", "a" * 129),
        ("request_id", "with space"),
        ("request_id", ".."),
        ("request_id", "__reserved__"),
        ("student_id", ...),
        ("student_id", ""),
        ("student_query", ...),
        ("student_query", "a" * 2001),
        ("student_query", ["a", "list"]),
        ("grade_level", ...),
        ("grade_level", "11"),
        ("grade_level", 0),
        ("grade_level", 13),
        ("grade_level", True),
        ("interest", ""),
        ("interest", "x" * 101),
        ("interests", ["ok"] * 21),
        ("interests", "chess"),
        ("duration_seconds", 29),
        ("duration_seconds", 601),
        ("language", "not a tag"),
        ("correlation_id", "x" * 129),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(field: str, value: object) -> None:
    with pytest.raises(MessageDecodeError) as refused:
        decode(message_bytes(**{field: value}))
    assert refused.value.kind == "invalid_fields"
    assert field in refused.value.message


def test_every_broken_field_is_named_at_once() -> None:
    with pytest.raises(MessageDecodeError) as refused:
        decode(message_bytes(student_id=..., grade_level=99))
    assert "student_id" in refused.value.message
    assert "grade_level" in refused.value.message


def test_the_request_id_is_kept_where_it_could_be_read() -> None:
    with pytest.raises(MessageDecodeError) as refused:
        decode(message_bytes(grade_level="nine"))
    assert refused.value.request_id == "test_gemini_flash_final"


@pytest.mark.parametrize("field", ["student_query", "student_id", "interest", "language", "correlation_id"])
def test_an_error_never_quotes_what_the_student_wrote(field: str) -> None:
    # Given a message whose every text field carries a marker, one of them too long
    marker = "SECRET-MARKER "
    fields = request_fields(**{field: marker * 200})
    # When it is refused
    with pytest.raises(MessageDecodeError) as refused:
        decode(json.dumps(fields).encode())
    # Then neither the message nor the chain shown by str() holds the marker
    assert "SECRET" not in refused.value.message
    assert "SECRET" not in str(refused.value.__cause__)
