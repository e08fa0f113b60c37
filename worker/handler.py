"""One message, from its bytes to its settlement."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from services.content.fulfilment import Fulfilment, Stored
from services.errors import ContentWorkerError, MessageDecodeError
from services.messaging.port import Message
from worker.dead_letters import dead_letter
from worker.lease import InFlight
from worker.messages import decode
from worker.settlement import Action, Settlement, settle_error, settle_outcome

LOOK_AGAIN_SECONDS = 1.0
"""How often a message whose request is owned elsewhere looks whether the result is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handled:
    """How a message is to be settled, with what goes along: its dead letter, or its stored result."""

    settlement: Settlement
    request_id: str | None
    document: dict[str, Any] | None = None
    dead_letter: Message | None = None


class MessageHandler:
    """Works on messages. Errors raised on purpose become settlements; everything else is a bug and passes through."""

    def __init__(
        self, fulfilment: Fulfilment, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._fulfilment = fulfilment
        self._sleep = sleep

    async def handle(self, message: InFlight) -> Handled:
        """Work on a message until it can be settled; a held one is looked at again until its owner is done."""
        handled = await self._attempt(message)
        while handled.settlement.action is Action.HOLD:
            await self._sleep(LOOK_AGAIN_SECONDS)
            handled = await self._attempt(message)
        return handled

    async def _attempt(self, message: InFlight) -> Handled:
        try:
            request = decode(message.delivery.data)
        except MessageDecodeError as error:
            return await self._refused(message, error)

        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        if request.correlation_id is not None:
            structlog.contextvars.bind_contextvars(correlation_id=request.correlation_id)

        def own(ownership: Any) -> None:
            message.ownership = ownership

        try:
            outcome = await self._fulfilment.fulfil(request, on_claim=own)
        except ContentWorkerError as error:
            return self._unanswered(message, error, stage="content", request_id=request.request_id)
        finally:
            message.ownership = None
        return Handled(
            settlement=settle_outcome(outcome),
            request_id=request.request_id,
            document=outcome.document if isinstance(outcome, Stored) else None,
        )

    async def _refused(self, message: InFlight, error: MessageDecodeError) -> Handled:
        handled = self._unanswered(message, error, stage="decode", request_id=error.request_id)
        if error.request_id is None:
            return handled
        try:
            await self._fulfilment.record_failure(error.request_id, error)
        except ContentWorkerError as store_error:
            # Whoever waits for the result must find the reason: without it the message is not settled yet.
            return replace(handled, settlement=settle_error(store_error), dead_letter=None)
        return handled

    def _unanswered(
        self, message: InFlight, error: ContentWorkerError, *, stage: str, request_id: str | None
    ) -> Handled:
        settlement = settle_error(error)
        letter = None
        if settlement.action is Action.DEAD_LETTER:
            letter = dead_letter(message.delivery, error, stage=stage, request_id=request_id)
        return Handled(settlement=settlement, request_id=request_id, dead_letter=letter)
