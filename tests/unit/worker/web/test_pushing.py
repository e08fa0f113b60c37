"""Faults of a push that the real parts do not show."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.content.failures import failure
from services.errors import ConfigurationError, MessageDecodeError, NoModelAnswered, QueueUnavailable
from services.generation.allowance import Allowance
from services.generation.outage_notes import Outage
from services.generation.spend import Spend
from services.messaging.port import Message
from tests.builders import NOON, message_bytes
from tests.unit.worker.web.calling import call
from worker.handler import Handled
from worker.lease import InFlight, LeaseKeeper
from worker.settlement import Action, Settlement, settle_error
from worker.settler import Settler
from worker.web.answers import Answer, HttpError
from worker.web.pushing import Push, PushedQueue

Work = Callable[[InFlight], Awaitable[Handled]]


class Handler:
    """Handles messages by a function."""

    def __init__(self, work: Work) -> None:
        self.handle = work
        self.refused: list[MessageDecodeError] = []

    async def refuse(self, message: InFlight, error: MessageDecodeError) -> Handled:
        self.refused.append(error)
        return await self.handle(message)


class Publisher:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.published: list[Message] = []

    async def publish(self, _topic: str, messages: Sequence[Message]) -> Sequence[str]:
        if self._error is not None:
            raise self._error
        self.published += messages
        return ["m"] * len(messages)


def push(
    work: Work, *, publisher: Publisher | None = None, handler: Handler | None = None, **changes: Any
) -> Push:
    queue = PushedQueue()
    settler = Settler(queue=queue, publisher=publisher or Publisher(), dead_letter_topic="dead")
    leases = LeaseKeeper(queue, lease_seconds=60)
    parts = {"concurrency": 2, "seconds": 60.0, "clock": lambda: 0.0, "now": lambda: NOON, **changes}
    return Push(handler=handler or Handler(work), settler=settler, leases=leases, **parts)  # type: ignore[arg-type]


def handled(action: Action, **changes: Any) -> Work:
    async def work(_message: InFlight) -> Handled:
        return Handled(settlement=Settlement(action=action, reason="because", detail="why"), **changes)

    return work


def answer(endpoint: Push) -> Answer:
    return asyncio.run(endpoint(call(message_bytes())))


LETTER = Message(data=b"bytes")


def test_what_is_done_is_acknowledged_and_what_is_to_be_retried_is_not() -> None:
    assert answer(push(handled(Action.ACK))).status == 204
    retried = answer(push(handled(Action.RETRY)))
    assert (retried.status, retried.body) == (
        503,
        {"error": {"kind": "because", "message": "why", "fix": "Send the same request again later."}},
    )
    assert int(retried.headers["Retry-After"]) >= 10


def test_a_hopeless_message_is_acknowledged_once_its_letter_is_published() -> None:
    publisher = Publisher()
    assert answer(push(handled(Action.DEAD_LETTER, dead_letter=LETTER), publisher=publisher)).status == 204
    assert publisher.published == [LETTER]


@pytest.mark.parametrize("error", [QueueUnavailable("away"), ConfigurationError("no topic", fix="make it")])
def test_without_its_letter_a_hopeless_message_comes_again(error: Exception) -> None:
    endpoint = push(handled(Action.DEAD_LETTER, dead_letter=LETTER), publisher=Publisher(error))
    with pytest.raises(HttpError) as caught:
        answer(endpoint)
    assert caught.value.status == 503


def test_a_bug_keeps_the_message_and_is_told_by_kind_and_place_alone() -> None:
    async def broken(_message: InFlight) -> Handled:
        raise ValueError("words of a student")

    with capture_logs() as logs, pytest.raises(HttpError) as caught:
        answer(push(broken))
    assert caught.value.status == 500
    (told,) = [line for line in logs if line["event"] == "message.crashed"]
    assert "ValueError at " in told["cause"]
    assert "words of a student" not in str(logs) + caught.value.message


def test_a_bug_that_was_counted_is_told_too() -> None:
    counted = failure(stage="content", kind="bug", message="ValueError at x.py:1", now=NOON)
    with capture_logs() as logs:
        assert answer(push(handled(Action.RETRY, failure=counted))).status == 503
    assert [line["cause"] for line in logs if line["event"] == "message.crashed"] == ["ValueError at x.py:1"]


def test_a_lost_claim_has_the_message_come_again_for_the_new_owners_answer() -> None:
    async def loses(message: InFlight) -> Handled:
        message.claim_lost = True
        assert message.task is not None
        message.task.cancel()
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(HttpError) as caught:
        answer(push(loses))
    assert (caught.value.status, caught.value.kind) == (503, "claim_lost")


def test_what_takes_too_long_is_ended_and_comes_again() -> None:
    let_go: list[bool] = []

    async def stuck(_message: InFlight) -> Handled:
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append(True)
        raise AssertionError

    with pytest.raises(HttpError) as caught:
        answer(push(stuck, seconds=0.01))
    assert (caught.value.status, caught.value.kind, let_go) == (503, "out_of_time", [True])


def test_a_slot_is_free_again_however_its_message_ended() -> None:
    async def broken(_message: InFlight) -> Handled:
        raise ValueError

    endpoint = push(broken, concurrency=1)
    for _ in range(3):
        with pytest.raises(HttpError) as caught:
            answer(endpoint)
        assert caught.value.status == 500


def test_claims_are_kept_alive_although_a_renewal_has_crashed() -> None:
    turns = itertools.count()
    renewed = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)
        match next(turns):
            case 0:
                raise ValueError("a bug")
            case 3:
                renewed.set()

    async def run() -> None:
        endpoint = push(handled(Action.ACK))
        endpoint._leases = LeaseKeeper(PushedQueue(), lease_seconds=60, sleep=sleep)
        async with endpoint.renewing():
            await asyncio.wait_for(renewed.wait(), timeout=10)

    with capture_logs() as logs:
        asyncio.run(run())
    assert [line["event"] for line in logs] == ["leases.crashed"]


def test_a_push_that_is_not_base64_is_a_dead_letter_with_that_reason_and_its_own_bytes() -> None:
    # Given
    work, publisher = handled(Action.DEAD_LETTER, dead_letter=LETTER), Publisher()
    handler = Handler(work)
    body = b'{"message": {"data": "***", "messageId": "m-1"}, "subscription": "s"}'
    # When
    answered = asyncio.run(push(work, publisher=publisher, handler=handler)(call(body)))
    # Then
    assert (answered.status, publisher.published) == (204, [LETTER])
    assert [error.kind for error in handler.refused] == ["not_base64"]


@pytest.mark.parametrize(
    ("end", "action"),
    [(None, "ack"), (QueueUnavailable("It did not answer."), "none"), (KeyError("a bug"), "none")],
)
def test_what_a_pushed_message_took_is_told_once_however_it_ends(end: Exception | None, action: str) -> None:
    # Given work that pays
    async def work(message: InFlight) -> Handled:
        message.allowance = Allowance()
        message.allowance.add(Spend(calls=1, cost_usd=0.01))
        if end is not None:
            raise end
        return Handled(settlement=Settlement(action=Action.ACK, reason="stored"))

    # When it ends
    with capture_logs() as logs, suppress(HttpError):
        answer(push(work))
    # Then one line has what it took
    told = [entry for entry in logs if entry["event"] == "message.settled"]
    assert [(entry["action"], entry["cost_usd"]) for entry in told] == [(action, 0.01)]


class Watch:
    """Models that are away while `outage` is set."""

    def __init__(self, outage: Outage | None, *, next_look: float = 0.0) -> None:
        self.now, self.seconds_to_next_look = outage, next_look
        self.causes: list[str] = []

    async def outage(self) -> Outage | None:
        return self.now

    async def met(self, cause: str) -> None:
        self.causes.append(cause)


AWAY = Outage(since=NOON, cause="No model of the ladder for nlu answers.", met_by_message=False)


async def never(_message: InFlight) -> Handled:
    raise AssertionError


def test_while_no_model_answers_a_pushed_message_is_not_worked_on() -> None:
    for next_look, again in ((0.0, 5), (34.5, 35)):
        endpoint = push(never, watch=Watch(AWAY, next_look=next_look))
        told = answer(endpoint)
        assert told.body is not None
        assert (told.status, told.body["error"]["kind"]) == (503, "no_answer")
        assert told.headers["Retry-After"] == str(again)


def test_an_outage_that_a_pushed_message_meets_is_remembered_and_other_retries_are_not() -> None:
    watch = Watch(None)
    assert answer(push(handled(Action.RETRY), watch=watch)).status == 503
    assert watch.causes == []

    async def unanswered(_message: InFlight) -> Handled:
        return Handled(settlement=settle_error(NoModelAnswered("nobody")))

    assert answer(push(unanswered, watch=watch)).status == 503
    assert watch.causes == ["nobody"]


def test_models_that_answer_let_pushed_messages_pass() -> None:
    assert answer(push(handled(Action.ACK), watch=Watch(None))).status == 204
