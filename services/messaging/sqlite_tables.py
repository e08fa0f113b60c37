"""The tables of the embedded queue, and the steps on them that more than one of its parts takes."""

import json
import sqlite3
import uuid
from datetime import datetime
from pathlib import Path

from services.embedded import Database, as_text, as_time
from services.errors import ConfigurationError, QueueUnavailable
from services.messaging.port import Delivery, Message

# A message is one row for each subscription of its topic. It is leased while `available_at` lies ahead and
# `attempt` is the lease's own: the next delivery raises `attempt`, and so makes all earlier leases stale.
SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS subscriptions (
    name TEXT PRIMARY KEY,
    topic TEXT NOT NULL,
    dead_letter_topic TEXT
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    message_id TEXT NOT NULL,
    data BLOB NOT NULL,
    attributes TEXT NOT NULL,
    publish_time TEXT NOT NULL,
    available_at TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    ordering_key TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (subscription, available_at);
"""

PUBLISH = """
INSERT INTO messages (subscription, message_id, data, attributes, publish_time, available_at, ordering_key)
SELECT name, :message_id, :data, :attributes, :now, :now, :ordering_key FROM subscriptions WHERE topic = :topic
"""


ADDED_COLUMNS = {"messages": {"ordering_key": "TEXT NOT NULL DEFAULT ''"}}
"""What a file of an earlier version gets when it is opened."""


def open_queue(path: Path) -> Database:
    """The file at `path`, with the tables of the queue."""
    return Database(path, schema=SCHEMA, added_columns=ADDED_COLUMNS, unavailable=QueueUnavailable)


def check_topic(connection: sqlite3.Connection, name: str, setting: str) -> None:
    """Raise `ConfigurationError` that names `setting` unless the topic exists."""
    if not connection.execute("SELECT 1 FROM topics WHERE name = ?", (name,)).fetchone():
        raise _missing("topic", name, setting)


def find_subscription(connection: sqlite3.Connection, name: str, setting: str) -> sqlite3.Row:
    """Its row. Raises `ConfigurationError` that names `setting` when there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM subscriptions WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise _missing("subscription", name, setting)
    return row


def _missing(kind: str, name: str, setting: str) -> ConfigurationError:
    fix = f"Check {setting}, or create it: content-worker provision."
    return ConfigurationError(f"The {kind} {name} does not exist in the embedded queue.", fix=fix)


def insert(connection: sqlite3.Connection, topic: str, message: Message, now: datetime) -> str:
    """Give each subscription of the topic a copy of the message; returns the message's id."""
    message_id = uuid.uuid4().hex
    row = {
        "topic": topic,
        "message_id": message_id,
        "data": message.data,
        "attributes": json.dumps(dict(message.attributes)),
        "ordering_key": message.ordering_key,
        "now": as_text(now),
    }
    connection.execute(PUBLISH, row)
    return message_id


def move_to_dead_letters(connection: sqlite3.Connection, row: sqlite3.Row, topic: str, now: datetime) -> None:
    """Do what Pub/Sub does past `max_delivery_attempts`, with the attributes that it adds."""
    attributes = {
        **json.loads(row["attributes"]),
        "CloudPubSubDeadLetterSourceDeliveryCount": str(row["attempt"] - 1),
        "CloudPubSubDeadLetterSourceSubscription": row["subscription"],
        "CloudPubSubDeadLetterSourceTopicPublishTime": row["publish_time"],
    }
    connection.execute("DELETE FROM messages WHERE id = ?", (row["id"],))
    letter = Message(data=row["data"], attributes=attributes, ordering_key=row["ordering_key"])
    insert(connection, topic, letter, now)


def lease_key(lease_id: str) -> tuple[int, int]:
    """The row and the attempt that a lease stands for."""
    row_id, attempt = lease_id.split("-")
    return int(row_id), int(attempt)


def delivery_of(row: sqlite3.Row) -> Delivery:
    """A row of `messages` as the port knows it."""
    return Delivery(
        message_id=row["message_id"],
        lease_id=f"{row['id']}-{row['attempt']}",
        data=row["data"],
        attributes=json.loads(row["attributes"]),
        publish_time=as_time(row["publish_time"]),
        attempt=row["attempt"],
        ordering_key=row["ordering_key"],
    )
