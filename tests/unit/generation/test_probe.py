"""One small call a model tells whether it answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ConfigurationError, ModelRejected, ModelUnavailable, NoModelAnswered
from services.generation.port import Completion, ModelRef, Task
from services.generation.probe import TRIAL_SECONDS, Look, look, probe
from services.generation.rung import Rung
from tests.unit.generation.doubles import (
    BEST,
    SECOND,
    Pauses,
    ScriptedProvider,
    busy,
    gone,
    good,
    lesson_task,
    malformed,
    rung,
)

READY = good('{"ready": true}')
STAGES = ("nlu", "interest", "script")
THIRD = ModelRef(provider="vertex", model="gemini-4-argon", location="global")


def forbidden() -> ModelRejected:
    return ModelRejected("no right.", kind="permission_denied", code=403, fix="Grant it.")


def ask(*providers: ScriptedProvider, pauses: Pauses | None = None) -> None:
    refs = [BEST, SECOND]
    rungs = [rung(provider, ref, pauses=pauses) for provider, ref in zip(providers, refs, strict=False)]
    with capture_logs():
        asyncio.run(probe(rungs))


def test_a_model_that_stands_for_all_stages_is_asked_once() -> None:
    provider = ScriptedProvider(READY)
    asyncio.run(probe([rung(provider), rung(provider), rung(provider)]))
    (call,) = provider.calls
    assert call.task.stage == "probe"


def test_every_other_model_is_asked_too() -> None:
    first, second = ScriptedProvider(READY), ScriptedProvider(READY)
    ask(first, second)
    assert (len(first.calls), len(second.calls)) == (1, 1)


def test_a_busy_model_is_asked_once_only_and_no_other_one_after_it() -> None:
    first, second, pauses = ScriptedProvider(busy(retry_after=30)), ScriptedProvider(READY), Pauses()
    with pytest.raises(NoModelAnswered, match=r"gemini-3\.8-flash.* does not answer: busy \(503\)"):
        ask(first, second, pauses=pauses)
    assert (len(first.calls), len(second.calls)) == (1, 0)
    assert not pauses.seconds


def test_a_model_that_refuses_every_call_is_told_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="refuses every call") as told:
        ask(ScriptedProvider(gone()))
    assert "WORKER_MODELS" in told.value.fix


def test_a_model_that_refuses_once_answers() -> None:
    provider = ScriptedProvider(gone(), READY)
    ask(provider)
    assert len(provider.calls) == 2


def test_a_call_that_the_model_does_not_understand_is_no_sign_that_it_answers_others() -> None:
    with pytest.raises(NoModelAnswered):
        ask(ScriptedProvider(malformed()))


UNUSABLE = {
    "prose": good("ready!"),
    "another object": good('{"unexpected": true}'),
    "no text": Completion(text="", finish="stop"),
    "no candidate": Completion(text="", finish="other"),
    "all room taken by thinking": Completion(text="", finish="max_tokens"),
    "cut off": Completion(text='{"rea', finish="max_tokens"),
}


@pytest.mark.parametrize("completion", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_answer_that_nobody_could_use_is_no_sign_of_life_when_it_comes_twice(
    completion: Completion,
) -> None:
    provider = ScriptedProvider(completion)
    with pytest.raises(NoModelAnswered):
        ask(provider)
    assert len(provider.calls) == 2


def test_one_answer_that_cannot_be_used_happens_to_every_model() -> None:
    provider = ScriptedProvider(good(""), READY)
    ask(provider)
    assert len(provider.calls) == 2


def test_a_model_that_thinks_before_it_answers_has_room_for_it() -> None:
    provider = ScriptedProvider(READY)
    ask(provider)
    assert provider.calls[0].task.max_output_tokens >= 4096


def test_a_block_is_a_sign_of_life_and_costs_one_call() -> None:
    provider = ScriptedProvider(Completion(text="", finish="blocked", blocked_by="SAFETY"))
    ask(provider)
    assert len(provider.calls) == 1


def test_a_model_that_does_not_answer_in_a_trials_time_is_told_as_that() -> None:
    late = ModelUnavailable("late (504)", kind="timeout", code=504)
    with pytest.raises(NoModelAnswered, match=f"no answer within {TRIAL_SECONDS:g} s"):
        ask(ScriptedProvider(late))


def looked(ladders: dict[str, list[Rung]], questions: Mapping[str, Task[Any]] | None = None) -> Look:
    with capture_logs():
        return asyncio.run(look(ladders, questions))


def test_one_small_call_does_for_all_stages_that_a_model_stands_in() -> None:
    provider = ScriptedProvider(READY)
    found = looked({stage: [rung(provider), rung(ScriptedProvider(busy()), SECOND)] for stage in STAGES})
    assert (found.obstacle, len(provider.calls)) == (None, 1)
    assert (found.spend.calls, found.spend.cost_usd) == (1, 0.01)


def test_it_is_enough_that_a_lower_rung_answers_every_stage() -> None:
    best, second = ScriptedProvider(busy()), ScriptedProvider(READY)
    found = looked({stage: [rung(best), rung(second, SECOND)] for stage in STAGES})
    assert (found.obstacle, len(best.calls), len(second.calls)) == (None, 1, 1)


def test_a_stage_that_nobody_answers_is_an_obstacle_with_every_models_reason() -> None:
    found = looked(
        {
            "nlu": [rung(ScriptedProvider(READY))],
            "script": [rung(ScriptedProvider(good("")), SECOND), rung(ScriptedProvider(busy()), THIRD)],
        }
    )
    assert isinstance(found.obstacle, NoModelAnswered)
    assert found.obstacle.message.startswith("No model of the ladder for script answers.")
    assert "no text" in found.obstacle.message
    assert "busy (503)" in found.obstacle.message
    assert found.spend.calls == 1 + 2 + 1


@pytest.mark.parametrize(
    ("refusals", "expected"),
    [
        ((gone(),), ConfigurationError),
        ((gone(), gone()), ConfigurationError),
        ((gone(), busy()), NoModelAnswered),
        ((forbidden(),), NoModelAnswered),
        ((forbidden(), gone()), NoModelAnswered),
    ],
    ids=["a wrong name", "wrong names", "a wrong name and an outage", "a missing right", "one of each"],
)
def test_only_what_waiting_cannot_mend_is_for_the_operator_alone(
    refusals: tuple[Exception, ...], expected: type[Exception]
) -> None:
    rungs = [rung(ScriptedProvider(error), ref) for error, ref in zip(refusals, (BEST, SECOND), strict=False)]
    assert isinstance(looked({"nlu": rungs}).obstacle, expected)


def test_a_thorough_look_puts_each_stages_own_question() -> None:
    # Given a model that answers the smallest call, and no script
    provider = ScriptedProvider(READY)
    nothing = ScriptedProvider(good(""))
    questions = {stage: lesson_task(stage=stage) for stage in ("nlu", "script")}
    ladders = {"nlu": [rung(ScriptedProvider(good()))], "script": [rung(nothing)]}
    # When both ways of looking are compared
    assert looked({"nlu": [rung(provider)], "script": [rung(provider)]}).obstacle is None
    found = looked(ladders, questions)
    # Then only the thorough one finds it
    assert isinstance(found.obstacle, NoModelAnswered)
    assert {call.task.stage for call in nothing.calls} == {"script"}
