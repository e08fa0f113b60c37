"""Witnesses inside the database file: triggers that note each settlement and each write, in the same transaction.

No part of the worker knows of them, and nothing can come between what happens and what is noted.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.embedded import as_time
from services.storage.sqlite_documents import from_json

SUBSCRIPTION = "worker"
DEAD_SUBSCRIPTION = "dead-review"

TRIGGERS = f"""
CREATE TABLE audit_removals (message_id TEXT, results TEXT, letters TEXT);
CREATE TRIGGER audit_removed AFTER DELETE ON messages WHEN old.subscription = '{SUBSCRIPTION}' BEGIN
    INSERT INTO audit_removals VALUES (
        old.message_id,
        (SELECT json_group_object(request_id, status) FROM content_results),
        (SELECT json_group_array(json(attributes)) FROM messages WHERE subscription = '{DEAD_SUBSCRIPTION}')
    );
END;
CREATE TABLE audit_writes (request_id TEXT, before TEXT, after TEXT);
CREATE TRIGGER audit_created AFTER INSERT ON content_results BEGIN
    INSERT INTO audit_writes VALUES (new.request_id, NULL, new.document);
END;
CREATE TRIGGER audit_changed AFTER UPDATE ON content_results BEGIN
    INSERT INTO audit_writes VALUES (new.request_id, old.document, new.document);
END;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """A message that left the queue; the status of every result, and every dead letter, at that moment."""

    message_id: str
    results: dict[str, str]
    letters: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """One change of a result document."""

    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """All that is left in the file at the end, and how it came about."""

    removals: list[Removal]
    writes: list[Write]
    waiting: list[str]
    letters: list[dict[str, str]]
    results: dict[str, dict[str, Any]]


class AuditedFile:
    """Reads the file of one run with a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def install(self) -> None:
        """Put the triggers into a file that has all its tables."""
        with self._open() as connection:
            connection.executescript(TRIGGERS)

    def comes_again_at(self) -> datetime | None:
        """When the next message of the queue can be delivered; None when there is none."""
        sql = f"SELECT MIN(available_at) FROM messages WHERE subscription = '{SUBSCRIPTION}'"
        with self._open() as connection:
            found = connection.execute(sql).fetchone()[0]
        return as_time(found) if found else None

    def document(self, request_id: str) -> dict[str, Any] | None:
        """What is stored for a request at this moment."""
        sql = "SELECT document FROM content_results WHERE request_id = ?"
        with self._open() as connection:
            row = connection.execute(sql, (request_id,)).fetchone()
        return from_json(row[0]) if row else None

    def answer_keys(self) -> set[str]:
        """The keys of all answers that are kept at this moment."""
        with self._open() as connection:
            return {key for (key,) in connection.execute("SELECT key FROM content_answers")}

    def audit(self) -> Audit:
        """Everything."""
        with self._open() as connection:
            return Audit(
                removals=[
                    Removal(message_id=message_id, results=json.loads(results), letters=json.loads(letters))
                    for message_id, results, letters in connection.execute("SELECT * FROM audit_removals")
                ],
                writes=[
                    Write(
                        request_id=key, before=from_json(before) if before else None, after=from_json(after)
                    )
                    for key, before, after in connection.execute("SELECT * FROM audit_writes")
                ],
                waiting=_messages(connection, "message_id", SUBSCRIPTION),
                letters=[json.loads(text) for text in _messages(connection, "attributes", DEAD_SUBSCRIPTION)],
                results={
                    key: from_json(text)
                    for key, text in connection.execute("SELECT request_id, document FROM content_results")
                },
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            yield connection


def _messages(connection: sqlite3.Connection, column: str, subscription: str) -> list[str]:
    sql = f"SELECT {column} FROM messages WHERE subscription = ?"
    return [value for (value,) in connection.execute(sql, (subscription,))]
