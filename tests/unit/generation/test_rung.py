import asyncio

import pytest
from structlog.testing import capture_logs

from services.generation.breaker import Breaker
from services.generation.port import Completion, Finish, Usage
from services.generation.retry import RetrySettings
from services.generation.rung import RungReport
from tests.unit.generation.doubles import (
    MARKER,
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


def test_a_refusal_is_not_retried_and_closes_the_rung() -> None:
    # Given a model that is gone
    provider, breaker = ScriptedProvider(gone()), Breaker()
    closed = rung(provider, breaker=breaker)

    async def scenario() -> tuple[RungReport[Lesson], RungReport[Lesson]]:
        return await closed.ask(lesson_task()), await closed.ask(lesson_task())

    # When it is asked twice
    with capture_logs() as logs:
        first, second = asyncio.run(scenario())
    # Then it was called once; the second report has the same reason and took nothing
    assert len(provider.calls) == 1
    assert first.failure == second.failure
    assert first.failure is not None
    assert first.failure.message == "not found. Set WORKER_MODELS."
    assert (first.spend.calls, second.spend.calls) == (1, 0)
    assert len(logs) == 1


def test_fifty_messages_at_the_same_moment_make_one_warning() -> None:
    # Given a model that is gone, and fifty messages that ask before the first of them knows
    provider = ScriptedProvider(gone())
    shared = rung(provider)

    async def scenario() -> list[RungReport[Lesson]]:
        return await asyncio.gather(*(shared.ask(lesson_task()) for _ in range(50)))

    # When they all fail
    with capture_logs() as logs:
        reports = asyncio.run(scenario())
    # Then there is one warning, with what an operator needs
    assert len(provider.calls) == 50
    assert all(report.failure for report in reports)
    assert logs == [
        {
            "event": "rung.closed",
            "log_level": "warning",
            "provider": "vertex",
            "model": "gemini-3.8-flash",
            "location": "global",
            "kind": "model_not_found",
            "code": 404,
            "cause": "not found.",
            "fix": "Set WORKER_MODELS.",
        }
    ]


def test_stages_that_share_a_model_share_its_breaker() -> None:
    # Given two rungs for the same model
    breaker, provider = Breaker(), ScriptedProvider(gone())
    first, second = rung(provider, breaker=breaker), rung(provider, breaker=breaker)

    async def scenario() -> None:
        await first.ask(lesson_task(stage="nlu"))
        await second.ask(lesson_task(stage="script"))

    # When both are asked
    with capture_logs() as logs:
        asyncio.run(scenario())
    # Then the second one does not call and does not complain
    assert len(provider.calls) == 1
    assert len(logs) == 1


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
