"""The way in `push`: a message that Pub/Sub or Eventarc brings, worked on and settled as a pulled one.

What the pull's acks and leases are is here the answer: 204 takes the message from the subscription, everything else
has it delivered again by the subscription's retry policy.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

import structlog

from services.content.failures import BUG, place_of
from services.errors import ConfigurationError, ContentWorkerError, MessageDecodeError, NoModelAnswered
from services.generation.spend import Spend
from services.messaging.port import Delivery
from worker.handler import MessageHandler
from worker.lease import InFlight, LeaseKeeper
from worker.outage_watch import OutageWatch
from worker.reporting import tell_crashed, tell_late, tell_settled, tell_unsettled
from worker.settler import Settler
from worker.web.answers import RETRY_AFTER_SECONDS, Answer, HttpError, come_again, http_error_of
from worker.web.calls import Call, body_of
from worker.web.pushes import Pushed, pushed

log = structlog.get_logger()

MAX_BYTES = 16 * 1024 * 1024
"""Pub/Sub's largest message, 10 MB, in base64, with room for attributes."""


class PushedQueue:
    """The queue of pushed messages: it has no leases, and whoever pushed learns from the answer what to do."""

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:  # noqa: ARG002  # the port's
        """Nothing: messages come by themselves."""
        return []

    async def acknowledge(self, delivery: Delivery) -> None:
        """Nothing to do: the answer acknowledges."""

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        """Nothing to do: a subscription's ack deadline cannot be extended by push."""


class Push:
    """Works on pushed messages.

    No keys apply here: Pub/Sub sends a token of its service account, and Cloud Run checks it (IAM). `seconds` bounds a
    request, `concurrency` the requests in flight. With a `watch` no message is worked on while no model answers.
    """

    def __init__(
        self,
        *,
        handler: MessageHandler,
        settler: Settler,
        leases: LeaseKeeper,
        concurrency: int,
        seconds: float,
        watch: OutageWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._handler = handler
        self._settler = settler
        self._leases = leases
        self._concurrency = concurrency
        self._seconds = seconds
        self._watch = watch
        self._clock = clock
        self._now = now
        self._busy = 0

    async def __call__(self, call: Call) -> Answer:
        """204 when the message is settled for good. Raises `HttpError`: 503 to have it again, 429 without a slot."""
        if self._busy >= self._concurrency:
            raise come_again("busy", "All slots of this instance are taken.", seconds=1, status=429)
        self._busy += 1
        try:
            async with asyncio.timeout(self._seconds):
                body = await body_of(call, limit=MAX_BYTES)
                return await self._answer(pushed(call.headers, body, now=self._now()))
        except TimeoutError:
            log.warning("message.out_of_time", after_seconds=self._seconds)
            message = f"The message was not settled within {self._seconds:.0f} s."
            raise come_again("out_of_time", message, seconds=10) from None
        finally:
            self._busy -= 1

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Keep the claims of messages in flight alive meanwhile."""
        keeper = asyncio.create_task(self._keep_claims())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep_claims(self) -> None:
        while True:
            try:
                await self._leases.run()
            except Exception as error:  # noqa: BLE001  # without renewals work would be done twice: go on, after the pause
                log.error("leases.crashed", cause=f"{type(error).__name__} at {place_of(error)}: a bug.")

    async def _answer(self, came: Pushed) -> Answer:
        message = InFlight(came.delivery)
        message.task = asyncio.current_task()
        self._leases.keep(message)
        try:
            return await self._settled(message, came.defect)
        except asyncio.CancelledError:
            # Cancelled for a lost claim: the new owner answers, and the redelivery is acknowledged.
            if not message.claim_lost:
                raise
            log.info("message.claim_lost", message_id=message.delivery.message_id)
            raise come_again("claim_lost", "Another worker has this request.", seconds=10) from None
        except ContentWorkerError as error:
            raise self._not_settled(message, error) from None
        except Exception as error:  # noqa: BLE001  # not acknowledged, so it is delivered again
            tell_crashed(message.delivery.message_id, error)
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, BUG, "A bug; it was logged.") from None
        finally:
            self._leases.drop(message)
            # Nothing is left to tell when it was settled: a bill is written once.
            tell_unsettled(
                "claim_lost" if message.claim_lost else "not_settled",
                message_id=message.delivery.message_id,
                spend=_bill(message),
            )

    async def _settled(self, message: InFlight, defect: MessageDecodeError | None) -> Answer:
        if self._watch is not None and (outage := await self._watch.outage()) is not None:
            again = max(RETRY_AFTER_SECONDS, math.ceil(self._watch.seconds_to_next_look))
            return come_again(NoModelAnswered.kind, outage.cause, seconds=again).answer()
        started = self._clock()
        if defect is None:
            handled = await self._handler.handle(message)
        else:
            handled = await self._handler.refuse(message, defect)
        self._leases.drop(message)
        seconds = self._clock() - started
        comes_again_in = await self._settler.settle(message.delivery, handled)
        tell_settled(handled, message_id=message.delivery.message_id, seconds=seconds, spend=_bill(message))
        if comes_again_in:
            settlement = handled.settlement
            if self._watch is not None and settlement.reason == NoModelAnswered.kind:
                await self._watch.met(settlement.detail)
            return come_again(settlement.reason, settlement.detail, seconds=comes_again_in).answer()
        return Answer(status=HTTPStatus.NO_CONTENT)

    def _not_settled(self, message: InFlight, error: ContentWorkerError) -> HttpError:
        fix = error.fix if isinstance(error, ConfigurationError) else "It is delivered again."
        log.warning(
            "message.not_settled", message_id=message.delivery.message_id, cause=error.message, fix=fix
        )
        return http_error_of(error)


def _bill(message: InFlight) -> Spend:
    return message.bill(partial(tell_late, message_id=message.delivery.message_id))
