"""The message queue in one SQLite file, for a machine without a cloud. It means what Pub/Sub means.

Needs nothing: the file is made at first use, topics and subscriptions by `content-worker provision`. Any
number of processes on one machine may share it. Leases, redelivery with a new lease, delivery counts and
the dead-letter backstop are Pub/Sub's; given-back messages are available again at once, because there is no
retry policy.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from math import ceil
from operator import itemgetter
from pathlib import Path

from services.embedded import as_text, utc_now
from services.messaging.port import Delivery, Message
from services.messaging.sqlite_tables import (
    check_topic,
    delivery_of,
    find_subscription,
    insert,
    lease_key,
    move_to_dead_letters,
    open_queue,
)

ACK_DEADLINE_SECONDS = 60
MAX_DELIVERY_ATTEMPTS = 100  # as on Pub/Sub: the worker dead-letters long before, with the reason
POLL_SECONDS = 0.05

LEASE = """
UPDATE messages SET attempt = attempt + 1, available_at = :until WHERE id IN (
    SELECT id FROM messages WHERE subscription = :subscription AND available_at <= :now
    ORDER BY available_at, id LIMIT :limit
) RETURNING *
"""

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]


class SqliteQueue:
    """One subscription, pulled.

    `setting` is the variable that names the subscription, for error messages; `now` decides when leases end;
    `sleep` waits between two looks for messages.
    """

    def __init__(
        self,
        *,
        path: Path,
        subscription: str,
        setting: str = "WORKER_SUBSCRIPTION",
        now: Clock = utc_now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._database = open_queue(path)
        self._subscription = subscription
        self._setting = setting
        self._now = now
        self._sleep = sleep

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:
        """Lease up to `limit` messages for 60 s, looking every 50 ms for up to `wait_seconds`."""
        for _ in range(ceil(wait_seconds / POLL_SECONDS)):
            if found := await self._database.run(lambda connection: self._lease(connection, limit)):
                return found
            await self._sleep(POLL_SECONDS)
        return await self._database.run(lambda connection: self._lease(connection, limit))

    async def acknowledge(self, delivery: Delivery) -> None:
        """Say that the message is dealt with."""
        sql = "DELETE FROM messages WHERE id = ? AND attempt = ? AND available_at > ?"
        await self._database.write(sql, [(*lease_key(delivery.lease_id), as_text(self._now()))])

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        """Make the leases end `seconds` from now; 0 gives the messages back at once."""
        now = self._now()
        until = as_text(now + timedelta(seconds=seconds))
        sql = "UPDATE messages SET available_at = ? WHERE id = ? AND attempt = ? AND available_at > ?"
        rows = [(until, *lease_key(delivery.lease_id), as_text(now)) for delivery in deliveries]
        await self._database.write(sql, rows)

    async def close(self) -> None:
        """Close the file; leases still held end by themselves."""
        await self._database.close()

    def _lease(self, connection: sqlite3.Connection, limit: int) -> Sequence[Delivery]:
        subscription = find_subscription(connection, self._subscription, self._setting)
        now = self._now()
        values = {
            "subscription": self._subscription,
            "now": as_text(now),
            "until": as_text(now + timedelta(seconds=ACK_DEADLINE_SECONDS)),
            "limit": limit,
        }
        deliveries = []
        for row in sorted(connection.execute(LEASE, values).fetchall(), key=itemgetter("id")):
            if row["attempt"] > MAX_DELIVERY_ATTEMPTS and subscription["dead_letter_topic"]:
                move_to_dead_letters(connection, row, subscription["dead_letter_topic"], now)
            else:
                deliveries.append(delivery_of(row))
        return deliveries


class SqlitePublisher:
    """Puts messages on topics; a topic without subscriptions forgets them."""

    def __init__(self, *, path: Path, now: Clock = utc_now) -> None:
        self._database = open_queue(path)
        self._now = now

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        """Publish all messages, or none of them."""
        return await self._database.run(lambda connection: self._publish(connection, topic, messages))

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    def _publish(
        self, connection: sqlite3.Connection, topic: str, messages: Sequence[Message]
    ) -> Sequence[str]:
        check_topic(connection, topic, "WORKER_TOPIC and WORKER_DEAD_LETTER_TOPIC")
        return [insert(connection, topic, message, self._now()) for message in messages]
