"""Debts are begun at a bounded rate, and no more of them once something keeps them from being repaid."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from services.content.failures import failure
from services.content.healing import Settled
from services.errors import ConfigurationError, NoModelAnswered, StoreUnavailable, TransientError
from services.generation.allowance import Allowance
from services.generation.spend import Spend
from services.storage.port import Document
from tests.builders import NOON
from tests.contract.clock import Clock
from worker.healing import Rounds, counts_as_json, outcomes_line, owed_line
from worker.rate import RateLimit

HEALED = Settled(outcome="healed")
NOBODY = NoModelAnswered("No rung of the ladder for script answered.")
A_DEBT_USD = 0.0101
QUESTION = "zebra-crossing-4711"

Ending = Settled | Exception | Callable[[], Awaitable[Settled]]


class ScriptedHealing:
    """Ends debts as prepared, by request id; all others are healed at once."""

    def __init__(self, clock: Clock | None = None, **endings: Ending) -> None:
        self.endings = endings
        self.begun: list[tuple[str, float]] = []
        self.ended: list[str] = []
        self.bound: list[dict[str, Any]] = []
        self._clock = clock or Clock()
        self._start = self._clock.now()

    async def heal(self, document: Document, *, on_claim: Callable[[Allowance], None]) -> Settled:
        request_id = document["request_id"]
        allowance = Allowance()
        on_claim(allowance)
        allowance.add(Spend(calls=3, cost_usd=A_DEBT_USD))
        self.begun.append((request_id, (self._clock.now() - self._start).total_seconds()))
        self.bound.append(dict(structlog.contextvars.get_contextvars()))
        ending = self.endings.get(request_id, HEALED)
        if isinstance(ending, Exception):
            raise ending
        settled = ending if isinstance(ending, Settled) else await ending()
        self.ended.append(request_id)
        return settled


def debts(number: int) -> list[Document]:
    return [{"request_id": f"q{at}", "debt": {"question": QUESTION}} for at in range(number)]


def rounds(
    healing: ScriptedHealing,
    *,
    clock: Clock | None = None,
    at_once: int = 64,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Rounds:
    clock = clock or Clock()

    async def sleep_on_the_clock(seconds: float) -> None:
        for _ in range(5):  # what was begun goes on meanwhile
            await asyncio.sleep(0)
        clock.advance(seconds)

    rate = RateLimit(1, clock=lambda: clock.now().timestamp(), sleep=sleep or sleep_on_the_clock)
    return Rounds(healing, rate=rate, at_once=at_once)  # type: ignore[arg-type]  # a fake of the one class


def run(subject: Rounds, number: int) -> int:
    """How far the progress bar went."""
    steps: list[int] = []
    asyncio.run(subject.run(debts(number), advance=steps.append))
    return sum(steps)


def test_all_debts_are_settled_at_the_rate_that_was_asked_for() -> None:
    # Given a rate of one a second, on a clock that only the pauses move
    clock = Clock()
    healing = ScriptedHealing(clock)
    subject = rounds(healing, clock=clock)
    # When four debts are repaid
    assert run(subject, 4) == 4
    # Then the first begins at once and each other one a second after the one before
    assert healing.begun == [("q0", 0), ("q1", 1), ("q2", 2), ("q3", 3)]
    assert subject.outcomes == Counter(healed=4)


def test_no_more_debts_than_there_are_slots_are_worked_on_at_once() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def slowly() -> Settled:
            await gate.wait()
            return HEALED

        healing = ScriptedHealing(q0=slowly, q1=slowly)
        work = asyncio.create_task(rounds(healing, at_once=2).run(debts(5), advance=lambda _: None))
        for _ in range(100):
            await asyncio.sleep(0)
        assert [name for name, _ in healing.begun] == ["q0", "q1"]
        gate.set()
        await work
        assert len(healing.ended) == 5

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error",
    [NOBODY, StoreUnavailable("The store did not answer."), ConfigurationError("Denied.", fix="Grant it.")],
)
def test_once_something_keeps_it_from_going_on_no_debt_is_begun_but_those_under_way_end(
    error: TransientError | ConfigurationError,
) -> None:
    async def scenario() -> None:
        # Given a debt under way when the next one meets an outage
        gate = asyncio.Event()

        async def slowly() -> Settled:
            await gate.wait()
            return HEALED

        healing = ScriptedHealing(q0=slowly, q1=error)
        subject = rounds(healing)
        with capture_logs() as logs:
            work = asyncio.create_task(subject.run(debts(5), advance=lambda _: None))
            for _ in range(100):
                await asyncio.sleep(0)
            # Then no other one is begun
            assert [name for name, _ in healing.begun] == ["q0", "q1"]
            assert not work.done()
            # And the one under way ends before the reason is raised
            gate.set()
            with pytest.raises(type(error)):
                await work
        assert healing.ended == ["q0"]
        assert subject.outcomes == Counter(healed=1)
        assert [entry["cause"] for entry in logs if entry["event"] == "heal.stopping"] == [error.message]

    asyncio.run(scenario())


def test_an_outage_is_not_waited_out_until_the_next_debt_is_due() -> None:
    async def for_ever(_seconds: float) -> None:
        await asyncio.Event().wait()

    healing = ScriptedHealing(q0=NOBODY)
    with capture_logs(), pytest.raises(NoModelAnswered):
        run(rounds(healing, sleep=for_ever), 3)
    assert len(healing.begun) == 1


def test_of_many_that_meet_the_outage_the_first_one_tells_it() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def second() -> Settled:
            await gate.wait()
            raise StoreUnavailable("A later one.")

        async def first() -> Settled:
            gate.set()
            raise NOBODY

        with capture_logs() as logs, pytest.raises(NoModelAnswered):
            await rounds(ScriptedHealing(q0=second, q1=first)).run(debts(2), advance=lambda _: None)
        told = [entry["event"] for entry in logs if entry["event"] != "debt.settled"]
        assert told == ["heal.stopping"]

    asyncio.run(scenario())


def test_an_interrupt_ends_what_is_under_way() -> None:
    async def scenario() -> None:
        cancelled = []

        async def endless() -> Settled:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            raise AssertionError

        healing = ScriptedHealing(q0=endless)
        work = asyncio.create_task(rounds(healing, at_once=1).run(debts(2), advance=lambda _: None))
        for _ in range(100):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert cancelled == [True]
        assert len(healing.begun) == 1

    asyncio.run(scenario())


def test_every_debt_is_logged_with_its_request_and_reason_and_never_with_its_question() -> None:
    reason = failure(stage="script", kind="truncated", message="The answer was cut off.", now=NOON)
    healing = ScriptedHealing(q1=Settled(outcome="failed", failure=reason))
    with capture_logs() as logs:
        run(rounds(healing), 2)
    assert [(entry["outcome"], entry["log_level"]) for entry in logs] == [
        ("healed", "info"),
        ("failed", "warning"),
    ]
    assert (logs[1]["reason"], logs[1]["cause"]) == ("truncated", "The answer was cut off.")
    assert healing.bound == [{"request_id": "q0"}, {"request_id": "q1"}]
    assert QUESTION not in str(logs)


def test_a_bug_in_one_debt_is_counted_and_the_others_go_on() -> None:
    bug = failure(stage="content", kind="bug", message="KeyError at content/x.py:1", now=NOON)
    subject = rounds(ScriptedHealing(q0=Settled(outcome="failed", failure=bug)))
    with capture_logs():
        run(subject, 3)
    assert subject.bugs == 1
    assert subject.outcomes == Counter(healed=2, failed=1)


def test_what_became_of_the_debts_is_told_to_people_and_programs() -> None:
    outcomes = Counter(healed=3, kept=1)
    spend = Spend(calls=12, cost_usd=0.0404)
    assert outcomes_line(outcomes, of=6, spend=spend) == (
        "of 6 debts: 3 repaid by a live answer; 1 written off: nothing better is to be had; 2 left as they were; "
        "$0.0404"
    )
    assert json.loads(counts_as_json(outcomes, of=6, spend=spend)) == {
        "owed": 6,
        "healed": 3,
        "kept": 1,
        "failed": 0,
        "skipped": 0,
        "cost_usd": 0.0404,
        "cost_is_complete": True,
    }


@pytest.mark.parametrize(
    "ending",
    [
        HEALED,
        Settled(outcome="failed"),
        Settled(outcome="skipped"),
        NOBODY,
        StoreUnavailable("It did not answer."),
    ],
)
def test_what_a_debt_took_is_told_however_the_work_on_it_ended(ending: Settled | Exception) -> None:
    # Given a debt on which money is spent before the work ends
    subject = rounds(ScriptedHealing(q0=ending))
    # When it is worked on
    with capture_logs() as logs, suppress(TransientError):
        run(subject, 1)
    # Then the log, from which the metric is read, and the count for the last line have it
    told = [entry for entry in logs if entry["event"] == "debt.settled"]
    assert [(entry["cost_usd"], entry["cost_is_complete"]) for entry in told] == [(A_DEBT_USD, True)]
    assert subject.spend.cost_usd == A_DEBT_USD


def test_a_count_that_reached_its_limit_says_that_there_may_be_more() -> None:
    assert owed_line(3, limit=500).endswith("a better answer: 3")
    assert owed_line(500, limit=500).endswith("a better answer: 500 or more")


def test_a_signal_lets_what_was_begun_end_and_begins_on_nothing_more() -> None:
    # Given a signal while the first debt is worked on
    async def stopped_meanwhile() -> Settled:
        subject.stop(signal.SIGTERM)
        return HEALED

    healing = ScriptedHealing(q0=stopped_meanwhile)
    subject = rounds(healing)
    # When there are more debts, then that one is repaid and the others stay owed
    assert run(subject, 5) == 1
    assert (healing.ended, dict(subject.outcomes)) == (["q0"], {"healed": 1})


def test_a_signal_breaks_off_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a debt whose model does not answer, and no grace
    monkeypatch.setattr("worker.healing.TERMINATION_GRACE_SECONDS", 0.0)
    cancelled: list[str] = []

    async def never() -> Settled:
        subject.stop(signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("q0")
        raise AssertionError

    subject = rounds(ScriptedHealing(q0=never))
    # When the process is told to stop, then the debt is given back and stays owed
    assert run(subject, 3) == 0
    assert (cancelled, dict(subject.outcomes)) == (["q0"], {})


def test_a_signal_before_the_first_debt_leaves_all_of_them_owed() -> None:
    async def scenario() -> None:
        healing = ScriptedHealing()
        subject = rounds(healing)
        subject.stop(signal.SIGTERM)
        await subject.run(debts(3), advance=lambda _steps: None)
        assert healing.begun == []

    asyncio.run(scenario())
