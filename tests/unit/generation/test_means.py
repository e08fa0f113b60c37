"""Dollars of a message: a call is made only within what is left, also beside another one, and never beyond."""

import asyncio
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from services.errors import RequestFailed
from services.generation.allowance import Allowance
from services.generation.means import within_means
from services.generation.port import Completion, ModelRef, Rejection, Usage
from services.generation.pricing import price, usual_price
from services.generation.shared_calls import SharedCalls
from services.generation.spend import Spend
from tests.unit.generation.doubles import (
    BEST,
    MOCK,
    NOON,
    SECOND,
    ScriptedProvider,
    good,
    ladder,
    lesson_task,
    mock_rung,
    rung,
)

UNKNOWN = ModelRef(provider="vertex", model="projects/p/locations/l/endpoints/1")


def a_tenth_of_a_cent_a_token(_ref: ModelRef, usage: Usage, _at: datetime) -> float | None:
    """Output alone costs: 1,000 tokens a dollar."""
    return usage.output_tokens / 1000


def answered(tokens: int) -> Completion:
    return good(tokens=(100, tokens))


def unusable(tokens: int) -> Completion:
    return good("I would rather not.", tokens=(100, tokens))


def allowance(usd: float) -> Allowance:
    return Allowance(max_usd=lambda: usd)


@pytest.mark.parametrize(
    ("left", "limit", "usd"),
    [
        (5.0, 1000, 1.0),
        (1.0, 1000, 1.0),
        (0.75, 750, 0.75),
        (0.5, 500, 0.5),
        (0.49, None, None),
        (0.0, None, None),
    ],
)
def test_a_call_gets_the_limit_that_the_dollars_left_can_pay(
    left: float, limit: int | None, usd: float | None
) -> None:
    # Given a task whose answer may take 1,000 tokens
    means = within_means(lesson_task(), None, left_usd=left, price=lambda usage: usage.output_tokens / 1000)
    # Then it gets as many as can be paid, or no call when that would be less than half
    assert (means and means.max_output_tokens, means and means.usd) == (limit, usd)


def test_the_prompt_is_reckoned_with_before_anybody_has_counted_it() -> None:
    # Given a long prompt, and an answer that is shown again
    def limit(prompt: str, rejection: Rejection | None = None) -> int:
        means = within_means(
            lesson_task(prompt=prompt),
            rejection,
            left_usd=0.006,
            price=lambda usage: price(BEST, usage, NOON),
        )
        return means.max_output_tokens if means else 0

    # Then either leaves less for the answer
    plain = limit("Why?")
    assert plain == 1000
    assert limit("Why? " * 2500) < plain
    assert limit("Why? " * 1500, Rejection(text="Because. " * 1000, problems=["Too long."])) < plain


def test_where_no_price_is_known_no_call_is_bounded_by_dollars() -> None:
    means = within_means(lesson_task(), None, left_usd=0.000001, price=lambda _usage: None)
    assert means is not None
    assert means.max_output_tokens == 1000


def test_no_call_is_made_once_the_bound_is_reached_and_the_reason_names_the_settings() -> None:
    # Given a message that has spent its dollars
    provider, spent = ScriptedProvider(good()), allowance(0.10)
    spent.add(Spend(calls=1, cost_usd=0.10))
    # When a model is to be asked
    with capture_logs():
        report = asyncio.run(
            rung(provider, price=a_tenth_of_a_cent_a_token).ask(lesson_task(allowance=spent))
        )
    # Then it is not
    assert provider.calls == []
    assert report.failure is not None
    assert report.failure.kind == "cost_limit"
    for word in ("$0.1000", "WORKER_MESSAGE_CALL_LIMIT", "_TIMEOUT_SECONDS", "WORKER_MESSAGE_COST_LIMIT_USD"):
        assert word in report.failure.message


def test_what_is_left_lowers_the_limit_of_the_next_call_so_that_the_bound_holds() -> None:
    # Given a bound of $1.60, and a model that gives an unusable answer of 900 tokens first
    provider, bounded = ScriptedProvider(unusable(900), answered(650)), allowance(1.60)
    # When it is asked
    report = asyncio.run(rung(provider, price=a_tenth_of_a_cent_a_token).ask(lesson_task(allowance=bounded)))
    # Then the second call may not take it beyond
    assert [call.task.max_output_tokens for call in provider.calls] == [1000, 700]
    assert report.data is not None
    assert report.spend.cost_usd == pytest.approx(1.55)


def test_an_unusable_answer_that_took_most_of_the_dollars_is_the_requests_failure() -> None:
    # Given a bound that leaves too little for asking again
    provider = ScriptedProvider(unusable(900))
    # When no rung has an answer
    with capture_logs(), pytest.raises(RequestFailed) as failed:
        asyncio.run(
            ladder(rung(provider, price=a_tenth_of_a_cent_a_token)).generate(
                lesson_task(allowance=allowance(1.2))
            )
        )
    # Then it is counted as such, and the model was asked once
    assert len(provider.calls) == 1
    assert failed.value.kind == "invalid_json"


def test_the_mock_answers_when_the_dollars_are_spent() -> None:
    # Given a bound that no call fits
    rungs = [rung(ScriptedProvider(good()), ref, price=a_tenth_of_a_cent_a_token) for ref in (BEST, SECOND)]
    task = lesson_task(allowance=allowance(0.01))
    # When a ladder without and one with the mock is asked
    with capture_logs(), pytest.raises(RequestFailed):  # counted: every further attempt would cost as much
        asyncio.run(ladder(*rungs).generate(task))
    with capture_logs():
        answer = asyncio.run(ladder(*rungs, mock_rung()).generate(task))
    # Then the mock costs nothing
    assert answer.provenance.mode == "mock"
    assert task.allowance.spend == Spend()


def test_stages_side_by_side_do_not_spend_the_same_dollars() -> None:
    async def scenario() -> float:
        # Given a bound of $1.50 for two calls at once that may take a dollar each, and do
        bounded = allowance(1.50)
        providers = [ScriptedProvider(answered(1000)), ScriptedProvider(answered(500))]
        rungs = [rung(provider, price=a_tenth_of_a_cent_a_token) for provider in providers]
        await asyncio.gather(*(one.ask(lesson_task(allowance=bounded)) for one in rungs))
        # Then the second may take what the first leaves
        assert [provider.calls[0].task.max_output_tokens for provider in providers] == [1000, 500]
        return bounded.spend.least_usd

    assert asyncio.run(scenario()) == pytest.approx(1.5)


def test_dollars_that_a_call_did_not_take_are_there_for_the_next() -> None:
    async def scenario() -> None:
        # Given calls that may take most of the bound, and take little
        bounded = allowance(1.1)
        provider = ScriptedProvider(answered(10))
        asked = rung(provider, price=a_tenth_of_a_cent_a_token)
        for _ in range(5):
            assert (await asked.ask(lesson_task(allowance=bounded))).data is not None
        assert bounded.usd_left == pytest.approx(1.05)

    asyncio.run(scenario())


def test_whoever_shares_a_call_that_ran_out_of_dollars_asks_for_itself() -> None:
    async def scenario() -> None:
        # Given a message without dollars that begins a call, and an equal one that has them
        provider = ScriptedProvider(answered(10))
        model = SharedCalls(ladder(rung(provider, price=a_tenth_of_a_cent_a_token), mock_rung()))
        with capture_logs():
            poor, rich = await asyncio.gather(
                model.generate(lesson_task(allowance=allowance(0.001))),
                model.generate(lesson_task(allowance=allowance(10))),
            )
        # Then only the one has the mock's answer
        assert (poor.provenance.mode, rich.provenance.mode) == ("mock", "live")

    asyncio.run(scenario())


def test_the_bound_is_looked_up_once_and_not_before_it_is_needed() -> None:
    # Given a message without calls
    asked: list[float] = []

    def bound() -> float:
        asked.append(1.0)
        return 1.0

    lazily = Allowance(max_usd=bound)
    assert not lazily.is_spent
    assert not asked
    # When it pays
    for _ in range(3):
        lazily.add(Spend(calls=1, cost_usd=0.4))
        assert lazily.usd_left >= 0
    # Then
    assert lazily.usd_left == 0
    assert len(asked) == 1


def test_the_usual_price_is_that_of_the_dearest_rung_of_every_stage() -> None:
    usages = {
        "nlu": Usage(input_tokens=1000, output_tokens=100),
        "script": Usage(input_tokens=500, output_tokens=1000),
    }
    # Given ladders of known price
    usual = usual_price({"nlu": [SECOND, BEST, MOCK], "script": [SECOND, MOCK]}, usages, NOON)
    # Then
    nlu, script = price(BEST, usages["nlu"], NOON), price(SECOND, usages["script"], NOON)
    assert nlu is not None
    assert script is not None
    assert usual == pytest.approx(nlu + script)
    # And one of unknown price makes it unknown, and the mock's is none
    assert usual_price({"nlu": [BEST], "script": [BEST, UNKNOWN, MOCK]}, usages, NOON) is None
    assert usual_price({"nlu": [MOCK], "script": [MOCK]}, usages, NOON) == 0
