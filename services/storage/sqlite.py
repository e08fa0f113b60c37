"""Results in one SQLite file, for a machine without a cloud. It means what Firestore means.

Needs nothing: the file and its table are made at first use. Any number of processes on one machine may
share it. Documents are JSON; times in them come back as timezone-aware datetimes.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from services.embedded import Database, as_text, as_time, utc_now
from services.errors import ClaimLost, StoreUnavailable
from services.storage.claims import claim_of, claimed, held, is_owned, taken_over
from services.storage.port import Busy, Claim, Document, Finished

# What is asked for stands in columns beside the document; `version` counts the writes.
SCHEMA = """
CREATE TABLE IF NOT EXISTS content_results (
    request_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    status TEXT,
    created_at TEXT,
    expires_at TEXT,
    document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS content_results_newest ON content_results (created_at);
"""

WRITE = """
INSERT INTO content_results VALUES (:request_id, 1, :status, :created_at, :expires_at, :document)
ON CONFLICT (request_id) DO UPDATE SET version = version + 1, status = excluded.status,
    created_at = excluded.created_at, expires_at = excluded.expires_at, document = excluded.document
RETURNING version
"""

GET = "SELECT document FROM content_results WHERE request_id = ? AND (expires_at IS NULL OR expires_at > ?)"

NEWEST = """
SELECT document FROM content_results
WHERE (expires_at IS NULL OR expires_at > :now) AND (:status IS NULL OR status = :status)
ORDER BY created_at DESC LIMIT :limit
"""

# JSON has no times. No field of a result has a name like this one.
TIME_TAG = "$time"


class SqliteResultStore:
    """Claims and results; each of its writes is one transaction."""

    def __init__(self, *, path: Path) -> None:
        self._database = _open(path)

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, expires_at: datetime
    ) -> Claim | Busy | Finished:
        """Own the request until `expires_at`."""

        def work(connection: sqlite3.Connection) -> Claim | Busy | Finished:
            stored = _find(connection, request_id)
            if stored is None:
                mine = claimed(document, owner=owner, expires_at=expires_at)
            elif answer := held(stored, now=now):
                return answer
            else:
                mine = taken_over(stored, document, owner=owner, expires_at=expires_at)
            return claim_of(request_id, mine, version=_write(connection, request_id, mine))

        return await self._database.run(work)

    async def extend(self, claim: Claim, *, expires_at: datetime) -> Claim:
        """Own the request until `expires_at`."""
        renewed = {"owner": claim.owner, "expires_at": expires_at}
        version = await self._write_as_owner(claim, lambda stored: {**stored, "claim": renewed})
        return replace(claim, expires_at=expires_at, version=version)

    async def complete(self, claim: Claim, document: Document) -> None:
        """Replace the document by the finished one and end the claim."""
        await self._write_as_owner(claim, lambda _: document)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def _write_as_owner(self, claim: Claim, change: Callable[[Document], Document]) -> int:
        def work(connection: sqlite3.Connection) -> int:
            stored = _find(connection, claim.request_id)
            if stored is None or not is_owned(stored, claim):
                raise ClaimLost("Another worker owns the request now.")
            return _write(connection, claim.request_id, change(stored))

        return await self._database.run(work)


class SqliteResultReader:
    """Reads results. `now` decides which of them have expired."""

    def __init__(self, *, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._database = _open(path)
        self._now = now

    async def get(self, request_id: str) -> Document | None:
        """One document, or None."""
        found = await self._select(GET, (request_id, as_text(self._now())))
        return found[0] if found else None

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Document]:
        """Documents by `created_at`, newest first."""
        return await self._select(NEWEST, {"now": as_text(self._now()), "status": status, "limit": limit})

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def _select(self, sql: str, values: Any) -> list[Document]:
        return await self._database.run(
            lambda connection: [_document(row) for row in connection.execute(sql, values)]
        )


def _open(path: Path) -> Database:
    return Database(path, schema=SCHEMA, unavailable=StoreUnavailable)


def _find(connection: sqlite3.Connection, request_id: str) -> Document | None:
    sql = "SELECT document FROM content_results WHERE request_id = ?"
    row = connection.execute(sql, (request_id,)).fetchone()
    return _document(row) if row else None


def _write(connection: sqlite3.Connection, request_id: str, document: Document) -> int:
    """Returns the new version."""
    times = {name: document.get(name) for name in ("created_at", "expires_at")}
    values = {
        "request_id": request_id,
        "status": document.get("status"),
        **{name: as_text(moment) if moment else None for name, moment in times.items()},
        "document": json.dumps(document, default=_tagged, ensure_ascii=False),
    }
    return int(connection.execute(WRITE, values).fetchone()["version"])


def _document(row: sqlite3.Row) -> Document:
    document: Document = json.loads(row["document"], object_hook=_untagged)
    return document


def _tagged(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {TIME_TAG: as_text(value)}
    raise TypeError(f"A result cannot hold a {type(value).__name__}.")


def _untagged(mapping: dict[str, Any]) -> Any:
    return as_time(mapping[TIME_TAG]) if mapping.keys() == {TIME_TAG} else mapping
