"""Looking at queue and store with Google's own clients, as a stranger to the worker would.

The clients get their channels from here and not from the environment, so that scenarios can run side by side.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
from google.api_core import exceptions
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from tests.emulators.google import EmulatorHosts

TOPIC = "content-requests"
SUBSCRIPTION = "content-requests-worker"
DEAD_LETTERS = "content-requests-dead-review"
RESULTS = "content_results"

_AT_ONCE = 500
_CALL_SECONDS = 60.0
_LAST_PULL_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What matters of a result document. `written_at` is Firestore's own time of the last write."""

    request_id: str
    status: str
    mode: str | None
    written_at: datetime


class Cloud:
    """One project on the emulators. Its clients connect past everything that a scenario does to the workers."""

    def __init__(self, hosts: EmulatorHosts, project: str) -> None:
        self._project = project
        pubsub, firestore = grpc.insecure_channel(hosts.pubsub), grpc.insecure_channel(hosts.firestore)
        self._channels = (pubsub, firestore)
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=pubsub))
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=pubsub))
        self._firestore = FirestoreClient(transport=FirestoreGrpcTransport(channel=firestore))

    def publish(self, bodies: Iterable[bytes]) -> None:
        """Put messages on the topic of the requests."""
        messages = [types.PubsubMessage(data=body, attributes={"from": "conformance"}) for body in bodies]
        topic = f"projects/{self._project}/topics/{TOPIC}"
        for begin in range(0, len(messages), _AT_ONCE):
            batch = messages[begin : begin + _AT_ONCE]
            self._publisher.publish(topic=topic, messages=batch, timeout=_CALL_SECONDS)

    def shorten_leases(self, seconds: int) -> None:
        """Let a pulled message come back after so long, unless its lease is renewed."""
        wanted = types.Subscription(name=self._subscription(SUBSCRIPTION), ack_deadline_seconds=seconds)
        self._subscriber.update_subscription(
            subscription=wanted, update_mask={"paths": ["ack_deadline_seconds"]}, timeout=_CALL_SECONDS
        )

    def results(self) -> dict[str, Result]:
        """All result documents, by request id."""
        request: dict[str, Any] = {
            "parent": f"projects/{self._project}/databases/(default)/documents",
            "collection_id": RESULTS,
            "page_size": _AT_ONCE,
            "mask": {"field_paths": ["status", "mode"]},
        }
        found = [
            _result(one) for one in self._firestore.list_documents(request=request, timeout=_CALL_SECONDS)
        ]
        return {result.request_id: result for result in found}

    def finished(self) -> dict[str, Result]:
        """Those that are not `processing` any more."""
        return {key: found for key, found in self.results().items() if found.status != "processing"}

    def dead(self) -> list[str]:
        """The request ids of all dead letters, "" where they could not be read; reading takes them out."""
        return [letter.attributes.get("request_id", "") for letter in self.letters()]

    def letters(self) -> list[types.PubsubMessage]:
        """All dead letters; reading takes them out."""
        return self._drain(DEAD_LETTERS)

    def left_in_queue(self) -> list[types.PubsubMessage]:
        """The requests that somebody could still pull; reading takes them out."""
        return self._drain(SUBSCRIPTION)

    def close(self) -> None:
        """Close all connections."""
        for channel in self._channels:
            channel.close()

    def _drain(self, name: str) -> list[types.PubsubMessage]:
        path = self._subscription(name)
        found: list[types.PubsubMessage] = []
        while True:
            pulled = None
            with suppress(exceptions.DeadlineExceeded):
                pulled = self._subscriber.pull(
                    subscription=path, max_messages=_AT_ONCE, timeout=_LAST_PULL_SECONDS, retry=None
                )
            if not pulled or not pulled.received_messages:
                return found
            self._subscriber.acknowledge(
                subscription=path, ack_ids=[received.ack_id for received in pulled.received_messages]
            )
            found += [received.message for received in pulled.received_messages]

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{name}"


def _result(document: Any) -> Result:
    return Result(
        request_id=document.name.rpartition("/")[2],
        status=document.fields["status"].string_value,
        mode=document.fields["mode"].string_value if "mode" in document.fields else None,
        written_at=document.update_time,
    )
