"""A file that an earlier version has left is used as it is."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.embedded import as_text
from services.storage.port import Busy, Claim
from services.storage.sqlite import DEBTS
from tests.contract.stores import MINUTE, NOON, SqliteStores, processing

TABLE = """
CREATE TABLE content_results (
    request_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT, created_at TEXT, expires_at TEXT,
    document TEXT NOT NULL
);
CREATE INDEX content_results_newest ON content_results (created_at);
"""


@pytest.fixture
def stores(database_path: Path) -> SqliteStores:
    """The file holds one request that is being worked on, and one degraded result."""
    created_at = {"$time": as_text(NOON)}
    claim = {"owner": "worker-1", "expires_at": {"$time": as_text(NOON + MINUTE)}}
    documents: dict[str, dict[str, Any]] = {
        "running": {"status": "processing", "created_at": created_at, "attempt": 1, "claim": claim},
        "degraded": {
            "status": "completed",
            "created_at": created_at,
            "attempt": 1,
            "debt": {"since": created_at},
        },
    }
    database_path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database_path)) as connection, connection:
        connection.executescript(TABLE)
        for request_id, document in documents.items():
            row = (request_id, 1, document["status"], as_text(NOON), None, json.dumps(document))
            connection.execute("INSERT INTO content_results VALUES (?, ?, ?, ?, ?, ?)", row)
    return SqliteStores(database_path)


@pytest.mark.parametrize(("later", "expected"), [(timedelta(0), Busy), (MINUTE, Claim)])
def test_a_claim_of_an_earlier_version_expires_in_its_time(
    stores: SqliteStores, later: timedelta, expected: type
) -> None:
    async def scenario() -> None:
        # When
        answer = await stores.store().claim(
            "running", processing(), owner="claim-b", now=NOON + later, lifetime=MINUTE
        )

        # Then
        assert isinstance(answer, expected)

    stores.run(scenario)


def test_debts_that_were_there_before_are_found(stores: SqliteStores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()

        # When
        (debt,) = await store.debts(10)

        # Then
        assert debt["debt"]["since"] == NOON
        assert await store.claim_debt("degraded", owner="heal-a", now=NOON, lifetime=MINUTE) is not None

    stores.run(scenario)


def test_debts_are_found_by_their_index(stores: SqliteStores) -> None:
    async def scenario() -> None:
        # Given
        await stores.store().debts(1)

        # When
        with closing(sqlite3.connect(stores.path)) as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {DEBTS}", {"now": "", "limit": 1}).fetchall()

        # Then: in its order, with nothing left to sort
        assert [step[3] for step in plan] == ["SCAN content_results USING INDEX content_results_debts"]

    stores.run(scenario)
