"""Feedback in one SQLite file, for a machine without a cloud. It means what Firestore's means.

Needs nothing: the file and its table are made at first use. Any number of processes on one machine may share it.
Expired feedback is removed a little at a time, whenever some is kept.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from services.embedded import Database, as_text, utc_now
from services.errors import StoreUnavailable
from services.storage.port import Document
from services.storage.sqlite_documents import as_json

SCHEMA = """
CREATE TABLE IF NOT EXISTS content_feedback (
    request_id TEXT PRIMARY KEY,
    expires_at TEXT,
    document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS content_feedback_expired ON content_feedback (expires_at);
CREATE INDEX IF NOT EXISTS content_feedback_students ON content_feedback (json_extract(document, '$.student_ref'));
"""

KEEP = "INSERT OR REPLACE INTO content_feedback VALUES (?, ?, ?)"

# More than one for each that is kept, so that they cannot pile up; few enough not to be felt.
REMOVE_EXPIRED = """
DELETE FROM content_feedback WHERE request_id IN (
    SELECT request_id FROM content_feedback WHERE expires_at <= ? ORDER BY expires_at LIMIT 10
)
"""


class SqliteFeedbackStore:
    """Keeps the latest opinion on every request. `now` decides what has expired."""

    def __init__(self, *, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._database = Database(path, schema=SCHEMA, unavailable=StoreUnavailable)
        self._now = now

    async def keep(self, request_id: str, document: Document) -> None:
        """Write the feedback on one request over what was there, and remove some of what has expired."""
        expires_at = document.get("expires_at")
        values = (request_id, as_text(expires_at) if expires_at else None, as_json(document))
        now = as_text(self._now())

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(REMOVE_EXPIRED, (now,))
            connection.execute(KEEP, values)

        await self._database.run(work)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()
