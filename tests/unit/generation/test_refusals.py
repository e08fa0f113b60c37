"""When a model that refuses is left alone, and when it is asked again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ModelRejected, ModelUnavailable
from services.generation.allowance import Allowance, AllowanceSpent
from services.generation.refusals import PROBE_AFTER_SECONDS, Refusals, RungClosed
from tests.unit.generation.doubles import BEST, NOON, busy, gone, malformed

FIRST, SECOND, *_, LONGEST = PROBE_AFTER_SECONDS
HOURS = 3600.0
LONGEST_WAIT = 30.0


def refused(kind: str = "permission_denied", message: str = "denied (403).") -> ModelRejected:
    return ModelRejected(message, kind=kind, code=403, fix="Grant it.")


def out_of_quota(*, retry_after: float | None = None, lasts: bool = False) -> ModelUnavailable:
    return ModelUnavailable("used up (429).", kind="quota", code=429, retry_after=retry_after, lasts=lasts)


@dataclass
class World:
    """A model that plays its outcomes, and a clock that is moved by hand; jitter takes `share` of its range."""

    share: float = 0.0
    time: datetime = NOON
    outcomes: list[str | Exception] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self.refusals = Refusals(
            BEST, now=lambda: self.time, uniform=lambda low, high: low + self.share * (high - low)
        )

    async def call(self) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0) if self.outcomes else "fine"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def ask(self, call: Callable[[], Awaitable[Any]] | None = None) -> Any:
        return await self.refusals.run(call or self.call, longest_wait=LONGEST_WAIT)

    def asks(self, *outcomes: str | Exception) -> Any:
        """What one ask comes to: the result, or the error that it raises."""
        self.outcomes = list(outcomes)
        try:
            return asyncio.run(self.ask())
        except (ModelRejected, ModelUnavailable, RungClosed, AllowanceSpent) as error:
            return error

    def closes(self, *, by: Exception | None = None) -> RungClosed:
        reason = by or refused()
        closed = self.asks(reason, reason)
        assert isinstance(closed, RungClosed)
        self.calls, self.outcomes = 0, []
        return closed

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.mark.parametrize("kind", ["model_not_found", "permission_denied", "unauthenticated"])
def test_a_single_refusal_is_made_good_at_once_by_a_second_call(kind: str) -> None:
    # Given a model that refuses one call
    world = World()
    # When it is asked
    with capture_logs() as logs:
        result = world.asks(refused(kind), "fine")
    # Then the same ask has its answer, and nobody was bothered
    assert (result, world.calls, logs) == ("fine", 2, [])


def test_three_different_refusals_in_a_row_are_still_not_said_twice() -> None:
    # Given a model that stumbles in three ways, one after the other
    world = World()
    # When it is asked
    result = world.asks(refused("unauthenticated"), refused("permission_denied"), gone(), "fine")
    # Then the ask has its answer
    assert (result, world.calls) == ("fine", 4)


@pytest.mark.parametrize("kind", ["model_not_found", "permission_denied", "unauthenticated"])
def test_what_a_model_refuses_twice_closes_it_with_one_warning(kind: str) -> None:
    # Given a model that refuses every call
    world = World()
    # When it is asked, and asked again
    with capture_logs() as logs:
        first = world.asks(refused(kind), refused(kind))
        second = world.asks()
    # Then the second ask makes no call, and the warning says what, why, until when and what to do
    assert world.calls == 2
    assert first.failure == second.failure
    assert (first.failure.kind, first.failure.message) == (kind, "denied (403). Grant it.")
    assert first.failure.retry_after == FIRST
    assert logs == [
        {
            "event": "rung.closed",
            "log_level": "warning",
            "provider": "vertex",
            "model": "gemini-3.8-flash",
            "location": "global",
            "kind": kind,
            "code": 403,
            "cause": "denied (403).",
            "fix": "Grant it.",
            "until": "2026-11-20T12:00:05+00:00",
        }
    ]


def test_one_probe_reopens_it_with_one_line() -> None:
    # Given a closed model that would answer again
    world = World()
    world.closes()
    # When its time is over
    world.wait(FIRST)
    with capture_logs() as logs:
        results = [world.asks("fine"), world.asks("fine")]
    # Then it answers everybody, and that is told once
    assert results == ["fine", "fine"]
    assert logs == [
        {
            "event": "rung.reopened",
            "log_level": "info",
            "provider": "vertex",
            "model": "gemini-3.8-flash",
            "location": "global",
            "closed_seconds": 5.0,
        }
    ]


def test_probes_in_vain_take_one_call_each_and_come_ever_more_seldom() -> None:
    # Given a closed model that goes on refusing
    world = World()
    world.closes()
    waits = []
    # When it is probed as soon as it may be, seven times
    with capture_logs() as logs:
        wait = FIRST
        for _ in range(7):
            world.wait(wait)
            wait = world.asks(refused()).failure.retry_after
            waits.append(wait)
    # Then the times grow up to their bound, and no warning is repeated
    assert waits == [*PROBE_AFTER_SECONDS[1:], LONGEST, LONGEST, LONGEST]
    assert world.calls == 7
    assert {(entry["event"], entry["log_level"]) for entry in logs} == {("rung.still_closed", "info")}


def test_an_operator_hears_of_another_cause() -> None:
    # Given a model that was closed for want of a role
    world = World()
    world.closes()
    world.wait(FIRST)
    # When the probe finds it retired
    with capture_logs() as logs:
        closed = world.asks(gone(), gone())
    # Then there is a warning with the new cause
    assert closed.failure.kind == "model_not_found"
    assert [(entry["event"], entry["kind"]) for entry in logs] == [("rung.closed", "model_not_found")]


def test_only_one_call_at_a_time_is_the_probe() -> None:
    # Given a closed model whose time is over
    world = World()
    world.closes()
    world.wait(FIRST)

    async def crowd() -> list[Any]:
        return await asyncio.gather(*(world.ask() for _ in range(20)), return_exceptions=True)

    # When twenty ask at the same moment
    results = asyncio.run(crowd())
    # Then one of them probes, and the others go elsewhere at once
    assert world.calls == 1
    assert results[0] == "fine"
    assert all(isinstance(result, RungClosed) for result in results[1:])


def test_a_probe_that_is_cut_off_leaves_its_turn_to_the_next() -> None:
    # Given a closed model whose time is over
    world = World()
    world.closes()
    world.wait(FIRST)

    async def cut_off_then_ask() -> Any:
        probe = asyncio.create_task(world.ask(asyncio.Event().wait))
        await asyncio.sleep(0)
        probe.cancel()
        await asyncio.wait([probe])
        return await world.ask()

    # When the probe is cancelled under way
    # Then the next call is the probe
    assert asyncio.run(cut_off_then_ask()) == "fine"


@pytest.mark.parametrize("error", [busy(), busy(retry_after=3.0)])
def test_a_probe_that_finds_the_model_busy_has_learnt_nothing(error: Exception) -> None:
    # Given a closed model whose time is over
    world = World()
    world.closes()
    world.wait(FIRST)
    # When the probe finds it busy, and the next ask finds it well
    results = [world.asks(error), world.asks("fine")]
    # Then the next ask was the probe that counts
    assert results == [error, "fine"]


def test_a_probe_that_brings_a_bad_request_reopens_it() -> None:
    # Given a closed model whose time is over
    world = World()
    world.closes()
    world.wait(FIRST)
    # When it calls the probe malformed, which it would not have read before
    malformed_request = malformed()
    results = [world.asks(malformed_request), world.asks("fine")]
    # Then it is open
    assert results == [malformed_request, "fine"]


def test_a_bad_request_concerns_itself_alone() -> None:
    # Given a model that calls one request malformed
    world, error = World(), malformed()
    # When it is asked, and asked again
    results = [world.asks(error), world.asks("fine")]
    # Then the first was not repeated, and the second is answered
    assert results == [error, "fine"]
    assert world.calls == 2


def test_a_token_that_has_expired_while_the_rung_was_closed_is_not_taken_for_the_old_refusal() -> None:
    # Given a model that was closed for want of a role, and a token that has expired since
    world = World()
    world.closes()
    world.wait(FIRST)
    # When it is probed
    result = world.asks(refused("unauthenticated"), "fine")
    # Then the probe is repeated and reopens it
    assert result == "fine"


def test_a_message_without_calls_left_closes_nothing_on_the_strength_of_one_refusal() -> None:
    # Given a message whose last call is refused
    world, error = World(), refused()
    # When it is asked, and then another message
    results = [world.asks(error, Allowance(max_calls=0).spent()), world.asks("fine")]
    # Then the first one has the refusal as its reason, and the other its answer
    assert results == [error, "fine"]


def test_fifty_calls_under_way_are_answered_though_one_of_them_is_refused() -> None:
    # Given fifty calls, of which the first is refused
    world = World(outcomes=[refused()])

    async def crowd() -> list[Any]:
        return await asyncio.gather(*(world.ask() for _ in range(50)))

    # When they run together
    # Then all are answered, by one call more
    assert asyncio.run(crowd()) == ["fine"] * 50
    assert world.calls == 51


def test_answers_of_calls_that_began_before_do_not_reopen_it() -> None:
    # Given a call under way when another one closes the model
    world = World(outcomes=[refused(), refused()])
    answered = asyncio.Event()

    async def slow() -> str:
        await answered.wait()
        return "slow"

    async def scenario() -> list[Any]:
        under_way = asyncio.create_task(world.ask(slow))
        await asyncio.sleep(0)
        closed = await asyncio.gather(world.ask(), return_exceptions=True)
        answered.set()
        return [*closed, await under_way, *await asyncio.gather(world.ask(), return_exceptions=True)]

    # When it is answered afterwards
    closed, slow_answer, after = asyncio.run(scenario())
    # Then its answer is used, and the model stays closed: it was admitted before
    assert slow_answer == "slow"
    assert isinstance(closed, RungClosed)
    assert isinstance(after, RungClosed)


@pytest.mark.parametrize(
    ("error", "share", "expected"),
    [
        pytest.param(out_of_quota(retry_after=31.0), 0.0, 31.0, id="a second beyond what is waited for"),
        pytest.param(out_of_quota(retry_after=31.0), 1.0, 34.1, id="with jitter on top"),
        pytest.param(out_of_quota(retry_after=3 * HOURS), 0.0, 3 * HOURS, id="three hours"),
        pytest.param(out_of_quota(retry_after=3 * HOURS), 1.0, 3 * HOURS + 30, id="and bounded jitter"),
        pytest.param(out_of_quota(retry_after=9000 * HOURS), 0.0, 24 * HOURS, id="a year is a day"),
        pytest.param(out_of_quota(lasts=True), 0.0, SECOND, id="a day's quota without a time"),
        pytest.param(out_of_quota(lasts=True, retry_after=26.0), 0.0, SECOND, id="or with one too short"),
        pytest.param(out_of_quota(lasts=True, retry_after=HOURS), 0.0, HOURS, id="or with a fitting one"),
        pytest.param(busy(retry_after=60.0), 0.0, 60.0, id="any service that names a time"),
    ],
)
def test_a_time_beyond_what_is_worth_waiting_closes_it_until_then(
    error: ModelUnavailable, share: float, expected: float
) -> None:
    # Given a model that is out for longer than anybody waits
    world = World(share=share)
    # When it is asked, asked a moment before that time, and when it is over
    closed = world.asks(error)
    world.wait(expected - 1)
    early = world.asks("fine")
    world.wait(1)
    late = world.asks("fine")
    # Then one call was made until then, and the reason and the time are told
    assert (closed.failure.kind, closed.failure.code) == (error.kind, error.code)
    assert closed.failure.retry_after == pytest.approx(expected)
    assert early.failure.retry_after == pytest.approx(1.0)
    assert late == "fine"
    assert world.calls == 2


def test_a_time_that_is_worth_waiting_for_closes_nothing() -> None:
    # Given a model that asks to wait as long as anybody waits
    world, error = World(), out_of_quota(retry_after=LONGEST_WAIT)
    # When it is asked, and asked again
    results = [world.asks(error), world.asks("fine")]
    # Then waiting is left to the retries
    assert results == [error, "fine"]


def test_a_quota_of_the_day_is_probed_ever_more_seldom_until_it_is_back() -> None:
    # Given a quota without a time
    world, error = World(), out_of_quota(lasts=True)
    wait = world.asks(error).failure.retry_after
    waits = [wait]
    outcomes: list[str | Exception] = [error, error, error, error, "fine"]
    # When it is probed until it is back
    for outcome in outcomes:
        world.wait(wait)
        if (result := world.asks(outcome)) != "fine":
            wait = result.failure.retry_after
            waits.append(wait)
    # Then the times between grew up to their bound
    assert waits == [*PROBE_AFTER_SECONDS[1:], LONGEST]
    assert result == "fine"


def test_a_closed_model_keeps_nothing_of_the_request_that_closed_it() -> None:
    # Given a model that was closed
    world = World()
    closed = world.closes()
    # When others are told why
    again = world.asks()
    # Then each has an error of its own, with words only
    assert again is not closed
    assert again.__cause__ is None
