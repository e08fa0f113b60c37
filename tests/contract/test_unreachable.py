"""What every adapter does when what it needs is not there: it says so, soon, with what it tried and the fix."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from services.errors import ConfigurationError, ContentWorkerError, QueueUnavailable, StoreUnavailable
from services.messaging.port import Message
from services.storage.port import StudentDocument
from tests.contract.queues import TOPIC, PubSubQueues, Queues, SqliteQueues
from tests.contract.stores import MINUTE, NOON, FirestoreStores, SqliteStores, Stores, processing

BOUND_SECONDS = 60


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address that refuses connections: the port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """A path below a file, where nothing can be made."""
    file = tmp_path / "a-file"
    file.touch()
    return file / "worker.db"


@pytest.fixture(params=["sqlite", "pubsub"])
def lost_queues(
    request: pytest.FixtureRequest,
    no_folder: Path,
    closed_port: str,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Queues, type[ContentWorkerError]]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", closed_port)
    # A service that does not answer may come back; a path where nothing can be made will not.
    if request.param == "sqlite":
        return SqliteQueues(no_folder), ConfigurationError
    return PubSubQueues(project), QueueUnavailable


@pytest.fixture(params=["sqlite", "firestore"])
def lost_stores(
    request: pytest.FixtureRequest,
    no_folder: Path,
    closed_port: str,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Stores, type[ContentWorkerError]]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", closed_port)
    # A service that does not answer may come back; a path where nothing can be made will not.
    if request.param == "sqlite":
        return SqliteStores(no_folder), ConfigurationError
    return FirestoreStores(project), StoreUnavailable


def test_an_unreachable_queue_is_reported_within_a_bounded_time(
    lost_queues: tuple[Queues, type[ContentWorkerError]],
) -> None:
    lost, expected = lost_queues

    async def scenario() -> None:
        # Given
        queue, publisher, provisioner = (
            lost.queue(),
            lost.publisher(),
            lost.provisioner(),
        )
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: queue.pull(1, wait_seconds=0.1),
            lambda: publisher.publish(TOPIC, [Message(data=b"work")]),
            provisioner.provision,
            provisioner.verify,
        ]

        # When / Then
        async with asyncio.timeout(BOUND_SECONDS):
            for call in calls:
                with pytest.raises(expected, match=r"Check|WORKER_DATABASE"):
                    await call()

    lost.run(scenario)


def test_an_unreachable_store_is_reported_within_a_bounded_time(
    lost_stores: tuple[Stores, type[ContentWorkerError]],
) -> None:
    lost, expected = lost_stores

    async def scenario() -> None:
        # Given
        store, reader = lost.store(), lost.reader()
        feedback, students = lost.feedback(), lost.students()
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: store.claim("request-1", processing(), owner="w", now=NOON, lifetime=MINUTE),
            lambda: store.claim_debt("request-1", owner="w", now=NOON, lifetime=MINUTE),
            lambda: store.debts(1),
            lambda: store.announce("request-1", processing()),
            lambda: reader.get("request-1"),
            lambda: reader.newest(1),
            lambda: feedback.keep("request-1", {"rating": 5}),
            lambda: students.find(["a1b2"]),
            lambda: students.erase([StudentDocument(kind="result", request_id="request-1", status="failed")]),
        ]

        # When / Then
        async with asyncio.timeout(BOUND_SECONDS):
            for call in calls:
                with pytest.raises(expected, match=r"Check|WORKER_DATABASE"):
                    await call()

    lost.run(scenario)
