"""Under which key a paid answer is kept, as which document, and which of them a task takes again."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import Field

from services.generation.paid import PaidAnswer, content_keys, paid_document, read_paid
from services.generation.port import ModelRef, RungFailure, Task
from services.generation.rules import Severity
from tests.unit.generation.doubles import BEST, MARKER, NOON, SECOND, Lesson, Part, broken, lesson_task

LESSON = Lesson(title="Light", grade=5, parts=[Part(title="Waves")])


class StricterLesson(Lesson):
    title: str = Field(min_length=10)


def key_of(task: Task[Lesson], ref: ModelRef) -> str:
    return content_keys(task, [ref])[0]


def paid(**changes: Any) -> PaidAnswer[Lesson]:
    fields: dict[str, Any] = {"data": LESSON, "cost_usd": 0.01, "error": None}
    return PaidAnswer(**{**fields, **changes})


def document(answer: PaidAnswer[Lesson] | None = None, /, **changes: Any) -> dict[str, Any]:
    made = paid_document(answer or paid(), stage="script", ref=BEST, now=NOON, lifetime=timedelta(days=30))
    return {**made, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "nlu"},
        {"prompt_version": "2"},
        {"instructions": "Write a better lesson."},
        {"prompt": "Something else."},
        {"identity": "light|5"},
        {"answer_type": StricterLesson},
    ],
)
def test_a_key_is_another_one_when_anything_that_an_answer_depends_on_differs(
    changes: dict[str, Any],
) -> None:
    # Given two tasks that differ in one thing
    # When their keys are compared
    # Then they are different
    assert key_of(lesson_task(**changes), BEST) != key_of(lesson_task(), BEST)


def test_every_model_and_location_has_its_own_key() -> None:
    # Given one task
    keys = content_keys(lesson_task(), [BEST, SECOND, replace(BEST, location="eu")])
    # When it is put to two models, and to one of them elsewhere
    # Then they keep their answers apart, in the order of the models
    assert len(set(keys)) == 3
    assert keys[:2] == [key_of(lesson_task(), BEST), key_of(lesson_task(), SECOND)]


def test_a_key_is_the_same_when_only_the_circumstances_differ() -> None:
    # Given two tasks that differ in nothing that an answer depends on
    other = lesson_task(resumes=True, max_output_tokens=7, check=lambda answer: [broken()])
    # When their keys are compared
    # Then they are equal
    assert key_of(other, BEST) == key_of(lesson_task(), BEST)


def test_tasks_with_one_identity_share_a_key_whatever_their_prompts_say() -> None:
    # Given two wordings of one question
    first, second = (
        lesson_task(identity="light|5", prompt=prompt) for prompt in ("Light?", "What is light?")
    )
    # When their keys are compared
    # Then they are equal, and different from that of a prompt with the same text
    assert key_of(first, BEST) == key_of(second, BEST)
    assert key_of(lesson_task(prompt="light|5"), BEST) != key_of(first, BEST)


def test_a_key_is_a_digest_of_whatever_a_student_typed() -> None:
    # Given a prompt with characters of every kind, half a surrogate pair among them
    task = lesson_task(prompt=f"{MARKER} – ε \ud800")
    # When its key is made
    key = key_of(task, BEST)
    # Then it is hexadecimal, which every store takes for a key
    assert re.fullmatch("[0-9a-f]{64}", key)


def test_a_document_is_flat_and_says_how_long_it_holds() -> None:
    # Given an answer
    # When it is made a document
    made = document()
    # Then databases can hold it
    assert made == {
        "stage": "script",
        "model": str(BEST),
        "answer": LESSON.model_dump_json(),
        "cost_usd": 0.01,
        "error_kind": None,
        "error_code": None,
        "error_message": None,
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=30),
    }


@pytest.mark.parametrize(
    "answer",
    [
        paid(),
        paid(cost_usd=None),
        paid(error=RungFailure(kind="unavailable", code=503, message="busy")),
        paid(error=RungFailure(kind="allowance_spent", code=None, message="used up")),
    ],
)
def test_an_answer_is_read_as_it_was_kept(answer: PaidAnswer[Lesson]) -> None:
    # Given an answer that was kept
    # When it is read
    # Then nothing is missing
    assert read_paid(lesson_task(), document(answer)) == answer


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": "not JSON"},
        {"answer": ""},
        {"answer": json.dumps({"title": "Light", "grade": 13})},
        {"answer": 7},
        {"answer": None},
        {"answer": None, "blocked_by": "safety"},
    ],
)
def test_a_document_that_holds_no_answer_to_the_task_is_as_good_as_none(changes: dict[str, Any]) -> None:
    # Given a document that somebody else wrote
    # When it is read
    # Then there is no answer, and no error
    assert read_paid(lesson_task(), document(**changes)) is None


def test_an_empty_document_is_as_good_as_none() -> None:
    # Given a document without any field
    # When it is read
    # Then there is no answer, and no error
    assert read_paid(lesson_task(), {}) is None


@pytest.mark.parametrize("severity", ["unsafe", "unusable"])
def test_an_answer_that_this_task_must_not_use_is_as_good_as_none(severity: Severity) -> None:
    # Given a task to which the answer is unsafe or of no use, perhaps by a rule that is newer than the answer
    task = lesson_task(check=lambda answer: [broken(severity=severity)])
    # When it reads the answer
    # Then there is none
    assert read_paid(task, document()) is None


def test_an_imperfect_answer_that_was_paid_for_is_used_again() -> None:
    # Given an answer that is imperfect to this task, too
    task = lesson_task(check=lambda answer: [broken(severity="imperfect")])
    # When it reads the answer
    # Then it is there: it was asked for once more before it was kept
    assert read_paid(task, document()) == paid()
