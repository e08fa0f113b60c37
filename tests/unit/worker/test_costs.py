"""Every dollar is in a line of the log and in the run's summary, however the work on its message ended."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.content.failures import failure
from services.errors import NoModelAnswered, PermanentError, StoreUnavailable
from services.generation.allowance import Allowance
from services.generation.spend import Spend
from services.messaging.port import Message
from services.storage.patience import Patience
from tests.builders import NOON, delivery
from tests.fakes import RecordingPublisher, ScriptedQueue
from worker.consumer import Consumer, Limits
from worker.handler import Handled
from worker.lease import InFlight, LeaseKeeper
from worker.puller import Puller
from worker.settlement import Action, Settlement, settle_error
from worker.settler import Settler

SPENT_USD = 0.0123
FAILED = failure(stage="script", kind="truncated", message="Cut off.", now=NOON)
DOCUMENT = {
    "status": "completed",
    "mode": "live",
    "cost_usd": 0.01,
    "saved_usd": 0.0,
    "attempt": 2,
    "stages": {},
}

Work = Callable[[InFlight], Awaitable[Handled]]


def spend_on(message: InFlight, spend: Spend | None = None) -> None:
    if message.allowance is None:
        message.allowance = Allowance()
    message.allowance.add(spend or Spend(calls=2, cost_usd=SPENT_USD))


def consumer(queue: ScriptedQueue, work: Work, *, publisher: RecordingPublisher | None = None) -> Consumer:
    return Consumer(
        queue=queue,
        puller=Puller(queue),
        handler=type("Handler", (), {"handle": staticmethod(work)})(),
        leases=LeaseKeeper(queue, lease_seconds=60),
        settler=Settler(queue=queue, publisher=publisher or RecordingPublisher(), dead_letter_topic="dead"),
        limits=Limits(
            concurrency=8, idle_timeout_seconds=0.0, max_runtime_seconds=math.inf, lease_seconds=60
        ),
        patience=Patience(),
    )


def costs(logs: list[Any], event: str = "message.settled") -> list[tuple[str, float | None, bool]]:
    return [
        (entry.get("action", ""), entry["cost_usd"], entry["cost_is_complete"])
        for entry in logs
        if entry["event"] == event
    ]


def one_message() -> ScriptedQueue:
    return ScriptedQueue([[delivery(message_id="a", lease_id="lease-a")]])


@pytest.mark.parametrize(
    ("handled", "action"),
    [
        (
            Handled(settlement=Settlement(action=Action.ACK, reason="stored"), document={**DOCUMENT}),
            "ack",
        ),
        (
            Handled(settlement=Settlement(action=Action.ACK, reason="already_finished")),
            "ack",
        ),
        (
            Handled(
                settlement=Settlement(action=Action.DEAD_LETTER, reason="truncated"),
                failure=FAILED,
                dead_letter=Message(data=b"{}"),
            ),
            "dead_letter",
        ),
    ],
)
def test_a_settled_message_says_what_its_own_attempt_spent(handled: Handled, action: str) -> None:
    # Given work that spends more than the result says
    async def work(message: InFlight) -> Handled:
        spend_on(message)
        return handled

    # When it is settled
    with capture_logs() as logs:
        summary = asyncio.run(consumer(one_message(), work).run())
    # Then line and summary have what was spent
    assert costs(logs) == [(action, SPENT_USD, True)]
    assert (summary.cost_usd, summary.cost_is_complete) == (SPENT_USD, True)


@pytest.mark.parametrize(
    "settlement",
    [
        Settlement(action=Action.RETRY, reason="truncated"),
        settle_error(NoModelAnswered("No rung answered.")),
        settle_error(StoreUnavailable("It did not answer.")),
    ],
)
def test_a_message_that_is_put_off_says_what_it_spent(settlement: Settlement) -> None:
    async def scenario() -> tuple[list[Any], float]:
        # Given work that is put off after it has paid
        async def work(message: InFlight) -> Handled:
            spend_on(message)
            subject.stop()
            return Handled(settlement=settlement)

        subject = consumer(one_message(), work)
        with capture_logs() as logs:
            summary = await subject.run()
        return logs, summary.cost_usd

    logs, told = asyncio.run(scenario())
    # Then line and summary have it
    assert costs(logs) == [("retry", SPENT_USD, True)]
    assert told == SPENT_USD


def test_work_that_a_shutdown_cuts_short_is_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.consumer.TERMINATION_GRACE_SECONDS", 0.0)

    async def scenario() -> None:
        # Given two messages in work, one of which has paid
        began: list[InFlight] = []

        async def work(message: InFlight) -> Handled:
            if not began:
                spend_on(message)
            began.append(message)
            if len(began) == 2:
                subject.stop()
            await asyncio.Event().wait()
            raise AssertionError

        queue = ScriptedQueue(
            [[delivery(message_id="a", lease_id="lease-a")], [delivery(message_id="b", lease_id="lease-b")]]
        )
        subject = consumer(queue, work)
        # When the run is stopped
        with capture_logs() as logs:
            summary = await subject.run()
        # Then the one that has is in the log and in the summary, and the other is not in the way
        assert costs(logs) == [("none", SPENT_USD, True)]
        assert (summary.given_back, summary.cost_usd) == (2, SPENT_USD)
        assert summary.settled == {}

    asyncio.run(scenario())


def test_work_on_a_lost_claim_is_billed_and_so_is_the_call_that_outlives_it() -> None:
    async def scenario() -> None:
        # Given work that is cancelled because another worker owns the request
        async def work(message: InFlight) -> Handled:
            messages.append(message)
            spend_on(message)
            message.claim_lost = True
            assert message.task is not None
            message.task.cancel()
            await asyncio.sleep(0)
            raise AssertionError

        messages: list[InFlight] = []
        subject = consumer(one_message(), work)
        with capture_logs() as logs:
            summary = await subject.run()
            # When a call that other messages wait for, too, ends afterwards
            spend_on(messages[0], Spend(calls=0, cost_usd=0.004))
        # Then both are told, each once
        assert costs(logs) == [("none", SPENT_USD, True)]
        assert costs(logs, "message.spent_late") == [("", 0.004, True)]
        assert summary.cost_usd == pytest.approx(SPENT_USD + 0.004)

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [StoreUnavailable("It did not answer."), KeyError("a bug")])
def test_a_message_that_could_not_be_settled_is_billed(error: Exception) -> None:
    # Given work that pays and then ends in an error
    async def work(message: InFlight) -> Handled:
        spend_on(message)
        raise error

    # When it is worked on
    with capture_logs() as logs:
        summary = asyncio.run(consumer(one_message(), work).run())
    # Then line and summary have it
    assert costs(logs) == [("none", SPENT_USD, True)]
    assert summary.cost_usd == SPENT_USD


def test_a_result_whose_ack_fails_is_billed_once() -> None:
    # Given a queue that does not take the ack
    queue = one_message()
    queue.fail_on_ack = True

    async def work(message: InFlight) -> Handled:
        spend_on(message)
        return Handled(settlement=Settlement(action=Action.ACK, reason="stored"), document={**DOCUMENT})

    # When the result is there
    with capture_logs() as logs:
        summary = asyncio.run(consumer(queue, work).run())
    # Then
    assert costs(logs) == [("none", SPENT_USD, True)]
    assert summary.cost_usd == SPENT_USD


def test_an_unknown_price_is_told_as_unknown_and_what_is_known_beside_it_as_the_least() -> None:
    # Given one message of unknown price, and one of which a part is known
    spends = [
        Spend(calls=1, cost_usd=None),
        Spend(calls=1, cost_usd=None) + Spend(calls=1, cost_usd=SPENT_USD),
    ]

    async def work(message: InFlight) -> Handled:
        spend_on(message, spends[0] if message.delivery.message_id == "a" else spends[1])
        return Handled(settlement=Settlement(action=Action.ACK, reason="stored"), document={**DOCUMENT})

    queue = ScriptedQueue(
        [[delivery(message_id="a", lease_id="lease-a")], [delivery(message_id="b", lease_id="lease-b")]]
    )
    # When both are settled
    with capture_logs() as logs:
        summary = asyncio.run(consumer(queue, work).run())
    # Then
    assert sorted(costs(logs), key=str) == [("ack", 0.0123, False), ("ack", None, False)]
    assert f"at least ${SPENT_USD:.4f}" in summary.line()


def test_a_dead_letter_that_the_queue_refuses_is_billed_like_a_retry() -> None:
    # Given a dead letter that is too large for the queue
    publisher = RecordingPublisher()
    publisher.error = PermanentError("Too large.")

    async def scenario() -> list[Any]:
        async def work(message: InFlight) -> Handled:
            spend_on(message)
            subject.stop()
            settlement = Settlement(action=Action.DEAD_LETTER, reason="truncated")
            return Handled(settlement=settlement, failure=FAILED, dead_letter=Message(data=b"{}"))

        subject = consumer(one_message(), work, publisher=publisher)
        with capture_logs() as logs:
            await subject.run()
        return logs

    # When / Then
    assert costs(asyncio.run(scenario())) == [("dead_letter", SPENT_USD, True)]
