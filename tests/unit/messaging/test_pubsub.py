import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

from services.channel_options import KEEPALIVE, TO_EMULATOR
from services.errors import ConfigurationError, PermanentError, QueueUnavailable
from services.messaging.port import Message
from services.messaging.pubsub import ACK_ATTEMPTS, PubSubPublisher, PubSubQueue, publish_batches
from services.messaging.pubsub_calls import publisher_client, subscriber_client, subscription_of, translated
from tests.builders import delivery
from tests.unit.google_errors import denied

SUBSCRIPTION = subscription_of("school", "requests-worker", "WORKER_SUBSCRIPTION")

UNAVAILABLE = [
    exceptions.ServiceUnavailable("down"),
    exceptions.DeadlineExceeded("late"),
    exceptions.InternalServerError("oops"),
    exceptions.ResourceExhausted("too many"),
    exceptions.Aborted("again"),
    exceptions.Unknown("?"),
    exceptions.Cancelled("stopped"),
]


@pytest.fixture(autouse=True)
def _emulator_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients can be made; nothing listens there, and no test calls it."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")


def answering(monkeypatch: pytest.MonkeyPatch, client: type, method: str, *answers: Any) -> list[Any]:
    """Replace one method of Google's client by these answers; returns the requests it got."""
    requests: list[Any] = []
    left = iter(answers)

    async def answer(_self: object, *, request: Any, **_options: Any) -> Any:
        requests.append(request)
        result = next(left)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(client, method, answer)
    return requests


@pytest.mark.parametrize("error", UNAVAILABLE, ids=lambda error: type(error).__name__)
def test_errors_that_may_pass_mean_that_the_queue_is_unavailable(error: Exception) -> None:
    # When
    with pytest.raises(QueueUnavailable) as caught, translated(SUBSCRIPTION):
        raise error

    # Then
    assert "requests-worker" in caught.value.message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (exceptions.NotFound("no"), "WORKER_SUBSCRIPTION"),
        (exceptions.NotFound("no"), "content-worker provision"),
        (denied("IAM_PERMISSION_DENIED"), "roles/pubsub.subscriber"),
        (denied("SERVICE_DISABLED"), "gcloud services enable pubsub.googleapis.com --project school"),
        (exceptions.InvalidArgument("Invalid name"), "WORKER_SUBSCRIPTION"),
        (exceptions.FailedPrecondition("Subscription is detached"), "WORKER_SUBSCRIPTION"),
        (exceptions.Unauthenticated("token"), "gcloud auth application-default login"),
        (RefreshError("expired"), "gcloud auth application-default login"),
    ],
)
def test_errors_that_a_person_must_mend_come_with_the_fix(error: Exception, fix: str) -> None:
    # When
    with pytest.raises(ConfigurationError) as caught, translated(SUBSCRIPTION):
        raise error

    # Then
    assert fix in caught.value.fix


def test_missing_credentials_are_an_operators_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST")
    queue = PubSubQueue(project="school", subscription="requests-worker")

    # When
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(queue.pull(1, wait_seconds=0.1))

    # Then
    assert "credentials" in caught.value.message
    assert "gcloud auth application-default login" in caught.value.fix


@pytest.mark.parametrize("sign", [None, exceptions.PermissionDenied("not to be looked at")])
def test_a_pull_that_runs_out_of_time_at_a_service_that_answers_has_found_nothing(
    monkeypatch: pytest.MonkeyPatch, sign: Exception | None
) -> None:
    # Given
    answering(monkeypatch, SubscriberAsyncClient, "pull", exceptions.DeadlineExceeded("nothing came"))
    answering(monkeypatch, SubscriberAsyncClient, "get_subscription", sign)
    queue = PubSubQueue(project="school", subscription="requests-worker")

    # When / Then
    assert asyncio.run(using(queue, lambda: queue.pull(1, wait_seconds=0.1))) == []


def test_a_queue_that_answers_nothing_at_all_is_not_taken_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    for method in ("pull", "get_subscription"):
        answering(monkeypatch, SubscriberAsyncClient, method, exceptions.DeadlineExceeded("silence"))
    queue = PubSubQueue(project="school", subscription="requests-worker")

    # When / Then
    with pytest.raises(QueueUnavailable):
        asyncio.run(using(queue, lambda: queue.pull(1, wait_seconds=0.1)))


async def using(part: Any, call: Callable[[], Any]) -> Any:
    try:
        return await call()
    finally:
        await part.close()


async def no_sleep(_seconds: float) -> None:
    return


def test_an_ack_is_tried_again_when_the_service_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    down = exceptions.ServiceUnavailable("down")
    requests = answering(monkeypatch, SubscriberAsyncClient, "acknowledge", down, down, None)
    queue = PubSubQueue(project="school", subscription="requests-worker", sleep=no_sleep)

    # When
    asyncio.run(using(queue, lambda: queue.acknowledge(delivery())))

    # Then
    assert [list(request.ack_ids) for request in requests] == [["lease-1"]] * 3


def test_an_ack_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    down = exceptions.ServiceUnavailable("down")
    requests = answering(monkeypatch, SubscriberAsyncClient, "acknowledge", *[down] * 9)
    queue = PubSubQueue(project="school", subscription="requests-worker", sleep=no_sleep)

    # When
    with pytest.raises(QueueUnavailable):
        asyncio.run(using(queue, lambda: queue.acknowledge(delivery())))

    # Then
    assert len(requests) == ACK_ATTEMPTS


def test_a_stale_lease_under_exactly_once_delivery_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    stale = exceptions.InvalidArgument("")
    answering(monkeypatch, SubscriberAsyncClient, "acknowledge", stale)
    queue = PubSubQueue(project="school", subscription="requests-worker", sleep=no_sleep)

    # When / Then
    asyncio.run(using(queue, lambda: queue.acknowledge(delivery())))


def test_a_message_that_is_refused_is_a_permanent_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    answering(monkeypatch, PublisherAsyncClient, "publish", exceptions.InvalidArgument("too large"))
    publisher = PubSubPublisher(project="school")

    # When / Then
    with pytest.raises(PermanentError, match="too large"):
        asyncio.run(using(publisher, lambda: publisher.publish("requests", [Message(data=b"x")])))


@pytest.mark.parametrize("seconds", [-1, 601])
def test_a_lease_cannot_be_longer_than_pubsub_allows(seconds: int) -> None:
    # Given
    queue = PubSubQueue(project="school", subscription="requests-worker")

    # When / Then
    with pytest.raises(ValueError, match="0 to 600"):
        asyncio.run(queue.extend([delivery()], seconds=seconds))


def test_batches_keep_the_order_and_the_limits() -> None:
    # Given
    small = [Message(data=b"%d" % number) for number in range(1500)]
    large = [Message(data=bytes(4_000_000), attributes={"n": str(number)}) for number in range(3)]

    # When
    batches = list(publish_batches([*small, *large]))

    # Then
    assert [message for batch in batches for message in batch] == [*small, *large]
    assert [len(batch) for batch in batches] == [1000, 502, 1]


@pytest.mark.parametrize("client", [publisher_client, subscriber_client])
def test_connections_to_an_emulator_are_kept_alive_like_those_to_the_service(
    client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given where an emulator is
    opened, real = [], grpc.aio.insecure_channel

    def insecure_channel(target: str, *, options: Any) -> grpc.aio.Channel:
        opened.append((target, dict(options)))
        return real(target, options=options)

    monkeypatch.setattr(grpc.aio, "insecure_channel", insecure_channel)

    async def run() -> None:
        await client("127.0.0.1:9").transport.close()

    # When a client is made
    asyncio.run(run())
    # Then its channel pings, takes answers of any size, and knows no proxy
    ((target, options),) = opened
    assert target == "127.0.0.1:9"
    assert options == dict(TO_EMULATOR)
    assert dict(KEEPALIVE).items() <= options.items()
    assert options["grpc.enable_http_proxy"] == 0


def test_a_request_holds_messages_of_one_ordering_key_in_their_order() -> None:
    messages = [Message(data=b"q", ordering_key=key) for key in ("a", "a", "b", "", "", "a")]
    batches = list(publish_batches(messages))
    assert [[message.ordering_key for message in batch] for batch in batches] == [
        ["a", "a"],
        ["b"],
        ["", ""],
        ["a"],
    ]
