import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.errors import ModelUnavailable
from services.generation.port import Completion, Finish, RungFailure, Usage
from services.generation.refusals import Refusals
from services.generation.retry import RetrySettings
from services.generation.rung import RungReport
from tests.unit.generation.doubles import (
    BEST,
    MARKER,
    NOON,
    Lesson,
    Pauses,
    ScriptedProvider,
    busy,
    gone,
    good,
    lesson_task,
    malformed,
    rung,
)

NOT_JSON = good("I would rather not.", tokens=(100, 7))


def ask(provider: ScriptedProvider, **options: object) -> RungReport[Lesson]:
    return asyncio.run(rung(provider, **options).ask(lesson_task()))  # type: ignore[arg-type]  # passed through


def test_a_good_answer_takes_one_call() -> None:
    # Given a model that answers
    provider = ScriptedProvider(good())
    # When it is asked
    report = ask(provider, settings=RetrySettings(call_timeout_seconds=12))
    # Then the answer and its bill are there, and the call had a deadline
    assert report.data == Lesson(title="Light", grade=5)
    assert (report.spend.calls, report.spend.input_tokens, report.spend.output_tokens) == (1, 100, 50)
    assert report.spend.cost_usd == 0.01
    assert provider.calls[0].timeout == 12


def test_a_model_that_is_busy_twice_answers_on_the_third_call() -> None:
    # Given a model that is busy twice
    provider, pauses = ScriptedProvider(busy(), busy(), good()), Pauses(share=0.5)
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider, pauses=pauses)
    # Then the third call answers, after pauses, and nobody is bothered
    assert report.data == Lesson(title="Light", grade=5)
    assert report.spend.calls == 3
    assert pauses.seconds == [0.5, 1.0]
    assert logs == []


def test_a_model_that_stays_busy_is_given_up_with_one_warning() -> None:
    # Given a model that is always busy
    provider = ScriptedProvider(busy())
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then three calls were made and the failure is reported and logged once
    assert len(provider.calls) == report.spend.calls == 3
    assert report.failure is not None
    assert (report.failure.kind, report.failure.code) == ("unavailable", 503)
    assert [(entry["event"], entry["log_level"], entry["attempts"]) for entry in logs] == [
        ("rung.failed", "warning", 3)
    ]
    assert report.spend.cost_usd == 0.0


def test_a_refusal_is_repeated_once_at_once_and_closes_the_rung() -> None:
    # Given a model that is gone
    provider, pauses = ScriptedProvider(gone()), Pauses()
    closed = rung(provider, pauses=pauses)

    async def scenario() -> tuple[RungReport[Lesson], RungReport[Lesson]]:
        return await closed.ask(lesson_task()), await closed.ask(lesson_task())

    # When it is asked twice
    with capture_logs() as logs:
        first, second = asyncio.run(scenario())
    # Then it was called twice without a pause; the second report has the same reason and took nothing
    assert len(provider.calls) == 2
    assert pauses.seconds == []
    assert first.failure == second.failure
    assert first.failure is not None
    assert first.failure.message == "not found. Set WORKER_MODELS."
    assert (first.spend.calls, second.spend.calls) == (2, 0)
    assert [entry["event"] for entry in logs] == ["rung.closed"]


def test_a_refusal_that_passes_costs_one_call() -> None:
    # Given a model that refuses one call
    provider = ScriptedProvider(gone(), good())
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then the answer is there, both calls are counted, and nobody is bothered
    assert report.data == Lesson(title="Light", grade=5)
    assert report.spend.calls == 2
    assert logs == []


def test_fifty_messages_at_the_same_moment_make_one_warning() -> None:
    # Given a model that is gone, and fifty messages that ask before the first of them knows
    provider = ScriptedProvider(gone())
    shared = rung(provider)

    async def scenario() -> list[RungReport[Lesson]]:
        return await asyncio.gather(*(shared.ask(lesson_task()) for _ in range(50)))

    # When they all fail
    with capture_logs() as logs:
        reports = asyncio.run(scenario())
    # Then there is one warning
    assert all(report.failure for report in reports)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("rung.closed", "warning")]


def test_stages_that_share_a_model_share_its_refusals() -> None:
    # Given two rungs for the same model
    refusals, provider = Refusals(BEST), ScriptedProvider(gone())
    first, second = rung(provider, refusals=refusals), rung(provider, refusals=refusals)

    async def scenario() -> None:
        await first.ask(lesson_task(stage="nlu"))
        await second.ask(lesson_task(stage="script"))

    # When both are asked
    with capture_logs() as logs:
        asyncio.run(scenario())
    # Then the second one does not call and does not complain
    assert len(provider.calls) == 2
    assert len(logs) == 1


def test_a_quota_that_is_out_for_hours_is_neither_waited_for_nor_asked_again() -> None:
    # Given a model whose quota is back in three hours
    used_up = ModelUnavailable("used up (429).", kind="quota", code=429, retry_after=3 * 3600)
    provider, pauses = ScriptedProvider(used_up), Pauses(share=0.0)
    shared = rung(provider, pauses=pauses)

    async def scenario() -> list[RungReport[Lesson]]:
        return [await shared.ask(lesson_task()) for _ in range(5)]

    # When five messages ask
    with capture_logs() as logs:
        reports = asyncio.run(scenario())
    # Then one call was made, nobody waited, and each report has the reason and the time
    assert len(provider.calls) == 1
    assert pauses.seconds == []
    assert {report.failure for report in reports} == {
        RungFailure(kind="quota", code=429, message="used up (429).", retry_after=3 * 3600)
    }
    assert [(entry["event"], entry["until"]) for entry in logs] == [
        ("rung.closed", "2026-11-20T15:00:00+00:00")
    ]


def test_an_answer_that_cannot_be_used_reopens_the_rung_all_the_same() -> None:
    # Given a closed rung whose time is over, and a model that answers nonsense
    time = [NOON]
    refusals = Refusals(BEST, now=lambda: time[0], uniform=lambda low, high: low)
    shared = rung(ScriptedProvider(gone(), gone(), NOT_JSON, NOT_JSON, good()), refusals=refusals)

    async def scenario() -> list[RungReport[Lesson]]:
        reports = [await shared.ask(lesson_task())]
        time[0] += timedelta(minutes=1)
        return [*reports, await shared.ask(lesson_task()), await shared.ask(lesson_task())]

    # When it is probed
    with capture_logs() as logs:
        *_, last = asyncio.run(scenario())
    # Then the model answers again, whatever it says
    assert last.data is not None
    assert [entry["event"] for entry in logs] == ["rung.closed", "rung.reopened", "rung.failed"]


def test_a_bad_request_concerns_one_message_and_leaves_the_rung_open() -> None:
    # Given a model that calls one request invalid
    provider = ScriptedProvider(malformed(), good())
    shared = rung(provider)

    async def scenario() -> tuple[RungReport[Lesson], RungReport[Lesson]]:
        return await shared.ask(lesson_task()), await shared.ask(lesson_task())

    # When the next message comes
    with capture_logs() as logs:
        first, second = asyncio.run(scenario())
    # Then the first failed without a retry and the second is answered
    assert first.failure is not None
    assert first.failure.kind == "invalid_request"
    assert first.spend.calls == 1
    assert second.data is not None
    assert [entry["event"] for entry in logs] == ["rung.failed"]


def test_an_unusable_answer_is_asked_for_once_more_with_its_problems() -> None:
    # Given a model that breaks a rule and then mends it
    wrong = good('{"title": "Light", "grade": 13}', tokens=(100, 40))
    provider = ScriptedProvider(wrong, good(tokens=(150, 50)))
    # When it is asked
    report = ask(provider)
    # Then the second call showed it its own answer and what was wrong, and both calls are on the bill
    rejection = provider.calls[1].rejection
    assert rejection is not None
    assert rejection.text == wrong.text
    assert rejection.problems == ("grade: Input should be less than or equal to 12",)
    assert report.data == Lesson(title="Light", grade=5)
    assert (report.spend.calls, report.spend.input_tokens, report.spend.output_tokens) == (2, 250, 90)
    assert report.spend.cost_usd == 0.02


def test_two_unusable_answers_are_the_end_and_were_paid_for() -> None:
    # Given a model that never answers in JSON
    provider = ScriptedProvider(NOT_JSON)
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then two calls were made, paid and reported
    assert report.failure is not None
    assert (report.failure.kind, report.failure.code) == ("invalid_json", 200)
    assert (report.spend.calls, report.spend.output_tokens, report.spend.cost_usd) == (2, 14, 0.02)
    assert [entry["event"] for entry in logs] == ["rung.failed"]


def test_a_model_that_is_busy_when_asked_again_fails_as_busy_and_keeps_the_bill() -> None:
    # Given an unusable answer, and a busy model afterwards
    provider = ScriptedProvider(NOT_JSON, busy())
    # When it is asked
    report = ask(provider)
    # Then asking again had the calls that were left
    assert report.failure is not None
    assert report.failure.kind == "unavailable"
    assert report.spend.calls == 3
    assert report.spend.cost_usd == 0.01


def test_asking_again_is_worth_a_call_even_when_all_calls_are_used_up() -> None:
    # Given a model that is busy twice before an unusable answer
    provider = ScriptedProvider(busy(), busy(), NOT_JSON, good())
    # When it is asked
    report = ask(provider)
    # Then a fourth call asks again
    assert report.data is not None
    assert report.spend.calls == 4


def test_an_answer_that_was_cut_off_gets_twice_the_room() -> None:
    # Given a model that needs more tokens than it may use
    provider = ScriptedProvider(Completion(text='{"tit', finish="max_tokens"), good())
    # When it is asked
    ask(provider)
    # Then the second call may use twice as many
    assert [call.task.max_output_tokens for call in provider.calls] == [1000, 2000]


@pytest.mark.parametrize("position", [0, 1])
def test_a_block_by_the_safety_filter_is_an_answer(position: int) -> None:
    # Given a model whose filter blocks the first or the second answer
    blocked = Completion(
        text="", finish="blocked", blocked_by="safety", usage=Usage(input_tokens=9, output_tokens=0)
    )
    provider = ScriptedProvider(*[NOT_JSON][:position], blocked)
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then there is no failure, no further call and no complaint
    assert report.failure is None
    assert report.data is None
    assert report.blocked_by == "safety"
    assert report.spend.calls == position + 1
    assert logs == []


def test_tokens_that_nobody_counted_are_unknown_and_so_is_the_cost() -> None:
    # Given a model that does not report its usage
    provider = ScriptedProvider(Completion(text=good().text, finish="stop"))
    # When it is asked
    report = ask(provider)
    # Then neither tokens nor cost are invented
    assert report.spend.input_tokens is None
    assert report.spend.output_tokens is None
    assert report.spend.cost_usd is None


def test_a_model_without_a_known_price_costs_nobody_knows_what() -> None:
    # Given a model that is not on the price list
    report = ask(ScriptedProvider(good()), price=lambda ref, usage, at: None)
    # When the bill is read
    spend = report.spend
    # Then tokens are known and the cost is not
    assert (spend.input_tokens, spend.cost_usd) == (100, None)


@pytest.mark.parametrize("finish", ["stop", "max_tokens", "recitation", "other"])
@pytest.mark.parametrize("text", ["", MARKER, '{"title": "' + MARKER * 5 + '", "grade": "' + MARKER + '"}'])
def test_neither_logs_nor_failures_repeat_what_was_asked_or_answered(finish: Finish, text: str) -> None:
    # Given a model that repeats the question in an unusable answer, and a check that quotes it
    provider = ScriptedProvider(Completion(text=text, finish=finish))
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then its words are nowhere
    assert MARKER not in repr((logs, report.failure))
    assert report.failure is not None


@pytest.mark.parametrize(
    "tail",
    ["\n" * 3000, "light " * 600, "".join(f"{number}. light " for number in range(400)), "0." + "3" * 3000],
)
@pytest.mark.parametrize("finish", ["max_tokens", "stop"])
def test_a_text_that_runs_on_is_not_asked_for_again(tail: str, finish: Finish) -> None:
    # Given a model that is stuck, until the limit or until it ends by itself
    endless = Completion(
        text='{"title": "Light' + tail, finish=finish, usage=Usage(input_tokens=9, output_tokens=1000)
    )
    provider = ScriptedProvider(endless)
    # When it is asked
    with capture_logs() as logs:
        report = ask(provider)
    # Then one call was paid, and the next rung has its turn; the log says why
    assert (len(provider.calls), report.spend.calls, report.spend.cost_usd) == (1, 1, 0.01)
    assert report.failure is not None
    assert report.failure.kind in ("truncated", "invalid_json")
    assert "runs on without end" in logs[0]["cause"]


def test_an_answer_that_is_much_longer_than_its_limit_is_not_given_more_room() -> None:
    # Given a model that writes on and on, but never the same
    words = " ".join(f"{number:x}{chr(97 + number % 26)}g of light" for number in range(2000))
    provider = ScriptedProvider(Completion(text='{"title": "' + words, finish="max_tokens"))
    # When it is asked
    with capture_logs():
        report = ask(provider)
    # Then
    assert len(provider.calls) == 1
    assert report.failure is not None
    assert report.failure.kind == "truncated"


def test_an_answer_whose_room_thinking_took_gets_twice_the_room() -> None:
    # Given a model that thought until its limit and wrote nothing
    thought = Completion(text="", finish="max_tokens", usage=Usage(input_tokens=9, output_tokens=1000))
    provider = ScriptedProvider(thought, good())
    # When it is asked
    report = ask(provider)
    # Then
    assert [call.task.max_output_tokens for call in provider.calls] == [1000, 2000]
    assert report.data is not None
