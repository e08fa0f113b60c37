"""Creates what the worker needs in Pub/Sub, for emulators and first trials; production has it from Terraform.

Needs `roles/pubsub.editor` on the project. For the dead-letter backstop Pub/Sub's own service agent
(`service-NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com`) needs publisher on the dead-letter topic and
subscriber on the subscription; without them Pub/Sub reports no error and keeps redelivering.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from google.api_core import exceptions
from google.pubsub_v1 import types

from services.messaging.pubsub_calls import (
    CALL_TIMEOUT_SECONDS,
    LazyClient,
    Resource,
    publisher,
    subscriber,
    subscription_of,
    topic_of,
    translated,
)

MIN_BACKOFF = {"seconds": 10}
MAX_BACKOFF = {"seconds": 600}
SUBSCRIPTION_DEFAULTS: dict[str, Any] = {
    "ack_deadline_seconds": 60,
    # The most that the emulator takes. Terraform keeps dead letters for 31 days, the most that Pub/Sub takes.
    "message_retention_duration": {"seconds": 7 * 24 * 3600},
    "expiration_policy": {},  # without a ttl: never, however long no worker runs
}

# The highest that Pub/Sub allows. The worker dead-letters by itself, with the reason; this only ends what
# kills every worker that touches it. Leases given back at shutdowns count too, and must not get there.
MAX_DELIVERY_ATTEMPTS = 100


class PubSubProvisioner:
    """Creates topics and subscriptions, or says that they are missing. What exists is left as it is."""

    def __init__(
        self,
        *,
        project: str,
        topic: str,
        subscription: str,
        dead_letter_topic: str,
        dead_letter_subscription: str,
        emulator_host: str | None = None,
    ) -> None:
        self._topic = topic_of(project, topic, "WORKER_TOPIC")
        self._dead_topic = topic_of(project, dead_letter_topic, "WORKER_DEAD_LETTER_TOPIC")
        self._subscription = subscription_of(project, subscription, "WORKER_SUBSCRIPTION")
        self._dead_subscription = subscription_of(
            project, dead_letter_subscription, "WORKER_DEAD_LETTER_SUBSCRIPTION"
        )
        self._publisher = LazyClient(partial(publisher, emulator_host))
        self._subscriber = LazyClient(partial(subscriber, emulator_host))

    async def provision(self) -> Sequence[str]:
        """Create what is missing, topics first; returns a line for each thing."""
        create_topic, create_subscription = (
            self._publisher().create_topic,
            self._subscriber().create_subscription,
        )
        return [
            await _ensure(self._topic, create_topic, types.Topic(name=self._topic.path)),
            await _ensure(self._dead_topic, create_topic, types.Topic(name=self._dead_topic.path)),
            await _ensure(self._dead_subscription, create_subscription, self._dead_subscription_wanted()),
            await _ensure(self._subscription, create_subscription, self._subscription_wanted()),
        ]

    async def verify(self) -> None:
        """Raise `ConfigurationError` unless the pulled subscription and the dead-letter topic exist."""
        options = {"retry": None, "timeout": CALL_TIMEOUT_SECONDS}
        with translated(self._subscription):
            await self._subscriber().get_subscription(subscription=self._subscription.path, **options)
        with translated(self._dead_topic):
            await self._publisher().get_topic(topic=self._dead_topic.path, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._publisher.close()
        await self._subscriber.close()

    def _subscription_wanted(self) -> types.Subscription:
        return types.Subscription(
            name=self._subscription.path,
            topic=self._topic.path,
            **SUBSCRIPTION_DEFAULTS,
            retry_policy={"minimum_backoff": MIN_BACKOFF, "maximum_backoff": MAX_BACKOFF},
            dead_letter_policy={
                "dead_letter_topic": self._dead_topic.path,
                "max_delivery_attempts": MAX_DELIVERY_ATTEMPTS,
            },
        )

    def _dead_subscription_wanted(self) -> types.Subscription:
        return types.Subscription(
            name=self._dead_subscription.path, topic=self._dead_topic.path, **SUBSCRIPTION_DEFAULTS
        )


async def _ensure(resource: Resource, create: Callable[..., Awaitable[Any]], wanted: Any) -> str:
    editor = replace(resource, role="roles/pubsub.editor")
    with translated(editor):
        try:
            await create(request=wanted, retry=None, timeout=CALL_TIMEOUT_SECONDS)
        except exceptions.AlreadyExists:
            return f"{resource}: already there"
    return f"{resource}: created"
