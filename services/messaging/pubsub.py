"""Google Cloud Pub/Sub as the message queue, by unary Pull: exact numbers in flight, an answer to every ack.

What must exist (`content-worker provision` or Terraform makes it): the topic, the subscription that is
pulled, the dead-letter topic and its subscription. Rights of the account the worker runs as:
`roles/pubsub.subscriber` and `roles/pubsub.viewer` on the subscription, `roles/pubsub.publisher` and
`roles/pubsub.viewer` on the dead-letter topic.

Credentials are Application Default Credentials. With `PUBSUB_EMULATOR_HOST=host:port` the clients talk to
that emulator, without credentials. Clients belong to the event loop that first used them: close them on it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from functools import partial
from typing import Any

from google.api_core import exceptions
from google.pubsub_v1 import types
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from services.batching import Batcher
from services.errors import PermanentError, QueueUnavailable
from services.messaging.port import Delivery, Message
from services.messaging.pubsub_calls import (
    CALL_TIMEOUT_SECONDS,
    LazyClient,
    Resource,
    chunks,
    publisher_client,
    subscriber_client,
    subscription_of,
    topic_of,
    translated,
)

# The service answers an empty Pull a little before the call's deadline (the emulator 0.95 s before it,
# measured). The deadline lies this much after the wait, so that it does not cut off an answer that has leased
# messages already.
ANSWER_GRACE_SECONDS = 1.0

# How soon a service that has let a pull time out must answer a simple question. Its answer to the pull may be lost.
SIGN_OF_LIFE_SECONDS = 1.0

MAX_LEASE_SECONDS = 600  # google.pubsub.v1.ModifyAckDeadlineRequest.ack_deadline_seconds
ACK_ATTEMPTS = 4
LEASES_PER_CALL = 1000  # keeps requests under the 512 KiB that the service takes

# https://cloud.google.com/pubsub/quotas#resource_limits: 1,000 messages and 10 MB in one publish request.
PUBLISH_TIMEOUT_SECONDS = 30.0
PUBLISH_MESSAGES = 1000
PUBLISH_BYTES = 9_000_000
MESSAGE_OVERHEAD_BYTES = 32

Sleep = Callable[[float], Awaitable[None]]


class PubSubQueue:
    """One subscription, pulled. Do not cancel `pull`: what it leased by then stays away until the leases end.

    `setting` is the variable that names the subscription, for error messages; `emulator_host` is that of an emulator,
    where there is one; `sleep` waits between the tries of an ack.
    """

    def __init__(
        self,
        *,
        project: str,
        subscription: str,
        setting: str = "WORKER_SUBSCRIPTION",
        emulator_host: str | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._subscription = subscription_of(project, subscription, setting)
        self._client = LazyClient(partial(subscriber_client, emulator_host))
        self._acks = Batcher(self._acknowledge, most=LEASES_PER_CALL)
        self._retry = AsyncRetrying(
            retry=retry_if_exception_type(QueueUnavailable),
            stop=stop_after_attempt(ACK_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=sleep,
            reraise=True,
        )

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:
        """Lease up to `limit` messages, waiting up to `wait_seconds` for the first. One try."""
        request = types.PullRequest(subscription=self._subscription.path, max_messages=limit)
        timeout = wait_seconds + ANSWER_GRACE_SECONDS
        with translated(self._subscription):
            try:
                response = await self._client().pull(request=request, retry=None, timeout=timeout)
            except exceptions.DeadlineExceeded:
                await self._look_for_life()
                return []
        # Reading the plain protobuf takes less than half the CPU of reading the wrapped one (measured).
        return [_delivery(received) for received in types.PullResponse.pb(response).received_messages]

    async def acknowledge(self, delivery: Delivery) -> None:
        """Say that the message is dealt with; a failed call is tried `ACK_ATTEMPTS` times in all."""
        await self._acks.add(delivery.lease_id)

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        """Make the leases end `seconds` (0 to 600) from now. One try.

        What is given back may stay away for as long as the subscription's retry policy says.
        """
        if not 0 <= seconds <= MAX_LEASE_SECONDS:
            raise ValueError(f"A lease can be extended by 0 to {MAX_LEASE_SECONDS} seconds, not {seconds}.")
        for some in chunks(deliveries, LEASES_PER_CALL):
            request = types.ModifyAckDeadlineRequest(
                subscription=self._subscription.path,
                ack_ids=[delivery.lease_id for delivery in some],
                ack_deadline_seconds=seconds,
            )
            await self._call("modify_ack_deadline", request)

    async def close(self) -> None:
        """Close the connection; leases still held end by themselves."""
        await self._client.close()

    async def _look_for_life(self) -> None:
        """Tell a queue that has nothing from one that does not answer: here silence is an error. One try."""
        request = types.GetSubscriptionRequest(subscription=self._subscription.path)
        # Any answer is a sign, also that this account may not look.
        with suppress(exceptions.ClientError):
            await self._client().get_subscription(request=request, retry=None, timeout=SIGN_OF_LIFE_SECONDS)

    async def _acknowledge(self, lease_ids: Sequence[str]) -> None:
        request = types.AcknowledgeRequest(subscription=self._subscription.path, ack_ids=lease_ids)
        await self._retry(self._call, "acknowledge", request)

    async def _call(self, method: str, request: Any) -> None:
        # A stale lease is an InvalidArgument where the subscription has exactly-once delivery.
        with translated(self._subscription), suppress(exceptions.InvalidArgument):
            call = getattr(self._client(), method)
            await call(request=request, retry=None, timeout=CALL_TIMEOUT_SECONDS)


class PubSubPublisher:
    """Puts messages on topics of one project; `emulator_host` is that of an emulator, where there is one."""

    def __init__(self, *, project: str, emulator_host: str | None = None) -> None:
        self._project = project
        self._client = LazyClient(partial(publisher_client, emulator_host))

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        """Publish all messages, in as few requests as the service's limits allow. One try each.

        When one request fails, those before it stay published. Raises `PermanentError` for messages that
        Pub/Sub will never take: larger than 10 MB, or with neither data nor attributes.
        """
        target = topic_of(self._project, topic, "WORKER_TOPIC and WORKER_DEAD_LETTER_TOPIC")
        message_ids: list[str] = []
        for batch in publish_batches(messages):
            message_ids.extend(await self._publish(target, batch))
        return message_ids

    async def close(self) -> None:
        """Close the connection; all that was published has been taken by then."""
        await self._client.close()

    async def _publish(self, target: Resource, batch: Sequence[Message]) -> Sequence[str]:
        wrapped = [
            types.PubsubMessage(data=m.data, attributes=dict(m.attributes), ordering_key=m.ordering_key)
            for m in batch
        ]
        request = types.PublishRequest(topic=target.path, messages=wrapped)
        with translated(target), _refusal_is_permanent(target):
            response = await self._client().publish(
                request=request, retry=None, timeout=PUBLISH_TIMEOUT_SECONDS
            )
        return list(response.message_ids)


def publish_batches(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """The messages in order, in batches that one publish request may carry: all with the same ordering key.

    https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#google.pubsub.v1.PubsubMessage
    """
    batch: list[Message] = []
    batch_bytes = 0
    for message in messages:
        size = _size(message)
        is_full = len(batch) == PUBLISH_MESSAGES or batch_bytes + size > PUBLISH_BYTES
        if batch and (is_full or batch[0].ordering_key != message.ordering_key):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(message)
        batch_bytes += size
    if batch:
        yield batch


def _size(message: Message) -> int:
    attributes = sum(len(key) + len(value) for key, value in message.attributes.items())
    return len(message.data) + 4 * attributes + MESSAGE_OVERHEAD_BYTES


@contextmanager
def _refusal_is_permanent(target: Resource) -> Iterator[None]:
    try:
        yield
    except exceptions.InvalidArgument as exc:
        raise PermanentError(f"{target} refused a message: {exc.message}.") from exc


def _delivery(received: Any) -> Delivery:
    message = received.message
    return Delivery(
        message_id=message.message_id,
        lease_id=received.ack_id,
        data=message.data,
        attributes=dict(message.attributes),
        publish_time=message.publish_time.ToDatetime(tzinfo=UTC),
        attempt=received.delivery_attempt,
        ordering_key=message.ordering_key,
    )
