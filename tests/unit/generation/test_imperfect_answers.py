"""Imperfect answers are asked for once more, and the better of the two is used; unsafe ones never are."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ClaimLost
from services.generation.allowance import Allowance
from services.generation.port import Completion, Mended, Task, Usage
from services.generation.rules import Problem
from services.generation.rung import RungReport
from tests.unit.generation.doubles import (
    BEST,
    MARKER,
    SECOND,
    Lesson,
    MemoryAnswers,
    ScriptedProvider,
    broken,
    busy,
    gone,
    good,
    ladder,
    lesson_task,
    malformed,
    rung,
)


def judged(lesson: Lesson) -> list[Problem]:
    """A lesson's title says what is wrong with it: too long by so many words, unsafe, or of no use."""
    word, _, number = lesson.title.partition(" ")
    match word:
        case "Long":
            return [
                broken("length", severity="imperfect", badness=float(number), sentence=f"{MARKER}: too long.")
            ]
        case "Unsafe":
            return [broken("contacts", severity="unsafe")]
        case "Useless":
            return [broken("loop", severity="unusable")]
    return []


def says(title: str) -> Completion:
    return good(f'{{"title": "{title}", "grade": 5}}')


def task(**changes: object) -> Task[Lesson]:
    return lesson_task(check=judged, **changes)


def ask(provider: ScriptedProvider, **changes: object) -> RungReport[Lesson]:
    return asyncio.run(rung(provider).ask(task(**changes)))


def title(report: RungReport[Lesson]) -> str | None:
    return report.data.title if report.data else None


@pytest.mark.parametrize(
    ("first", "second", "used"),
    [
        ("Long 3", "Light", "Light"),
        ("Long 3", "Long 2", "Long 2"),
        ("Long 2", "Long 3", "Long 2"),
        ("Long 2", "Unsafe", "Long 2"),
        ("Long 2", "Useless", "Long 2"),
        ("Unsafe", "Long 9", "Long 9"),
        ("Useless", "Long 9", "Long 9"),
        ("Unsafe", "Light", "Light"),
    ],
)
def test_the_better_of_two_answers_is_used(first: str, second: str, used: str) -> None:
    # Given a model whose first answer is not as asked for
    provider = ScriptedProvider(says(first), says(second), says("Third"))
    # When it is asked
    report = ask(provider)
    # Then it was asked once more with what was wrong, both calls are on the bill, and the better answer is there
    assert title(report) == used
    assert (len(provider.calls), report.spend.calls, report.spend.cost_usd) == (2, 2, 0.02)
    assert provider.calls[1].rejection is not None
    assert first in provider.calls[1].rejection.text


@pytest.mark.parametrize(("both", "rule"), [("Unsafe", "contacts"), ("Useless", "loop")])
def test_what_is_unsafe_or_of_no_use_twice_is_not_used(both: str, rule: str) -> None:
    # Given a model that answers so every time
    provider = ScriptedProvider(says(both))
    # When it is asked
    report = ask(provider)
    # Then there is no answer, and the reason names the rule
    assert report.data is None
    assert report.failure is not None
    assert report.failure.message.endswith(f"two unusable answers: breaks the rule {rule}.")
    assert len(provider.calls) == 2


@pytest.mark.parametrize(
    "failure",
    [
        busy(),
        gone(),
        malformed(),
        Completion(text='{"tit', finish="max_tokens"),
        Completion(text="", finish="stop"),
        Completion(text="", finish="recitation"),
        Completion(
            text="", finish="blocked", blocked_by="safety", usage=Usage(input_tokens=9, output_tokens=0)
        ),
    ],
    ids=["busy", "refused", "malformed", "cut off", "empty", "recitation", "blocked"],
)
def test_the_first_answer_is_used_when_no_second_one_is_to_be_had(failure: Completion | Exception) -> None:
    # Given a model that gives an imperfect answer and then none
    provider = ScriptedProvider(says("Long 2"), failure)
    # When it is asked
    report = ask(provider)
    # Then the answer that was paid for is used
    assert title(report) == "Long 2"
    assert (report.failure, report.blocked_by) == (None, None)


def test_a_refusal_of_the_second_call_closes_the_rung_all_the_same() -> None:
    # Given a model that is retired between two calls
    provider = ScriptedProvider(says("Long 2"), gone(), gone())
    retired = rung(provider)
    # When it is asked twice
    with capture_logs() as logs:
        report = asyncio.run(retired.ask(task()))
        later = asyncio.run(retired.ask(task()))
    # Then its answer is used, and it is not called again
    assert title(report) == "Long 2"
    assert later.failure is not None
    assert len(provider.calls) == 3
    assert [entry["event"] for entry in logs] == ["rung.closed", "answer.imperfect"]


def test_an_imperfect_answer_is_used_at_once_when_no_call_is_left() -> None:
    # Given a message with one call
    provider = ScriptedProvider(says("Long 2"), says("Light"))
    # When it is asked
    report = ask(provider, allowance=Allowance(max_calls=1))
    # Then the answer is used as it is
    assert title(report) == "Long 2"
    assert len(provider.calls) == 1


def test_a_lost_claim_ends_the_asking() -> None:
    # Given an imperfect answer, and a claim that is lost before the second call
    guards = iter([None, ClaimLost("gone")])

    async def guard() -> None:
        if (error := next(guards)) is not None:
            raise error

    # When the model is asked, then nothing is used in the name of a claim that is not there
    with pytest.raises(ClaimLost):
        ask(ScriptedProvider(says("Long 2")), allowance=Allowance(guard=guard))


def test_the_log_names_the_broken_rules_and_nothing_else() -> None:
    # Given a model that is always too long, and a sentence about it that quotes the question
    with capture_logs() as logs:
        # When it is asked
        report = ask(ScriptedProvider(says("Long 2")))
    # Then one line says which rule its answer breaks
    assert title(report) == "Long 2"
    assert logs == [
        {
            "event": "answer.imperfect",
            "log_level": "info",
            "rung": str(BEST),
            "stage": "script",
            "rules": ["length"],
        }
    ]


def test_no_lower_rung_is_asked_and_the_answer_is_live() -> None:
    # Given a model that is always imperfect, and another one below it
    first, second = ScriptedProvider(says("Long 2")), ScriptedProvider(says("Light"))
    paid = MemoryAnswers()
    models = ladder(rung(first), rung(second, SECOND), paid=paid)
    # When a task is put to them twice
    answers = [asyncio.run(models.generate(task())) for _ in range(2)]
    # Then two calls were made in all: the answer is live, kept, and used again without being asked for again
    assert [answer.provenance.mode for answer in answers] == ["live", "live"]
    assert [answer.provenance.cached for answer in answers] == [False, True]
    assert {answer.data and answer.data.title for answer in answers} == {"Long 2"}
    assert (len(first.calls), second.calls) == (2, [])


def test_a_kept_answer_that_is_unsafe_by_now_is_asked_for_anew() -> None:
    # Given an answer that was kept before a rule was made
    paid = MemoryAnswers()
    asyncio.run(ladder(rung(ScriptedProvider(says("Unsafe"))), paid=paid).generate(lesson_task()))
    # When a task with the rule is put to the model
    provider = ScriptedProvider(says("Light"))
    answer = asyncio.run(ladder(rung(provider), paid=paid).generate(task()))
    # Then it is not used
    assert answer.data == Lesson(title="Light", grade=5)
    assert len(provider.calls) == 1


def test_what_was_repaired_is_logged_and_told() -> None:
    # Given a task that repairs an answer
    provider = ScriptedProvider(says("Light"))

    def mend(data: Mapping[str, Any]) -> Mended:
        return Mended(data=data, repairs=("topic_id",))

    # When it is put to a model
    with capture_logs() as logs:
        answer = asyncio.run(ladder(rung(provider)).generate(task(mend=mend)))
    # Then it took one call, and what was done is known
    assert len(provider.calls) == 1
    assert answer.repairs == ("topic_id",)
    assert [(entry["event"], entry["repairs"]) for entry in logs] == [("answer.repaired", ["topic_id"])]
