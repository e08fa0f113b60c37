"""Acts on settlements: acks, puts messages off, publishes dead letters."""

import random
from collections.abc import Callable

import structlog

from services.errors import PermanentError
from services.messaging.port import Delivery, MessagePublisher, MessageQueue
from worker.handler import Handled
from worker.settlement import Action, retry_delay_seconds

log = structlog.get_logger()


class Settler:
    """Settles messages of one subscription. Nothing is acked before what it led to is stored."""

    def __init__(
        self,
        *,
        queue: MessageQueue,
        publisher: MessagePublisher,
        dead_letter_topic: str,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._queue = queue
        self._publisher = publisher
        self._dead_letter_topic = dead_letter_topic
        self._uniform = uniform

    async def settle(self, delivery: Delivery, handled: Handled) -> int:
        """Settle one message; returns the seconds after which it comes again, 0 when it does not.

        Raises `QueueUnavailable`; the message's lease then ends by itself and it is delivered again. A dead letter
        that the queue refuses (one byte below the size limit, and the reason comes on top) is put off like a retry,
        until the subscription's own dead-letter policy takes it.
        """
        match handled.settlement.action:
            case Action.ACK:
                await self._queue.acknowledge(delivery)
                return 0
            case Action.DEAD_LETTER if await self._is_published(handled):
                await self._queue.acknowledge(delivery)
                return 0
        # The lease itself is the delay: every queue delivers the message again when it ends.
        delay = retry_delay_seconds(delivery.attempt, uniform=self._uniform)
        await self._queue.extend([delivery], seconds=delay)
        return delay

    async def _is_published(self, handled: Handled) -> bool:
        if handled.dead_letter is None:
            return False
        try:
            await self._publisher.publish(self._dead_letter_topic, [handled.dead_letter])
        except PermanentError as error:
            log.error("dead_letter.refused", cause=error.message)
            return False
        return True
