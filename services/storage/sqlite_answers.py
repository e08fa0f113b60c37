"""Paid answers in one SQLite file, for a machine without a cloud. They mean what Firestore's mean.

Needs nothing: the file and its table are made at first use. Any number of processes on one machine may share it.
Expired answers are removed a few at a time, whenever one is kept.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from services.embedded import Database, as_text, utc_now
from services.errors import StoreUnavailable
from services.storage.port import Document
from services.storage.sqlite_documents import as_json, from_json

SCHEMA = """
CREATE TABLE IF NOT EXISTS content_answers (
    key TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS content_answers_expired ON content_answers (expires_at);
"""

FIND = "SELECT document FROM content_answers WHERE key = ? AND expires_at > ?"

KEEP = "INSERT OR REPLACE INTO content_answers VALUES (?, ?, ?)"

# More than one for each that is kept, so that they cannot pile up; few enough not to be felt.
REMOVE_EXPIRED = """
DELETE FROM content_answers WHERE key IN (
    SELECT key FROM content_answers WHERE expires_at <= ? ORDER BY expires_at LIMIT 10
)
"""


class SqlitePaidAnswers:
    """Finds and keeps answers. `now` decides what has expired."""

    def __init__(self, *, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._database = Database(path, schema=SCHEMA, unavailable=StoreUnavailable)
        self._now = now

    async def find(self, keys: Sequence[str]) -> Mapping[str, Document]:
        """Those that are there and have not expired, by key."""
        now = as_text(self._now())

        def work(connection: sqlite3.Connection) -> dict[str, Document]:
            rows = {key: connection.execute(FIND, (key, now)).fetchone() for key in keys}
            return {key: from_json(row["document"]) for key, row in rows.items() if row}

        return await self._database.run(work)

    async def keep(self, key: str, document: Document) -> None:
        """Store one, and remove some of those that have expired."""
        values = (key, as_json(document), as_text(document["expires_at"]))
        now = as_text(self._now())

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(REMOVE_EXPIRED, (now,))
            connection.execute(KEEP, values)

        await self._database.run(work)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()
