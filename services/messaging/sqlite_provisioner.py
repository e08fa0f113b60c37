"""Creates the topics and subscriptions of the embedded queue."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from services.messaging.sqlite_tables import check_topic, find_subscription, open_queue

INSERT = {
    "topic": "INSERT OR IGNORE INTO topics VALUES (?)",
    "subscription": "INSERT OR IGNORE INTO subscriptions VALUES (?, ?, ?)",
}


class SqliteProvisioner:
    """Creates topics and subscriptions in the file, or says that they are missing."""

    def __init__(
        self,
        *,
        path: Path,
        topic: str,
        subscription: str,
        dead_letter_topic: str,
        dead_letter_subscription: str,
    ) -> None:
        self._database = open_queue(path)
        self._topics = (topic, dead_letter_topic)
        self._subscriptions = (
            (dead_letter_subscription, dead_letter_topic, None),
            (subscription, topic, dead_letter_topic),
        )

    async def provision(self) -> Sequence[str]:
        """Create what is missing; returns a line for each thing."""
        return await self._database.run(self._provision)

    async def verify(self) -> None:
        """Raise `ConfigurationError` unless the pulled subscription and the dead-letter topic exist."""
        await self._database.run(self._verify)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    def _provision(self, connection: sqlite3.Connection) -> Sequence[str]:
        topics = [_ensure(connection, "topic", (name,)) for name in self._topics]
        return topics + [_ensure(connection, "subscription", row) for row in self._subscriptions]

    def _verify(self, connection: sqlite3.Connection) -> None:
        find_subscription(connection, self._subscriptions[1][0], "WORKER_SUBSCRIPTION")
        check_topic(connection, self._topics[1], "WORKER_DEAD_LETTER_TOPIC")


def _ensure(connection: sqlite3.Connection, kind: str, row: Sequence[str | None]) -> str:
    inserted = connection.execute(INSERT[kind], row).rowcount
    return f"SQLite {kind} {row[0]}: {'created' if inserted else 'already there'}"
