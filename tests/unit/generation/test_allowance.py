"""One allowance per message: over rungs, retries, re-asks and stages, and never for the mock."""

import asyncio
import math

import pytest
from structlog.testing import capture_logs

from services.errors import ModelUnavailable, NoModelAnswered, RequestFailed
from services.generation.allowance import Allowance
from services.generation.port import Answer, AnswerT, Completion, ModelRef, Rejection, Task
from services.generation.retry import Retry, RetrySettings
from services.generation.rung import Rung, RungReport
from services.generation.spend import Spend
from tests.unit.generation.doubles import (
    SECOND,
    Clock,
    Lesson,
    Pauses,
    ScriptedProvider,
    busy,
    good,
    ladder,
    lesson_task,
    mock_rung,
    rung,
)

NOT_JSON = good("I would rather not.")
TIMED_OUT = ModelUnavailable("took too long (504)", kind="timeout", code=504)


class SlowProvider(ScriptedProvider):
    """Every call takes as long as it may, but at most the given seconds."""

    def __init__(self, clock: Clock, seconds: float, *outcomes: Completion | Exception) -> None:
        super().__init__(*outcomes)
        self._clock = clock
        self._seconds = seconds

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        self._clock.seconds += min(self._seconds, timeout)
        return await super().complete(task, model=model, rejection=rejection, timeout=timeout)


def ask(asked: Rung, allowance: Allowance) -> RungReport[Lesson]:
    with capture_logs():
        return asyncio.run(asked.ask(lesson_task(allowance=allowance)))


def generate(allowance: Allowance, *rungs: Rung) -> Answer[Lesson]:
    with capture_logs():
        return asyncio.run(ladder(*rungs).generate(lesson_task(allowance=allowance)))


def test_an_allowance_without_bounds_only_adds_up() -> None:
    # Given an allowance without bounds
    allowance = Allowance()
    # When calls are made
    allowance.add(Spend(calls=100))
    allowance.add(Spend(input_tokens=7, cost_usd=None))
    # Then it is never spent, and knows what they took
    assert (allowance.calls_left, allowance.seconds_left, allowance.is_spent) == (math.inf, math.inf, False)
    assert allowance.spend == Spend(calls=100, input_tokens=7, cost_usd=None)


@pytest.mark.parametrize(
    ("calls", "seconds", "is_spent"),
    [(0, 0, False), (2, 9.5, False), (3, 0, True), (4, 0, True), (0, 10, True)],
)
def test_an_allowance_is_spent_when_its_calls_or_its_seconds_are(
    calls: int, seconds: float, is_spent: bool
) -> None:
    # Given an allowance of three calls and ten seconds, made at any time
    clock = Clock(1000.0)
    allowance = Allowance(max_calls=3, seconds=10, clock=clock)
    # When some of it is used
    allowance.add(Spend(calls=calls))
    clock.seconds += seconds
    # Then it says what is left, never less than nothing
    assert allowance.calls_left == max(0, 3 - calls)
    assert allowance.seconds_left == 10 - seconds
    assert allowance.is_spent is is_spent


def test_everything_that_a_rung_spends_is_taken_from_the_allowance() -> None:
    # Given a model that is busy, then answers with nonsense, then well
    provider, allowance = ScriptedProvider(busy(), NOT_JSON, good()), Allowance(max_calls=10)
    # When it is asked
    report = ask(rung(provider), allowance)
    # Then the failed call, the useless one and the good one are all on the message's bill
    assert allowance.spend == report.spend
    assert (allowance.spend.calls, allowance.spend.cost_usd) == (3, 0.02)
    assert allowance.calls_left == 7


def test_retries_end_with_the_calls_of_the_message() -> None:
    # Given a message with two calls left, and a model that stays busy
    provider, pauses = ScriptedProvider(busy()), Pauses()
    # When it is asked
    report = ask(rung(provider, pauses=pauses), Allowance(max_calls=2))
    # Then the third call is not made, nor its pause, and the reason is the model's
    assert len(provider.calls) == 2
    assert len(pauses.seconds) == 1
    assert report.failure is not None
    assert report.failure.kind == "unavailable"


def test_calls_that_another_stage_makes_meanwhile_count() -> None:
    # Given two stages of one message that share four calls, and a model that is busy for both
    provider, allowance = ScriptedProvider(busy()), Allowance(max_calls=4)
    asked = rung(provider)

    async def scenario() -> None:
        task = lesson_task(allowance=allowance)
        await asyncio.gather(asked.ask(task), asked.ask(task))

    # When they run side by side
    with capture_logs():
        asyncio.run(scenario())
    # Then they make four calls together
    assert len(provider.calls) == allowance.spend.calls == 4


@pytest.mark.parametrize(("left", "timeout"), [(300.0, 60.0), (60.0, 60.0), (12.5, 12.5)])
def test_no_call_may_take_longer_than_the_message(left: float, timeout: float) -> None:
    # Given a message with some time left, and a rung that waits 60 s for a call
    provider = ScriptedProvider(good())
    # When it calls
    ask(rung(provider), Allowance(seconds=left, clock=Clock()))
    # Then it waits for the shorter of the two
    assert provider.calls[0].timeout == timeout


@pytest.mark.parametrize(("left", "calls"), [(5.0, 1), (5.1, 2)])
def test_no_pause_is_made_that_would_outlast_the_message(left: float, calls: int) -> None:
    # Given a model that asks for five seconds of patience
    provider, pauses = ScriptedProvider(busy(retry_after=5.0), good()), Pauses(share=0.0)
    # When a message has that long, or a little longer
    report = ask(rung(provider, pauses=pauses), Allowance(seconds=left, clock=Clock()))
    # Then it waits only if there is time for a call afterwards
    assert len(provider.calls) == calls
    assert (report.data is not None) == (calls == 2)


def test_asking_again_is_not_worth_more_than_the_message_may_take() -> None:
    # Given a message with one call left, and a model that gives an unusable answer
    provider = ScriptedProvider(NOT_JSON, good())
    # When it is asked
    report = ask(rung(provider), Allowance(max_calls=1))
    # Then it is not asked again, and the answer is the reason
    assert len(provider.calls) == 1
    assert report.failure is not None
    assert report.failure.kind == "invalid_json"
    assert "no call is left to ask again: no JSON object." in report.failure.message


@pytest.mark.parametrize(
    ("allowance", "what"),
    [(Allowance(max_calls=0), "0 calls"), (Allowance(seconds=0.0, clock=Clock()), "0 seconds")],
)
def test_a_rung_does_not_call_on_a_spent_allowance(allowance: Allowance, what: str) -> None:
    # Given a message that may make no call any more
    provider = ScriptedProvider(good())
    # When a rung is to be asked
    report = ask(rung(provider), allowance)
    # Then it says so without a call, and names the settings
    assert provider.calls == []
    assert report.spend == Spend()
    assert report.failure is not None
    assert (report.failure.kind, report.failure.code) == ("allowance_spent", None)
    assert report.failure.message == (
        f"The message has used up its {what}; WORKER_MESSAGE_CALL_LIMIT, WORKER_MESSAGE_TIMEOUT_SECONDS and "
        "WORKER_MESSAGE_COST_LIMIT_USD bound them."
    )


def test_a_call_that_the_message_cut_short_is_not_held_against_the_model() -> None:
    # Given a model that hangs, and a message with ten seconds left
    clock = Clock()
    provider = SlowProvider(clock, 3600, TIMED_OUT)
    # When it is asked
    report = ask(rung(provider), Allowance(seconds=10, clock=clock))
    # Then the message's time is the reason, and nothing is tried again
    assert len(provider.calls) == 1
    assert report.failure is not None
    assert report.failure.kind == "allowance_spent"


def test_a_call_that_had_all_its_time_is_held_against_the_model() -> None:
    # Given a model that hangs, and a message with time for one call in full and a part of another
    clock = Clock()
    provider = SlowProvider(clock, 3600, TIMED_OUT)
    # When it is asked
    report = ask(rung(provider, settings=RetrySettings(max_calls=1)), Allowance(seconds=100, clock=clock))
    # Then the model's failure is reported
    assert report.failure is not None
    assert report.failure.kind == "timeout"


def test_a_spent_allowance_leads_down_to_the_mock() -> None:
    # Given a message with two calls, and a best model that is busy
    best, second = ScriptedProvider(busy()), ScriptedProvider(good())
    allowance = Allowance(max_calls=2)
    # When the ladder is asked
    answer = generate(allowance, rung(best), rung(second, SECOND), mock_rung())
    # Then no other model is called, the mock answers all the same, and takes nothing of the allowance
    assert (len(best.calls), len(second.calls)) == (2, 0)
    assert answer.provenance.mode == "mock"
    assert answer.provenance.attempts == 3
    assert answer.provenance.error is not None
    assert answer.provenance.error.kind == "unavailable"
    assert allowance.spend.calls == 2


def test_the_mock_answers_when_no_time_is_left() -> None:
    # Given a message whose time is over
    clock = Clock()
    allowance = Allowance(seconds=1, clock=clock)
    clock.seconds = 2
    # When the ladder is asked
    answer = generate(allowance, rung(ScriptedProvider(good())), mock_rung())
    # Then the mock answers and says why
    assert answer.data == Lesson(title="Offline", grade=5)
    assert answer.provenance.error is not None
    assert answer.provenance.error.kind == "allowance_spent"


def test_an_allowance_that_useless_answers_have_used_up_is_the_requests_own_fault() -> None:
    # Given a ladder without the mock, a model that answers with nonsense, and a message with two calls
    rungs = [rung(ScriptedProvider(NOT_JSON)), rung(ScriptedProvider(good()), SECOND)]
    # When it is asked
    with pytest.raises(RequestFailed) as caught:
        generate(Allowance(max_calls=2), *rungs)
    # Then the request failed, for the nonsense
    assert (caught.value.stage, caught.value.kind) == ("script", "invalid_json")


def test_an_allowance_that_nobody_answered_within_is_no_fault_of_the_request() -> None:
    # Given a message that had nothing left when it came to this stage
    with pytest.raises(NoModelAnswered, match="has used up its 0 calls"):
        # When the ladder is asked
        generate(Allowance(max_calls=0), rung(ScriptedProvider(good())))
    # Then no answer is reported, with the settings that bound it


def test_retry_reads_the_allowance_after_the_pause_is_known() -> None:
    # Given pauses of four seconds, and ten seconds that pass only while pausing
    clock, calls = Clock(), []

    async def sleep(seconds: float) -> None:
        clock.seconds += seconds

    async def call() -> None:
        calls.append(clock.seconds)
        raise busy(retry_after=4.0)

    # When a call is repeated
    retry = Retry(RetrySettings(), sleep=sleep, uniform=Pauses(share=0.0).uniform)
    with pytest.raises(ModelUnavailable):
        asyncio.run(retry.run(call, max_calls=9, allowance=Allowance(seconds=10, clock=clock)))
    # Then it ends when the next pause would not leave any time
    assert calls == [0.0, 4.0, 8.0]
