import pytest

from services.generation.answers import Misfit, read_answer
from services.generation.port import Completion, Finish
from tests.unit.generation.doubles import MARKER, Lesson, lesson_task

LIGHT = '{"title": "Light", "grade": 5}'


@pytest.mark.parametrize(
    "text",
    [
        LIGHT,
        f"  \n{LIGHT}\n",
        f"```json\n{LIGHT}\n```",
        f"```\n{LIGHT}\n```",
        f"Here is your lesson:\n{LIGHT}\nHave fun!",
        f"[{LIGHT}]",
        '{"title": "Light", "grade": 5, "mood": "sunny"}',
    ],
)
def test_an_answer_is_found_however_it_is_wrapped(text: str) -> None:
    # Given a completion that holds one good answer
    completion = Completion(text=text, finish="stop")
    # When it is read
    answer = read_answer(lesson_task(), completion)
    # Then the answer is there
    assert answer == Lesson(title="Light", grade=5)


@pytest.mark.parametrize(
    ("text", "finish", "kind", "summary"),
    [
        ("I would rather not.", "stop", "invalid_json", "no JSON object"),
        ("null", "stop", "invalid_json", "no JSON object"),
        ("}{", "stop", "invalid_json", "no JSON object"),
        ('{"title": "Light", "grade": }', "stop", "invalid_json", "the answer: json_invalid"),
        ('{"title": "Light"}', "stop", "invalid_answer", "grade: missing"),
        ('{"title": "Light", "grade": 13}', "stop", "invalid_answer", "grade: less_than_equal"),
        (
            '{"title": "", "grade": 5, "parts": [{}]}',
            "stop",
            "invalid_answer",
            "title: string_too_short; parts.0.title: missing",
        ),
        ("", "stop", "empty", "no text"),
        ("  \n", "other", "empty", "no text"),
        (LIGHT, "other", "invalid_answer", "ended for an unknown reason"),
        (LIGHT[:12], "max_tokens", "truncated", "cut off at 1000 tokens"),
        ("", "max_tokens", "truncated", "cut off at 1000 tokens"),
        ("", "recitation", "recitation", "recites a published text"),
    ],
)
def test_an_unusable_answer_is_told_apart(text: str, finish: Finish, kind: str, summary: str) -> None:
    # Given a completion that cannot be used
    completion = Completion(text=text, finish=finish)
    # When it is read
    misfit = read_answer(lesson_task(), completion)
    # Then its kind is known, and there is something to tell the model
    assert isinstance(misfit, Misfit)
    assert (misfit.kind, misfit.summary) == (kind, summary)
    assert all(misfit.problems)


def test_problems_name_the_field_and_the_rule() -> None:
    # Given an answer that breaks a rule of its schema
    completion = Completion(text='{"title": "Light", "grade": 13}', finish="stop")
    # When it is read
    misfit = read_answer(lesson_task(), completion)
    # Then the sentence for the model says where and what
    assert isinstance(misfit, Misfit)
    assert misfit.problems == ("grade: Input should be less than or equal to 12",)


def test_the_check_of_a_task_is_asked_and_its_words_stay_out_of_the_summary() -> None:
    # Given a task whose check finds a problem and quotes the student
    task = lesson_task(check=lambda answer: [f"Mention the {MARKER}."])
    # When a well-formed answer is read
    misfit = read_answer(task, Completion(text=LIGHT, finish="stop"))
    # Then the model is told the sentence and people are told the count
    assert isinstance(misfit, Misfit)
    assert misfit.problems == (f"Mention the {MARKER}.",)
    assert misfit.summary == "breaks 1 rule of the task"


def test_an_answer_with_many_faults_yields_a_short_list() -> None:
    # Given a task whose check finds fifty problems
    task = lesson_task(check=lambda answer: [f"Rule {number}." for number in range(50)])
    # When a well-formed answer is read
    misfit = read_answer(task, Completion(text=LIGHT, finish="stop"))
    # Then ten of them are kept
    assert isinstance(misfit, Misfit)
    assert len(misfit.problems) == 10
