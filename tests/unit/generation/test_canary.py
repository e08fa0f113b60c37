"""Unusable answers are held against a request only by a model that answers others at that moment."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ClaimLost, NoModelAnswered, RequestFailed
from services.generation.allowance import Allowance
from services.generation.canary import SILENCE_SECONDS, Canary
from services.generation.port import AnswerT, Completion, ModelRef, Rejection, Task
from services.generation.rung import Rung
from tests.unit.generation.doubles import (
    BEST,
    SECOND,
    Clock,
    Lesson,
    busy,
    good,
    ladder,
    lesson_task,
    malformed,
    mock_rung,
    rung,
)

STANDARD = "What is light?"
NOTHING = good("")
UNUSABLE = {
    "no text": NOTHING,
    "no candidate": Completion(text="", finish="other"),
    "prose": good("Sure! Here it is."),
    "another object": good('{"unexpected": true}'),
    "cut off": Completion(text='{"title": "Lig', finish="max_tokens"),
    "recited": Completion(text="", finish="recitation"),
    "called malformed": malformed(),
}


class Model:
    """Answers the standard question as `standard` says, and every other one as `others` says; counts both."""

    def __init__(self, standard: Completion | Exception, others: Completion | Exception = NOTHING) -> None:
        self.standard, self.others = standard, others
        self.canaries = 0
        self.questions = 0

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        is_canary = task.prompt == STANDARD
        self.canaries += is_canary
        self.questions += not is_canary
        await asyncio.sleep(0)
        outcome = self.standard if is_canary else self.others
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def questions() -> Mapping[str, Task[Any]]:
    return {"script": lesson_task(prompt=STANDARD)}


def canary(clock: Clock | None = None) -> Canary:
    return Canary(questions, clock=clock or Clock())


def rung_of(model: Model, ref: ModelRef = BEST) -> Rung:
    return rung(model, ref)  # type: ignore[arg-type]  # as good as a scripted one


async def error_of(*rungs: Rung, canary: Canary, allowance: Allowance | None = None) -> Exception:
    task = lesson_task(allowance=allowance or Allowance())
    with capture_logs(), pytest.raises((RequestFailed, NoModelAnswered)) as caught:
        await ladder(*rungs, canary=canary).generate(task)
    return caught.value


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_model_that_answers_nobody_is_an_outage_and_no_requests_failure(
    answer: Completion | Exception,
) -> None:
    error = asyncio.run(error_of(rung_of(Model(answer, answer)), canary=canary()))
    assert isinstance(error, NoModelAnswered)


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_model_that_answers_others_has_failed_at_the_request(answer: Completion | Exception) -> None:
    error = asyncio.run(error_of(rung_of(Model(good(), answer)), canary=canary()))
    assert isinstance(error, RequestFailed)


def test_a_model_that_is_gone_by_the_time_of_the_canary_is_an_outage() -> None:
    error = asyncio.run(error_of(rung_of(Model(busy())), canary=canary()))
    assert isinstance(error, NoModelAnswered)


def test_one_model_that_answers_others_is_enough_to_say_that_the_request_is_bad() -> None:
    # Given a best model that answers nobody, and a second one that fails at this request alone
    first, second = Model(NOTHING), Model(good())
    # When both have failed at it
    error = asyncio.run(error_of(rung_of(first), rung_of(second, SECOND), canary=canary()))
    # Then it is bad: whoever asks something else is answered
    assert isinstance(error, RequestFailed)
    # And when it is the best one that answers others, the second is not even tried out
    first, second = Model(good()), Model(good())
    asyncio.run(error_of(rung_of(first), rung_of(second, SECOND), canary=canary()))
    assert (first.canaries, second.canaries) == (1, 0)


def test_without_an_unusable_answer_nobody_is_tried_out() -> None:
    model = Model(good(), busy())
    asyncio.run(error_of(rung_of(model), canary=canary()))
    assert model.canaries == 0


def test_where_the_mock_answers_nobody_is_tried_out() -> None:
    model = Model(good())
    with capture_logs():
        answer = asyncio.run(ladder(rung_of(model), mock_rung(), canary=canary()).generate(lesson_task()))
    assert (answer.data, answer.provenance.mode) == (Lesson(title="Offline", grade=5), "mock")
    assert model.canaries == 0


def test_the_canary_is_on_the_bill_of_the_message_that_needed_it_even_when_its_calls_are_spent() -> None:
    # Given a message of two calls, which a useless model uses up
    allowance = Allowance(max_calls=2)
    error = asyncio.run(error_of(rung_of(Model(good())), canary=canary(), allowance=allowance))
    # Then its failure is told apart all the same, and the canary is paid by it
    assert isinstance(error, RequestFailed)
    assert allowance.spend.calls == 3
    assert allowance.spend.cost_usd == pytest.approx(0.03)


def test_messages_that_fail_at_the_same_time_share_the_canary() -> None:
    async def scenario() -> None:
        # Given thirty messages in flight, and a model that answers none of them
        for standard in (NOTHING, good()):
            model, shared = Model(standard), canary()
            await asyncio.gather(*(error_of(rung_of(model), canary=shared) for _ in range(30)))
            # Then one finds out for all; a second try is made of what cannot be used
            assert model.canaries == (2 if standard is NOTHING else 1)

    asyncio.run(scenario())


def test_silence_is_remembered_for_a_minute_and_then_looked_at_again() -> None:
    async def scenario() -> None:
        clock, model = Clock(), Model(NOTHING)
        shared = canary(clock)
        # Given a model that answered nobody
        assert isinstance(await error_of(rung_of(model), canary=shared), NoModelAnswered)
        # When messages fail at it within the minute, then nobody asks again
        clock.seconds += SILENCE_SECONDS - 1
        assert isinstance(await error_of(rung_of(model), canary=shared), NoModelAnswered)
        assert model.canaries == 2
        # And after it, a model that is back is seen to be back
        clock.seconds += 1
        model.standard = good()
        assert isinstance(await error_of(rung_of(model), canary=shared), RequestFailed)

    asyncio.run(scenario())


def test_a_good_verdict_does_not_serve_who_fails_after_it() -> None:
    async def scenario() -> None:
        clock, model = Clock(), Model(good())
        shared = canary(clock)
        assert isinstance(await error_of(rung_of(model), canary=shared), RequestFailed)
        # Given an outage that begins a second later
        clock.seconds += 1
        model.standard = NOTHING
        # When the next message meets it, then none of it is counted
        assert isinstance(await error_of(rung_of(model), canary=shared), NoModelAnswered)

    asyncio.run(scenario())


def test_models_and_stages_have_verdicts_of_their_own() -> None:
    async def scenario() -> None:
        async def of_both() -> Mapping[str, Task[Any]]:
            return {stage: lesson_task(stage=stage, prompt=STANDARD) for stage in ("nlu", "script")}

        shared, silent, fine = Canary(of_both, clock=Clock()), Model(NOTHING), Model(good())
        with capture_logs():
            found = [
                await shared.failure(rung_of(model, ref), stage, Allowance())
                for model, ref, stage in [
                    (silent, BEST, "script"),
                    (fine, SECOND, "script"),
                    (fine, BEST, "nlu"),
                ]
            ]
        assert [failure and failure.kind for failure in found] == ["empty", None, None]

    asyncio.run(scenario())


def test_who_has_lost_the_request_leaves_the_canary_to_the_next() -> None:
    async def scenario() -> None:
        # Given a message whose claim was lost, and another one that waits for the same canary
        async def lost() -> None:
            raise ClaimLost("Another worker has it.")

        model, shared = Model(good()), canary()
        first = asyncio.create_task(shared.failure(rung_of(model), "script", Allowance(guard=lost)))
        second = asyncio.create_task(shared.failure(rung_of(model), "script", Allowance()))
        # When it finds out, then the other one asks itself
        with pytest.raises(ClaimLost):
            await first
        assert await second is None
        assert model.canaries == 1

    asyncio.run(scenario())


def test_an_outage_is_told_once_for_each_look_with_its_kind() -> None:
    model, shared = Model(NOTHING), canary()

    async def scenario() -> None:
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(NoModelAnswered, match=r"not even a standard question.*no text"):
                    await ladder(rung_of(model), canary=shared).generate(lesson_task())
        (line,) = [line for line in logs if line["event"] == "model.answers_nobody"]
        assert (line["rung"], line["stage"], line["kind"]) == (str(BEST), "script", "empty")

    asyncio.run(scenario())
