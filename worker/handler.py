"""One message, from its bytes to its settlement."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from services.content.failures import failure_of
from services.content.fulfilment import Failed, Fulfilment, Outcome, Stored
from services.content.models import Failure
from services.content.ownership import Ownership
from services.errors import ContentWorkerError, MessageDecodeError, PermanentError
from services.generation.allowance import Allowance
from services.messaging.port import Message
from worker.dead_letters.letter import dead_letter
from worker.lease import InFlight
from worker.messages import decode
from worker.settlement import Action, Settlement, settle_error, settle_outcome

LOOK_AGAIN_SECONDS = 1.0
"""How often a message whose request is owned elsewhere looks whether the result is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handled:
    """How a message is to be settled, with what goes along: its stored result, or its failure and dead letter."""

    settlement: Settlement
    document: dict[str, Any] | None = None
    failure: Failure | None = None
    dead_letter: Message | None = None


class MessageHandler:
    """Works on messages. Errors raised on purpose become settlements; a bug outside of the work passes through."""

    def __init__(
        self,
        fulfilment: Fulfilment,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fulfilment = fulfilment
        self._sleep = sleep
        self._now = now

    async def handle(self, message: InFlight) -> Handled:
        """Work on a message until it can be settled; a held one is looked at again until its owner is done."""
        handled = await self._attempt(message)
        while handled.settlement.action is Action.HOLD:
            await self._sleep(LOOK_AGAIN_SECONDS)
            handled = await self._attempt(message)
        return handled

    async def refuse(self, message: InFlight, error: MessageDecodeError) -> Handled:
        """Settle a message that is no request for this reason."""
        if error.request_id is None:
            return self._hopeless(message, error, stage="decode", request_id=None)
        try:
            # Whoever waits for the result must find the reason: without it the message is not settled yet.
            outcome = await self._fulfilment.refuse(
                error.request_id, error, message_id=message.delivery.message_id
            )
        except ContentWorkerError as store_error:
            return Handled(settlement=settle_error(store_error))
        return self._handled(message, outcome, request_id=error.request_id)

    async def _attempt(self, message: InFlight) -> Handled:
        try:
            request = decode(message.delivery.data)
        except MessageDecodeError as error:
            return await self.refuse(message, error)

        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        if request.correlation_id is not None:
            structlog.contextvars.bind_contextvars(correlation_id=request.correlation_id)

        def own(ownership: Ownership, allowance: Allowance) -> None:
            message.ownership, message.allowance = ownership, allowance

        try:
            outcome = await self._fulfilment.fulfil(
                request, message_id=message.delivery.message_id, on_claim=own
            )
        except PermanentError as error:
            return self._hopeless(message, error, stage="store", request_id=request.request_id)
        except ContentWorkerError as error:
            return Handled(settlement=settle_error(error))
        finally:
            message.ownership = None
        return self._handled(message, outcome, request_id=request.request_id)

    def _hopeless(
        self, message: InFlight, error: PermanentError, *, stage: str, request_id: str | None
    ) -> Handled:
        spent_usd = message.spend.cost_usd
        reason = failure_of(error, stage=stage, cost_usd=spent_usd, now=self._now())
        outcome = Failed(failure=reason, attempts=1, cost_usd=spent_usd, hopeless=True)
        return self._failed(message, outcome, request_id=request_id)

    def _handled(self, message: InFlight, outcome: Outcome, *, request_id: str) -> Handled:
        match outcome:
            case Failed():
                return self._failed(message, outcome, request_id=request_id)
            case Stored(document=document):
                return Handled(settlement=settle_outcome(outcome), document=document)
        return Handled(settlement=settle_outcome(outcome))

    def _failed(self, message: InFlight, outcome: Failed, *, request_id: str | None) -> Handled:
        letter = None
        if outcome.hopeless:
            letter = dead_letter(
                message.delivery,
                outcome.failure,
                attempts=outcome.attempts,
                cost_usd=outcome.cost_usd,
                request_id=request_id,
                now=self._now(),
            )
        return Handled(settlement=settle_outcome(outcome), failure=outcome.failure, dead_letter=letter)
