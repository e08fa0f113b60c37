"""Google's emulators under Docker: they work, and whatever happens no container is left behind."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]  # ships no types
import pytest
from google.cloud.firestore_v1 import Client
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID

from tests.emulators import docker_emulator, google
from tests.emulators.google import Container, EmulatorsUnavailable, GoogleEmulators

pytestmark = [
    pytest.mark.emulators,
    pytest.mark.timeout(900),  # the first time the image, a gigabyte or more, is pulled
]


@pytest.fixture(scope="module")
def _image() -> None:
    """Skips where no engine answers or an image cannot be had, in CI too: not every runner has an engine."""
    try:
        docker_emulator.pull_images()
    except EmulatorsUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def engine(_image: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An engine with the image, on a machine where no Cloud SDK is installed and no emulator runs."""
    monkeypatch.setenv("CLOUDSDK_ROOT", os.fspath(tmp_path))
    with closing(docker.from_env()) as client:
        yield client


def containers(engine: Any) -> set[str]:
    """The ids of all containers that this process has made."""
    session = f"{LABEL_SESSION_ID}={SESSION_ID}"
    return {container.id for container in engine.containers.list(all=True, filters={"label": session})}


def test_messages_and_documents_survive_the_way_through_emulators_in_containers(
    engine: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given emulators that could be found nowhere else
    with GoogleEmulators() as hosts:
        assert len(containers(engine)) == 2
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", hosts.pubsub)
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", hosts.firestore)
        # When a message is published, and a document written
        with PublisherClient() as publisher, SubscriberClient() as subscriber:
            topic, subscription = f"projects/{project}/topics/some", f"projects/{project}/subscriptions/some"
            publisher.create_topic(name=topic)
            subscriber.create_subscription(name=subscription, topic=topic)
            publisher.publish(topic=topic, messages=[types.PubsubMessage(data=b"hello")])
            pulled = subscriber.pull(subscription=subscription, max_messages=1, timeout=30)
        with closing(Client(project=project)) as store:
            store.document("greetings/one").create({"text": "hello"})
            read = store.document("greetings/one").get().to_dict()
    # Then both are there, and afterwards the containers are not
    assert [received.message.data for received in pulled.received_messages] == [b"hello"]
    assert read == {"text": "hello"}
    assert containers(engine) == set()


def test_when_one_does_not_start_the_error_says_why_and_none_is_left(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an emulator that ends at once, after another one has started
    broken = Container(emulator="no-such-emulator", ready="never said")
    monkeypatch.setattr(google, "firestore_command", lambda _port: broken)
    # When both are started
    with pytest.raises(EmulatorsUnavailable, match="no-such-emulator emulator did not start") as caught:
        GoogleEmulators().start()
    # Then the error ends with what the container said, and neither is left
    assert str(caught.value).count("no-such-emulator") > 1
    assert containers(engine) == set()


def test_an_image_that_cannot_be_pulled_is_named(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_emulator, "IMAGE", "127.0.0.1:9/no/such:image")
    with pytest.raises(EmulatorsUnavailable, match=r"cannot pull 127\.0\.0\.1:9/no/such:image"):
        GoogleEmulators().start()
    assert containers(engine) == set()
