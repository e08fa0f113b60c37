"""One small call a model tells whether it answers."""

import asyncio

import pytest
from structlog.testing import capture_logs

from services.errors import ConfigurationError, NoModelAnswered
from services.generation.port import Completion
from services.generation.probe import probe
from tests.unit.generation.doubles import (
    BEST,
    SECOND,
    Pauses,
    ScriptedProvider,
    busy,
    gone,
    good,
    malformed,
    rung,
)

READY = good('{"ready": true}')


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


@pytest.mark.parametrize(
    "completion",
    [
        pytest.param(good("ready!"), id="nonsense"),
        pytest.param(Completion(text="", finish="max_tokens"), id="all room taken by thinking"),
        pytest.param(Completion(text="", finish="blocked", blocked_by="SAFETY"), id="blocked"),
    ],
)
def test_any_answer_is_a_sign_of_life_and_costs_one_call(completion: Completion) -> None:
    provider = ScriptedProvider(completion)
    ask(provider)
    assert len(provider.calls) == 1
