"""Results in one SQLite file, for a machine without a cloud. It means what Firestore means.

Needs nothing: the file and its table are made at first use. Any number of processes on one machine may
share it. Documents are JSON; times in them come back as timezone-aware datetimes.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.embedded import Database, as_text, utc_now
from services.errors import StoreUnavailable
from services.storage.claims import (
    Stored,
    announced,
    announced_again,
    claim_existing,
    claim_of,
    claimed,
    debt_claimed,
    is_held_by,
    may_be_repaid,
    new_lease,
    owned,
    renewed,
    taken_over,
)
from services.storage.port import NO_CHANGES, Busy, Claim, Document, Finished
from services.storage.sqlite_documents import as_json, from_json

# What is asked for stands in columns beside the document, or in an index on it, which a file of an earlier version gets
# when it is opened; `version` counts the writes.
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
CREATE INDEX IF NOT EXISTS content_results_debts ON content_results
    (json_extract(document, '$.debt.since."$time"')) WHERE json_extract(document, '$.debt.since."$time"') IS NOT NULL;
CREATE INDEX IF NOT EXISTS content_results_students ON content_results (json_extract(document, '$.student_ref'));
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

DEBTS = """
SELECT document, json_extract(document, '$.debt.since."$time"') AS since FROM content_results
WHERE since IS NOT NULL AND (expires_at IS NULL OR expires_at > :now)
ORDER BY since LIMIT :limit
"""


class SqliteResultStore:
    """Claims, results and debts; each of its writes is one transaction. `now` decides which debts have expired."""

    def __init__(self, *, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._database = _open(path)
        self._now = now

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | Busy | Finished:
        """Own the request for `lifetime`."""
        lease = new_lease(owner, now=now, lifetime=lifetime)

        def work(connection: sqlite3.Connection) -> Claim | Busy | Finished:
            stored = _find(connection, request_id)
            if stored is None:
                mine = claimed(document, lease)
            elif answer := claim_existing(request_id, stored, document, owner=owner, now=now):
                return answer
            else:
                mine = taken_over(stored.document, document, lease)
            return claim_of(request_id, mine, version=_write(connection, request_id, mine))

        return await self._database.run(work)

    async def extend(
        self, claim: Claim, *, now: datetime, lifetime: timedelta, changes: Document = NO_CHANGES
    ) -> Claim:
        """Own the request for `lifetime` from `now`."""
        fields = {**changes, "claim": new_lease(claim.owner, now=now, lifetime=lifetime)}

        def work(connection: sqlite3.Connection) -> Claim:
            stored = owned(_find(connection, claim.request_id), claim)
            version = _write(connection, claim.request_id, {**stored.document, **fields})
            return renewed(claim, fields, version=version)

        return await self._database.run(work)

    async def complete(self, claim: Claim, document: Document) -> None:
        """Replace the document by the finished one and end the claim."""

        def work(connection: sqlite3.Connection) -> None:
            stored = _find(connection, claim.request_id)
            if stored is None or stored.document != document:  # else an earlier call has written it
                owned(stored, claim)
                _write(connection, claim.request_id, document)

        await self._database.run(work)

    async def debts(self, limit: int) -> Sequence[Document]:
        """Documents with a debt, the oldest first."""
        return await _select(self._database, DEBTS, {"now": as_text(self._now()), "limit": limit})

    async def claim_debt(
        self, request_id: str, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | None:
        """Own a document with a debt."""
        lease = new_lease(owner, now=now, lifetime=lifetime)

        def work(connection: sqlite3.Connection) -> Claim | None:
            stored = _find(connection, request_id)
            if stored and is_held_by(owner, stored.document):
                return claim_of(request_id, stored.document, version=stored.version)
            if stored is None or not may_be_repaid(stored, now=now):
                return None
            mine = {**stored.document, **debt_claimed(stored.document, lease)}
            return claim_of(request_id, mine, version=_write(connection, request_id, mine))

        return await self._database.run(work)

    async def announce(self, request_id: str, document: Document) -> None:
        """Make visible that the request's message is on the way."""

        def work(connection: sqlite3.Connection) -> None:
            stored = _find(connection, request_id)
            mine = announced_again(stored.document, document) if stored else announced(document)
            if mine is not None:
                _write(connection, request_id, mine)

        await self._database.run(work)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()


class SqliteResultReader:
    """Reads results. `now` decides which of them have expired."""

    def __init__(self, *, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._database = _open(path)
        self._now = now

    async def get(self, request_id: str) -> Document | None:
        """One document, or None."""
        found = await _select(self._database, GET, (request_id, as_text(self._now())))
        return found[0] if found else None

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Document]:
        """Documents by `created_at`, newest first."""
        values = {"now": as_text(self._now()), "status": status, "limit": limit}
        return await _select(self._database, NEWEST, values)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()


def _open(path: Path) -> Database:
    return Database(path, schema=SCHEMA, unavailable=StoreUnavailable)


async def _select(database: Database, sql: str, values: Any) -> list[Document]:
    return await database.run(
        lambda connection: [from_json(row["document"]) for row in connection.execute(sql, values)]
    )


def _find(connection: sqlite3.Connection, request_id: str) -> Stored | None:
    sql = "SELECT document, version FROM content_results WHERE request_id = ?"
    row = connection.execute(sql, (request_id,)).fetchone()
    return Stored(document=from_json(row["document"]), version=row["version"]) if row else None


def _write(connection: sqlite3.Connection, request_id: str, document: Document) -> int:
    """Returns the new version."""
    times = {name: document.get(name) for name in ("created_at", "expires_at")}
    values = {
        "request_id": request_id,
        "status": document.get("status"),
        **{name: as_text(moment) if moment else None for name, moment in times.items()},
        "document": as_json(document),
    }
    return int(connection.execute(WRITE, values).fetchone()["version"])
