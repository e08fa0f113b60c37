"""One message, from its bytes to its settlement."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from services.content.failures import failure, failure_of
from services.content.fulfilment import AlreadyFinished, Failed, Outcome, OwnedElsewhere, Stored, hopeless
from services.content.models import ContentRequest
from services.content.ownership import Ownership
from services.errors import (
    ContentWorkerError,
    MessageDecodeError,
    ModelUnavailable,
    PermanentError,
    StoreUnavailable,
)
from tests.builders import NOON, content_request, delivery, message_bytes
from worker.handler import Handled, MessageHandler
from worker.lease import InFlight
from worker.settlement import Action


class ScriptedFulfilment:
    """Ends in the next of the prepared outcomes, or raises it."""

    def __init__(
        self, *ends: Outcome | ContentWorkerError, record_error: ContentWorkerError | None = None
    ) -> None:
        self._ends = list(ends)
        self._record_error = record_error
        self.recorded: list[str] = []
        self.bound: list[dict[str, Any]] = []

    async def fulfil(
        self, _request: ContentRequest, *, message_id: str, on_claim: Callable[[Ownership], None]
    ) -> Outcome:
        del message_id, on_claim
        self.bound.append(dict(structlog.contextvars.get_contextvars()))
        end = self._ends.pop(0)
        if isinstance(end, ContentWorkerError):
            raise end
        return end

    async def refuse(self, request_id: str, error: MessageDecodeError, *, message_id: str) -> Outcome:
        del message_id
        if self._record_error is not None:
            raise self._record_error
        self.recorded.append(request_id)
        if self._ends:
            return await self.fulfil(content_request(), message_id="", on_claim=lambda *_: None)
        return hopeless(failure_of(error, stage="decode", cost_usd=0.0, now=NOON))


def handle(fulfilment: ScriptedFulfilment, data: bytes | None = None) -> tuple[Handled, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    handler = MessageHandler(fulfilment, sleep=sleep)  # type: ignore[arg-type]  # a fake of the one class
    return asyncio.run(handler.handle(InFlight(delivery(data)))), slept


def test_a_stored_result_is_acked_and_handed_on() -> None:
    handled, _ = handle(ScriptedFulfilment(Stored(document={"status": "completed"})))
    assert handled.settlement.action is Action.ACK
    assert handled.document == {"status": "completed"}


def test_a_request_owned_elsewhere_is_held_until_its_result_is_there() -> None:
    busy = OwnedElsewhere(until=NOON)
    handled, slept = handle(ScriptedFulfilment(busy, busy, AlreadyFinished()))
    assert handled.settlement.action is Action.ACK
    assert slept == [1.0, 1.0]


def test_a_request_whose_owner_died_is_taken_over_from_the_hold() -> None:
    handled, _ = handle(ScriptedFulfilment(OwnedElsewhere(until=NOON), Stored(document={})))
    assert handled.settlement.reason == "stored"


def test_an_error_for_now_is_retried_without_a_dead_letter() -> None:
    handled, _ = handle(ScriptedFulfilment(ModelUnavailable("busy")))
    assert (handled.settlement.action, handled.dead_letter) == (Action.RETRY, None)


def failed(*, hopeless: bool) -> Failed:
    reason = failure(stage="script", kind="invalid_json", message="no JSON", cost_usd=0.01, now=NOON)
    return Failed(failure=reason, attempts=7, cost_usd=0.05, hopeless=hopeless)


def test_a_failure_of_the_request_is_retried_as_long_as_there_is_hope() -> None:
    handled, _ = handle(ScriptedFulfilment(failed(hopeless=False)))
    assert (handled.settlement.action, handled.dead_letter) == (Action.RETRY, None)
    assert handled.failure is not None


def test_a_hopeless_request_becomes_a_dead_letter_that_says_what_was_spent_on_it() -> None:
    handled, _ = handle(ScriptedFulfilment(failed(hopeless=True)))
    assert handled.settlement.action is Action.DEAD_LETTER
    assert handled.dead_letter is not None
    told = handled.dead_letter.attributes
    assert (told["error_stage"], told["error_kind"], told["attempts"]) == ("script", "invalid_json", "7")
    assert (told["cost_usd"], told["request_id"]) == ("0.05000000", "test_gemini_flash_final")


def test_a_request_that_the_store_refuses_for_good_becomes_a_dead_letter() -> None:
    handled, _ = handle(ScriptedFulfilment(PermanentError("the database refused a document")))
    assert handled.settlement.action is Action.DEAD_LETTER
    assert handled.dead_letter is not None
    assert handled.dead_letter.attributes["error_stage"] == "store"


def test_a_malformed_message_is_a_dead_letter_and_leaves_a_failed_result_where_its_id_is_readable() -> None:
    fulfilment = ScriptedFulfilment()
    handled, _ = handle(fulfilment, message_bytes(grade_level="nine"))
    assert handled.settlement.action is Action.DEAD_LETTER
    assert fulfilment.recorded == ["test_gemini_flash_final"]


def test_a_malformed_message_waits_for_whoever_owns_the_request() -> None:
    # Given a request that another worker is busy with, and a malformed message with its id
    bad = message_bytes(grade_level="nine")
    reason = hopeless(failure(stage="decode", kind="invalid_fields", message="no", now=NOON))
    handled, slept = handle(ScriptedFulfilment(OwnedElsewhere(until=NOON), reason), bad)
    # Then it is a dead letter only when the other one is done, for that one may leave no result
    assert slept == [1.0]
    assert handled.settlement.action is Action.DEAD_LETTER


def test_a_malformed_message_without_an_id_is_only_a_dead_letter() -> None:
    fulfilment = ScriptedFulfilment()
    handled, _ = handle(fulfilment, b"no json")
    assert handled.settlement.action is Action.DEAD_LETTER
    assert fulfilment.recorded == []


def test_a_malformed_message_waits_for_a_store_that_is_down() -> None:
    # Given a store that cannot take the failed result
    fulfilment = ScriptedFulfilment(record_error=StoreUnavailable("down"))
    handled, _ = handle(fulfilment, message_bytes(grade_level="nine"))
    # Then the message is not dead-lettered yet, or whoever waits for the result would never learn the reason
    assert (handled.settlement.action, handled.dead_letter) == (Action.RETRY, None)


def test_logs_of_a_message_carry_its_ids_but_not_the_students() -> None:
    fulfilment = ScriptedFulfilment(AlreadyFinished())
    handle(fulfilment, message_bytes(correlation_id="c-9"))
    assert fulfilment.bound == [{"request_id": "test_gemini_flash_final", "correlation_id": "c-9"}]
