"""What the embedded queue adds to the contract: time, the dead-letter backstop, and a file shared by processes."""

import asyncio
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from services.embedded import Database
from services.errors import ConfigurationError, QueueUnavailable
from services.messaging.port import Message
from services.messaging.sqlite import ACK_DEADLINE_SECONDS, MAX_DELIVERY_ATTEMPTS, SqliteQueue
from services.messaging.sqlite_tables import SCHEMA, open_queue
from tests.contract.queues import TOPIC, SqliteQueues

PROCESSES = 4


@pytest.fixture
def queues(database_path: Path) -> SqliteQueues:
    return SqliteQueues(database_path)


async def filled(queues: SqliteQueues, *data: bytes) -> SqliteQueue:
    await queues.provisioner().provision()
    await queues.publisher().publish(TOPIC, [Message(data=each, attributes={"k": "v"}) for each in data])
    return queues.queue()


def test_a_message_comes_again_when_its_lease_has_expired(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, b"work")
        (first,) = await queue.pull(1, wait_seconds=0)

        # When
        queues.clock.advance(ACK_DEADLINE_SECONDS - 1)
        too_early = await queue.pull(1, wait_seconds=0)
        queues.clock.advance(1)
        (second,) = await queue.pull(1, wait_seconds=0)

        # Then
        assert not too_early
        assert second.message_id == first.message_id
        assert second.lease_id != first.lease_id
        assert second.attempt == 2

    queues.run(scenario)


def test_an_expired_lease_can_neither_ack_nor_extend(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, b"work")
        (expired,) = await queue.pull(1, wait_seconds=0)
        queues.clock.advance(ACK_DEADLINE_SECONDS)

        # When
        await queue.extend([expired], seconds=600)
        await queue.acknowledge(expired)

        # Then
        assert len(await queue.pull(1, wait_seconds=0)) == 1

    queues.run(scenario)


def test_an_extended_lease_ends_when_it_was_told_to(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, b"work")
        leased = await queue.pull(1, wait_seconds=0)

        # When
        await queue.extend(leased, seconds=100)

        # Then
        queues.clock.advance(99)
        assert not await queue.pull(1, wait_seconds=0)
        queues.clock.advance(1)
        assert len(await queue.pull(1, wait_seconds=0)) == 1

    queues.run(scenario)


def test_a_waiting_pull_gets_what_is_published_meanwhile(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given: somebody publishes while the puller sleeps
        await filled(queues)
        publisher = queues.publisher()

        async def publish_instead(_seconds: float) -> None:
            await publisher.publish(TOPIC, [Message(data=b"late")])

        queue = queues.kept(
            SqliteQueue(
                path=queues.path,
                subscription="requests-worker",
                now=queues.clock.now,
                sleep=publish_instead,
            )
        )

        # When
        deliveries = await queue.pull(1, wait_seconds=60)

        # Then
        assert [delivery.data for delivery in deliveries] == [b"late"]

    queues.run(scenario)


def test_a_message_that_nobody_can_settle_ends_as_a_dead_letter(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, b"poison")
        for attempt in range(1, MAX_DELIVERY_ATTEMPTS + 1):
            (delivery,) = await queue.pull(1, wait_seconds=0)
            assert delivery.attempt == attempt
            await queue.extend([delivery], seconds=0)

        # When
        last = await queue.pull(1, wait_seconds=0)

        # Then
        assert not last
        (letter,) = await queues.dead_letters().pull(5, wait_seconds=0)
        assert letter.data == b"poison"
        assert letter.attributes["k"] == "v"
        assert letter.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == str(MAX_DELIVERY_ATTEMPTS)
        assert letter.attributes["CloudPubSubDeadLetterSourceSubscription"] == "requests-worker"

    queues.run(scenario)


DRAIN = """
import asyncio, sys
from pathlib import Path
from services.messaging.sqlite import SqliteQueue

async def drain():
    queue = SqliteQueue(path=Path(sys.argv[1]), subscription="requests-worker")
    while deliveries := await queue.pull(3, wait_seconds=0.2):
        for delivery in deliveries:
            print(delivery.data.decode())
            await queue.acknowledge(delivery)
    await queue.close()

asyncio.run(drain())
"""


BEFORE_ORDERING_KEYS = """
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, message_id TEXT NOT NULL,
    data BLOB NOT NULL, attributes TEXT NOT NULL, publish_time TEXT NOT NULL, available_at TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0);
INSERT INTO messages VALUES (1, 'content-requests-worker', 'm-1', 'old', '{}',
    '2026-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00', 0);
"""


def test_a_file_from_before_ordering_keys_is_taken_over_by_all_who_open_it_at_once(
    database_path: Path,
) -> None:
    # Given a file of an earlier version with a message in it
    database_path.parent.mkdir()
    with closing(sqlite3.connect(database_path)) as connection:
        connection.executescript(BEFORE_ORDERING_KEYS)

    async def scenario() -> None:
        # When several open it at the same moment
        openers = [open_queue(database_path) for _ in range(8)]
        found = await asyncio.gather(*(one.run(_messages) for one in openers))
        for one in openers:
            await one.close()
        # Then all of them see the message, which has no key
        assert found == [[("m-1", "")]] * 8

    asyncio.run(scenario())


def _messages(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return [tuple(row) for row in connection.execute("SELECT message_id, ordering_key FROM messages")]


def test_processes_that_share_the_file_share_the_work(queues: SqliteQueues) -> None:
    # Given
    async def fill() -> None:
        await filled(queues, *(f"message {number}".encode() for number in range(100)))

    queues.run(fill)

    # When
    command = [sys.executable, "-c", DRAIN, str(queues.path)]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        for _ in range(PROCESSES)
    ]
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]

    # Then
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    assert Counter(line for output in outputs for line in output.splitlines()) == Counter(
        f"message {number}" for number in range(100)
    )


def test_nobody_writes_between_the_reads_and_the_writes_of_one_piece_of_work(database_path: Path) -> None:
    async def scenario() -> None:
        # Given
        database = Database(database_path, schema=SCHEMA, unavailable=QueueUnavailable)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("SELECT * FROM topics").fetchall()

            # When
            with closing(sqlite3.connect(database_path, timeout=0)) as other:
                other.execute("INSERT INTO topics VALUES ('in between')")

        # Then
        with pytest.raises(QueueUnavailable, match="locked"):
            await database.run(work)
        await database.close()

    asyncio.run(scenario())


def test_a_file_that_stays_locked_is_reported_with_path_and_fix(
    queues: SqliteQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given
        monkeypatch.setattr("services.embedded.BUSY_TIMEOUT_SECONDS", 0.01)
        await filled(queues)
        queue = queues.queue()
        with closing(sqlite3.connect(queues.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            # When
            with pytest.raises(QueueUnavailable) as caught:
                await queue.pull(1, wait_seconds=0)

        # Then: and works again once it is free
        assert str(queues.path) in caught.value.message
        assert "Another process" in caught.value.message
        assert not await queue.pull(1, wait_seconds=0)

    queues.run(scenario)


def test_a_file_that_is_no_database_is_reported_with_path_and_fix(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given
        queues.path.parent.mkdir(parents=True)
        queues.path.write_text("This is a letter to my grandmother, not a database. " * 100)

        # When
        with pytest.raises(ConfigurationError) as caught:
            await queues.queue().pull(1, wait_seconds=0)

        # Then
        assert str(queues.path) in caught.value.message
        assert "no SQLite database" in caught.value.fix

    queues.run(scenario)
