"""Dead letters as JSON, and on a terminal that must not obey them."""

import base64
import json
from typing import Any

import pytest
from pydantic_core import from_json

from tests.builders import NOON, delivery, message_bytes
from worker.dead_letters.groups import groups_of, letters_of
from worker.dead_letters.records import group_record_of, record_of, redrive_record_of
from worker.dead_letters.redriving import plan
from worker.dead_letters.showing import ROWS, print_group, print_groups, print_letter, print_redrives
from worker.drawing import printable, to_json

HOSTILE = "\x1b[2J\x9b2J\x7f\r\u202egnp.exe"
"""Clears a screen in two ways, deletes, overwrites, and turns the direction of what follows."""


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


def test_a_letter_is_written_with_its_body_as_it_is() -> None:
    # Given
    letter = delivery('{"a": "ü"}'.encode(), message_id="d-1", attributes={"error_kind": "not_json"})
    # When / Then
    assert record_of(letter) == {
        "message_id": "d-1",
        "publish_time": NOON.isoformat(),
        "attributes": {"error_kind": "not_json"},
        "body": '{"a": "ü"}',
    }


def test_a_body_that_is_no_text_is_written_in_base64() -> None:
    record = record_of(delivery(b"\x00\xff"))
    assert "body" not in record
    assert base64.b64decode(record["body_base64"]) == b"\x00\xff"


@pytest.mark.parametrize("value", [HOSTILE, {"a": [HOSTILE, "ü \U0001f600"]}, "\ud800", "a\nb"])
def test_json_that_is_shown_has_nothing_in_it_that_a_terminal_obeys_and_means_the_same(value: Any) -> None:
    text = to_json(value, indent=2)
    assert is_harmless(text)
    assert json.loads(text) == value


def test_text_that_is_shown_keeps_what_can_be_read() -> None:
    assert printable("Grüße, 日本語 \U0001f600\n") == "Grüße, 日本語 \U0001f600\n"
    assert is_harmless(printable(HOSTILE))


def test_a_group_says_whether_its_cost_is_complete() -> None:
    # Given
    letters = letters_of([delivery(attributes={"fingerprint": "f-1", "cost_usd": "unknown"})])
    # When
    record = group_record_of(groups_of(letters)[0])
    # Then
    assert record == {
        "fingerprint": "f-1",
        "count": 1,
        "stage": "",
        "kind": "",
        "cause": "",
        "first_seen": NOON.isoformat(),
        "last_seen": NOON.isoformat(),
        "attempts": None,
        "cost_usd": 0.0,
        "cost_is_complete": False,
    }


def test_a_plan_says_what_is_in_the_way() -> None:
    # Given
    (letter,) = letters_of([delivery(b"", attributes={"source_message_id": "m-1", "fingerprint": "f-1"})])
    # When
    record = redrive_record_of(plan(letter, changes={}))
    # Then
    assert (record["action"], record["sent_as"]) == ("leave", None)
    assert record["obstacle"].startswith("it would fail again")


@pytest.mark.parametrize(
    ("costs", "says"),
    [
        (["0.5", "0.25"], "$0.7500"),
        (["0.5", "unknown"], "at least $0.5000"),
        (["unknown", "unknown"], "unknown"),
        (["0", "0"], "$0.0000"),
    ],
)
def test_money_is_told_as_well_as_it_is_known(
    costs: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deliveries = [
        delivery(message_id=cost + str(number), attributes={"fingerprint": "f-1", "cost_usd": cost})
        for number, cost in enumerate(costs)
    ]
    print_group(groups_of(letters_of(deliveries))[0])
    assert f"spent: {says}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xef\xbb\xbf" + message_bytes(), '"grade_level": 11'),
        (b"\x00\xff", "base64: AP8="),
        (b"  ", "empty"),
        (f"no json {HOSTILE}".encode(), "not JSON:\nno json \\u001b"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_letter_is_shown_with_its_attributes_and_any_body(
    body: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a letter whose every part is hostile
    attributes = {"error_message": HOSTILE, HOSTILE: "x", "request_id": HOSTILE}
    (letter,) = letters_of([delivery(body, attributes=attributes)])
    # When
    print_letter(letter)
    # Then
    shown = capsys.readouterr().out
    assert says in shown
    assert is_harmless(shown)


def test_tables_do_not_obey_markup_or_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    # Given
    hostile = delivery(
        attributes={"fingerprint": "f-1", "error_kind": "[red]loud[/]", "error_message": HOSTILE}
    )
    # When
    letters = letters_of([hostile])
    print_groups(groups_of(letters))
    print_redrives([plan(letter, changes={}) for letter in letters])
    # Then
    shown = capsys.readouterr().out
    assert "[red]loud[/]" in shown
    assert is_harmless(shown)


def test_of_many_messages_a_table_lists_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    # Given
    letters = letters_of(delivery(message_id=f"d-{number}") for number in range(ROWS + 3))
    # When
    print_redrives([plan(letter, changes={}) for letter in letters])
    # Then
    shown = capsys.readouterr().out
    assert "and 3 more" in shown
    assert f"d-{ROWS + 1}" not in shown


def test_whole_numbers_and_times_of_a_body_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    (letter,) = letters_of([delivery(b'{"big": 123456789012345678901234567890}')])
    print_letter(letter)
    body = capsys.readouterr().out.partition("\n{")[2]
    assert from_json("{" + body)["big"] == 123456789012345678901234567890
