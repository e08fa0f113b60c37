"""A project on Google's emulators, looked at with Google's own clients."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any
from unittest.mock import patch

import grpc
from google.api_core import exceptions
from google.cloud.firestore_v1 import Client
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from services.messaging.port import Delivery
from tests.conformance.inputs.sample import Input
from tests.emulators.google import EmulatorHosts

REQUEST_BYTES = 9_000_000
CALL_SECONDS = 60.0
LAST_PULL_SECONDS = 3.0


class Cloud:
    """Publishes inputs and collects what the worker wrote. Messages of any size come through its clients."""

    def __init__(self, hosts: EmulatorHosts, project: str) -> None:
        self._project = project
        channel = grpc.insecure_channel(hosts.pubsub, options=[("grpc.max_receive_message_length", -1)])
        emulators = {"PUBSUB_EMULATOR_HOST": hosts.pubsub, "FIRESTORE_EMULATOR_HOST": hosts.firestore}
        # Google's clients read these variables when they are made, and only then.
        with patch.dict(os.environ, emulators):
            self._publisher = PublisherClient()
            self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
            self._firestore = Client(project=project)

    def publish(self, inputs: Sequence[Input]) -> list[str]:
        """Put the inputs on the topic of the requests; returns the messages' ids."""
        topic = f"projects/{self._project}/topics/content-requests"
        ids: list[str] = []
        for batch in _batches(inputs):
            messages = [types.PubsubMessage(data=one.data, attributes=dict(one.attributes)) for one in batch]
            ids += self._publisher.publish(topic=topic, messages=messages, timeout=CALL_SECONDS).message_ids
        return ids

    def documents(self) -> dict[str, Mapping[str, Any]]:
        """All results by request id."""
        return {
            found.id: found.to_dict() or {}
            for found in self._firestore.collection("content_results").stream()
        }

    def pulled(self, subscription: str) -> list[Delivery]:
        """All messages that can be pulled; reading takes them out."""
        path = f"projects/{self._project}/subscriptions/{subscription}"
        found: list[Delivery] = []
        while True:
            answer = None
            with suppress(exceptions.DeadlineExceeded):
                answer = self._subscriber.pull(
                    subscription=path, max_messages=100, timeout=LAST_PULL_SECONDS, retry=None
                )
            if not answer or not answer.received_messages:
                return found
            self._subscriber.acknowledge(
                subscription=path, ack_ids=[one.ack_id for one in answer.received_messages]
            )
            found += [_delivery(one) for one in answer.received_messages]

    def close(self) -> None:
        """Close all connections."""
        self._publisher.transport.close()
        self._subscriber.transport.close()
        self._firestore.close()


def _batches(inputs: Sequence[Input]) -> Iterator[list[Input]]:
    batch: list[Input] = []
    room = REQUEST_BYTES
    for one in inputs:
        size = len(one.data) + sum(
            len(name.encode()) + len(value.encode()) + 16 for name, value in one.attributes.items()
        )
        if batch and size > room:
            yield batch
            batch, room = [], REQUEST_BYTES
        batch.append(one)
        room -= size
    if batch:
        yield batch


def _delivery(received: types.ReceivedMessage) -> Delivery:
    message = received.message
    return Delivery(
        message_id=message.message_id,
        lease_id=received.ack_id,
        data=message.data,
        attributes=dict(message.attributes),
        publish_time=message.publish_time.replace(tzinfo=UTC),
        attempt=received.delivery_attempt,
    )
