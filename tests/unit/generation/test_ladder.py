import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.errors import ModelUnavailable
from services.generation.allowance import Allowance
from services.generation.ladder import Ladder
from services.generation.port import Answer, Completion, Usage
from services.generation.rung import Rung
from tests.unit.generation.doubles import (
    BEST,
    MARKER,
    SECOND,
    Lesson,
    MemoryAnswers,
    ScriptedProvider,
    busy,
    gone,
    good,
    ladder,
    lesson_task,
    mock_rung,
    rung,
)


def ticking() -> Iterator[float]:
    now = 100.0
    while True:
        yield now
        now += 1.5


def generate(*rungs: Rung) -> Answer[Lesson]:
    return asyncio.run(ladder(*rungs, clock=ticking().__next__).generate(lesson_task()))


def test_the_top_rung_answers_live() -> None:
    # Given a best model that is busy twice, and a second one
    best, second = ScriptedProvider(busy(), busy(), good()), ScriptedProvider(good())
    # When the ladder is asked
    answer = generate(rung(best), rung(second, SECOND))
    # Then the best one answered, live, on its third call
    assert answer.data == Lesson(title="Light", grade=5)
    provenance = answer.provenance
    assert (provenance.mode, provenance.provider, provenance.model) == ("live", "vertex", "gemini-3.8-flash")
    assert provenance.attempts == 3
    assert provenance.error is None
    assert provenance.latency_ms == 1500
    assert second.calls == []


def test_a_lower_rung_answers_as_fallback_with_the_best_ones_reason() -> None:
    # Given a best model that is gone, a second one that talks nonsense, and a third
    best, second, third = ScriptedProvider(gone()), ScriptedProvider(good("No.")), ScriptedProvider(good())
    # When the ladder is asked
    with capture_logs():
        answer = generate(rung(best), rung(second, SECOND), rung(third, SECOND))
    # Then calls, tokens and costs of all rungs are summed, and the reason is the best one's
    provenance = answer.provenance
    assert provenance.mode == "fallback"
    assert provenance.attempts == 2 + 2 + 1
    assert (provenance.input_tokens, provenance.output_tokens) == (300, 150)
    assert provenance.cost_usd == pytest.approx(0.03)
    assert provenance.error is not None
    assert (provenance.error.kind, provenance.error.code) == ("model_not_found", 404)


def test_the_mock_answers_when_nothing_else_does_and_is_free() -> None:
    # Given models that are busy, above the mock
    with capture_logs():
        # When the ladder is asked
        answer = generate(rung(ScriptedProvider(busy())), rung(ScriptedProvider(busy()), SECOND), mock_rung())
    # Then the offline answer is given, and said to be the mock's
    assert answer.data == Lesson(title="Offline", grade=5)
    provenance = answer.provenance
    assert (provenance.mode, provenance.provider, provenance.model) == ("mock", "mock", "mock")
    assert provenance.attempts == 7
    assert (provenance.input_tokens, provenance.output_tokens, provenance.cost_usd) == (0, 0, 0.0)
    assert provenance.error is not None
    assert provenance.error.kind == "unavailable"


def test_a_ladder_of_the_mock_alone_is_in_mock_mode() -> None:
    # Given a machine without a project
    # When the ladder is asked
    answer = generate(mock_rung())
    # Then nothing failed, and the mode is still the mock's
    assert answer.provenance.mode == "mock"
    assert answer.provenance.error is None


def test_what_was_paid_above_the_mock_stays_on_the_bill() -> None:
    # Given a model that was paid for two unusable answers, with no known price
    unpriced = rung(ScriptedProvider(good("No.")), price=lambda ref, usage, at: None)
    # When the mock answers instead
    with capture_logs():
        answer = generate(unpriced, mock_rung())
    # Then the cost is unknown, not zero, and the tokens are known
    assert answer.provenance.cost_usd is None
    assert answer.provenance.input_tokens == 200


def test_a_closed_rung_is_passed_without_a_call() -> None:
    # Given a ladder whose best model is gone
    best = ScriptedProvider(gone())
    model = ladder(rung(best), rung(ScriptedProvider(good()), SECOND))

    async def scenario() -> tuple[Answer[Lesson], Answer[Lesson]]:
        return await model.generate(lesson_task()), await model.generate(lesson_task(prompt="Another one."))

    # When two messages ask, one after the other
    with capture_logs() as logs:
        first, second = asyncio.run(scenario())
    # Then the second one does not call it, and knows why all the same
    assert len(best.calls) == 2
    assert (first.provenance.attempts, second.provenance.attempts) == (3, 1)
    assert second.provenance.error == first.provenance.error
    assert [entry["event"] for entry in logs] == ["rung.closed"]


def test_a_block_is_an_answer_and_no_lower_rung_is_asked() -> None:
    # Given a best model whose filter blocks
    blocked = ScriptedProvider(Completion(text="", finish="blocked", blocked_by="prompt_safety"))
    second = ScriptedProvider(good())
    # When the ladder is asked
    answer = generate(rung(blocked), rung(second, SECOND), mock_rung())
    # Then that is the answer
    assert answer.data is None
    assert answer.blocked_by == "prompt_safety"
    assert answer.provenance.mode == "live"
    assert second.calls == []


def test_when_nothing_answers_every_rungs_reason_is_named() -> None:
    # Given a ladder without the mock, in an outage
    rungs = [rung(ScriptedProvider(gone())), rung(ScriptedProvider(busy()), SECOND)]
    # When it is asked
    with capture_logs() as logs, pytest.raises(ModelUnavailable) as caught:
        generate(*rungs)
    # Then the error is one that may pass, names both models and none of the student's words
    assert caught.value.kind == "no_answer"
    assert caught.value.message == (
        "No rung of the ladder for script answered. "
        f"{BEST}: not found. Set WORKER_MODELS.; {SECOND}: busy (503)"
    )
    assert MARKER not in repr((logs, caught.value))


def test_every_stage_has_its_own_ladder() -> None:
    # Given a stage with a ladder of its own
    nlu, script = ScriptedProvider(good()), ScriptedProvider(good())
    rungs = {"nlu": [rung(nlu, SECOND)], "script": [rung(script)]}
    model = Ladder(rungs, paid=MemoryAnswers(), answer_lifetime=timedelta(days=1))
    # When that stage asks
    answer = asyncio.run(model.generate(lesson_task(stage="nlu")))
    # Then its own model answers
    assert answer.provenance.model == SECOND.model
    assert script.calls == []


VERDICTS = ["safety", "prohibited_content", "spii", "blocklist", "model_armor", "prompt_safety"]


def block(by: str = "safety") -> Completion:
    usage = Usage(input_tokens=9, output_tokens=0)
    return Completion(text="", finish="blocked", blocked_by=by, usage=usage)


@pytest.mark.parametrize("by", VERDICTS)
def test_a_false_alarm_of_the_filter_is_not_believed(by: str) -> None:
    # Given a filter that blocks one call, and none after it
    best = ScriptedProvider(block(by), good())
    # When the ladder is asked
    with capture_logs() as logs:
        answer = generate(rung(best), mock_rung())
    # Then the same model answers, both calls are on the bill, and a line tells of it
    assert answer.data == Lesson(title="Light", grade=5)
    provenance = answer.provenance
    assert (provenance.mode, provenance.attempts, provenance.cost_usd) == ("live", 2, 0.02)
    assert [(line["event"], line["blocked_by"]) for line in logs] == [("block.not_repeated", by)]


@pytest.mark.parametrize("by", VERDICTS)
def test_a_block_that_is_repeated_is_believed_and_asked_no_third_time(by: str) -> None:
    best = ScriptedProvider(block(by))
    answer = generate(rung(best), rung(ScriptedProvider(good()), SECOND), mock_rung())
    assert (answer.data, answer.blocked_by, answer.provenance.attempts) == (None, by, 2)
    assert len(best.calls) == 2


@pytest.mark.parametrize("second", [busy(), good("No.")], ids=["busy", "unusable"])
def test_a_block_stands_when_asking_again_brings_nothing(second: Completion | Exception) -> None:
    lower = ScriptedProvider(good())
    with capture_logs():
        answer = generate(rung(ScriptedProvider(block(), second)), rung(lower, SECOND), mock_rung())
    assert (answer.blocked_by, answer.provenance.mode) == ("safety", "live")
    assert lower.calls == []


def test_a_block_is_believed_when_no_call_is_left_to_ask_again() -> None:
    best = ScriptedProvider(block(), good())
    task = lesson_task(allowance=Allowance(max_calls=1))
    answer = asyncio.run(ladder(rung(best), mock_rung()).generate(task))
    assert (answer.blocked_by, len(best.calls)) == ("safety", 1)
