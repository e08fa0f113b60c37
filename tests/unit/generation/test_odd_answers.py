"""Whole answers in odd forms take one call; what is not whole is asked for again and never made up."""

import asyncio
import json
from typing import Any

import pytest

from services.generation.first_object import first_object
from services.generation.port import Completion, Finish, Usage
from tests.unit.generation.doubles import Lesson, ScriptedProvider, good, lesson_task, rung

LESSON = {"title": "Light", "grade": 5, "parts": [{"title": "Waves"}, {"title": "Rays"}]}
WHOLE = json.dumps(LESSON)
BROKEN = WHOLE.replace("}]}", "},]}")

WHOLE_ANSWERS = {
    "plain": WHOLE,
    "indented": json.dumps(LESSON, indent=4),
    "fenced": f"```json\n{WHOLE}\n```",
    "fenced without a language": f"```\n{WHOLE}\n```",
    "fenced and never closed": f"```json\n{WHOLE}",
    "fenced with a trailing comma": f"```json\n{BROKEN}\n```",
    "prose before": f"Here is your lesson:\n{WHOLE}",
    "prose after": f"{WHOLE}\nHave fun with it!",
    "prose with braces before": f"I fill the schema {{title, grade}} like this: {WHOLE}",
    "prose with an empty object before": f"Instead of {{}} I send {WHOLE}",
    "prose with braces after": f"{WHOLE}\nThe set {{1, 2, 3}} is not part of it. :-}}",
    "a smiley before": f":-{{ sorry {WHOLE}",
    "twice in a row": WHOLE + WHOLE,
    "twice in two fences": f"```json\n{WHOLE}\n```\n```json\n{WHOLE}\n```",
    "the second one cut off": WHOLE + WHOLE[:30],
    "in a list": f"[{WHOLE}]",
    "wrapped in a field": json.dumps({"lesson": LESSON}),
    "wrapped twice": json.dumps({"response": {"lesson": LESSON}}),
    "put into JSON twice": json.dumps(WHOLE),
    "put into JSON twice with line breaks": json.dumps(json.dumps(LESSON, indent=2)),
    "trailing commas": BROKEN,
    "single quotes": str(LESSON),
    "bare keys": '{title: "Light", grade: 5, parts: [{title: "Waves"}, {title: "Rays"}]}',
    "typographic quotes": WHOLE.replace('"title"', "“title”"),
    "comments": WHOLE.replace('"grade"', '// the topic\n /* and */ "grade"'),
    "a missing comma": WHOLE.replace(', "grade"', ' "grade"'),
    "a byte order mark": f"\ufeff{WHOLE}",
    "no-break spaces": WHOLE.replace(": ", ":\u00a0"),
    "a brace too many": WHOLE + "}",
    "numbers as text": WHOLE.replace("5", '"5"'),
    "numbers with a point": WHOLE.replace("5", "5.0"),
    "a field more": WHOLE.replace("{", '{"mood": "sunny", ', 1),
    "a nonsense number more": WHOLE.replace("{", '{"sure": NaN, "far": Infinity, "big": 1e400, ', 1),
    "a field twice": WHOLE.replace('"grade"', '"grade": 4, "grade"'),
    "carriage returns": json.dumps(LESSON, indent=1).replace("\n", "\r\n"),
}

NOT_WHOLE = {
    "cut off in a text": WHOLE[:12],
    "cut off behind a part": WHOLE[: WHOLE.index("}") + 1],
    "cut off before the last brace": WHOLE[:-1],
    "cut off with single quotes": str(LESSON)[:-1],
    "cut off behind a trailing comma": BROKEN[:-2],
    "prose": "I would rather not.",
    "prose with braces": "The set {1, 2, 3} and {title, grade} are sets.",
    "null": "null",
    "a list of texts": '["Light", 5]',
    "the fields without braces": WHOLE[1:-1],
    "endless digits": '{"title": "Light", "grade": ' + "9" * 5000 + "}",
}

ENDLESS = {"endless depth": '{"title": ' + "[" * 50_000, "endless braces": "{" * 50_000}


def ask(*completions: Completion) -> tuple[Lesson | None, int]:
    provider = ScriptedProvider(*completions)
    report = asyncio.run(rung(provider).ask(lesson_task()))
    return report.data, len(provider.calls)


def completion(text: str, finish: Finish = "stop") -> Completion:
    return Completion(text=text, finish=finish, usage=Usage(input_tokens=1, output_tokens=1))


@pytest.mark.parametrize("text", WHOLE_ANSWERS.values(), ids=WHOLE_ANSWERS.keys())
@pytest.mark.parametrize("finish", ["stop", "other", "max_tokens"])
def test_a_whole_answer_takes_one_call_whatever_its_form(text: str, finish: Finish) -> None:
    # Given a model that answers in full, in a form of its own
    # When it is asked
    data, calls = ask(completion(text, finish), good('{"title": "Second", "grade": 1}'))
    # Then that is the answer
    assert (data, calls) == (Lesson.model_validate(LESSON), 1)


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\t", "\x0b", "\x01"])
@pytest.mark.parametrize("comma", ["", ","])
def test_control_characters_in_texts_are_taken_as_they_are(break_: str, comma: str) -> None:
    # Given a model that writes a line break into a text instead of its escape
    text = f'{{"title": "Light{break_}and dark", "grade": 5{comma}}}'
    # When it is asked
    data, calls = ask(completion(text))
    # Then that is the answer
    assert (data, calls) == (Lesson(title=f"Light{break_}and dark", grade=5), 1)


@pytest.mark.parametrize("text", NOT_WHOLE.values(), ids=NOT_WHOLE.keys())
@pytest.mark.parametrize("finish", ["stop", "other", "max_tokens"])
def test_what_is_not_whole_is_asked_for_again(text: str, finish: Finish) -> None:
    # Given a model that does not answer in full, and then does
    # When it is asked
    data, calls = ask(completion(text, finish), completion(WHOLE))
    # Then nothing was made up
    assert (data, calls) == (Lesson.model_validate(LESSON), 2)


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.parametrize("finish", ["stop", "other", "max_tokens"])
def test_what_runs_on_without_end_is_not_asked_for_again(text: str, finish: Finish) -> None:
    # Given a model that is stuck
    # When it is asked
    data, calls = ask(completion(text, finish), completion(WHOLE))
    # Then another call would only cost as much
    assert (data, calls) == (None, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"title": "The \\"big\\" idea", "grade": 5,}', {"title": 'The "big" idea', "grade": 5}),
        ('{"title": "The "big" idea", "grade": 5}', {"title": 'The "big" idea', "grade": 5}),
        ("{'title': 'It\\'s light', 'grade': 5}", {"title": "It's light", "grade": 5}),
        ('{"title": "a {brace} in it }", "grade": 5,}', {"title": "a {brace} in it }", "grade": 5}),
        ('{"title": "see https://x.example // not a comment", "grade": 5,}', None),
        ('{"title": "\\(x\\)", "grade": 5}', {"title": "\\(x\\)", "grade": 5}),
        ('{"other": 1} {"title": "Light", "grade": 5}', {"title": "Light", "grade": 5}),
        ('{"other": 1}', {"other": 1}),
        ("", None),
        ("{", None),
    ],
)
def test_texts_come_through_the_mending_unharmed(text: str, found: dict[str, Any] | None) -> None:
    # Given / When
    data = first_object(text, ["title", "grade"])
    # Then
    if "https" in text:
        found = {"title": "see https://x.example // not a comment", "grade": 5}
    assert data == found


def test_what_cannot_be_mended_takes_no_time() -> None:
    # Given answers that are made to keep a reader busy
    hostile = [
        '{"a":' * 30_000,
        "{'" * 60_000,
        '{"a": "' + "\\" * 100_000,
        '{"' * 60_000 + "}" * 60_000,
        '{"a": "' + 'x "y" ' * 60_000 + '"}',
        "{a: [" * 50 + "]}" * 50 + "{" * 50_000,
    ]
    # When they are read, then no answer is found, within the time limit of a test
    for text in hostile:
        assert "title" not in (first_object(text, ["title"]) or {})
