"""The two result stores, made in the same way, so that one test runs on both."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient

from services.storage.firestore import FirestoreResultReader, FirestoreResultStore
from services.storage.port import ResultReader, ResultStore
from services.storage.sqlite import SqliteResultReader, SqliteResultStore
from tests.contract.clock import Clock
from tests.contract.parts import Parts

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Stores(Parts):
    """Makes stores and readers."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def store(self) -> ResultStore:
        raise NotImplementedError

    def empty_store(self) -> ResultStore:
        """Another store that knows none of the requests."""
        raise NotImplementedError

    def reader(self) -> ResultReader:
        raise NotImplementedError

    def count_writes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        """Start counting; the function returned tells how many writes reached the database since."""
        raise NotImplementedError


class SqliteStores(Stores):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def store(self) -> SqliteResultStore:
        return self.kept(SqliteResultStore(path=self.path))

    def empty_store(self) -> SqliteResultStore:
        return self.kept(SqliteResultStore(path=self.path.with_name("other.db")))

    def reader(self) -> SqliteResultReader:
        return self.kept(SqliteResultReader(path=self.path, now=self.clock.now))

    def count_writes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        def total() -> int:
            with closing(sqlite3.connect(self.path)) as connection:
                (found,) = connection.execute("SELECT sum(version) FROM content_results").fetchone()
                return int(found)

        return total


class FirestoreStores(Stores):
    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def store(self) -> FirestoreResultStore:
        return self.kept(FirestoreResultStore(project=self.project, sleep=self.clock.sleep))

    def empty_store(self) -> FirestoreResultStore:
        other = f"{self.project}-other"
        return self.kept(FirestoreResultStore(project=other, sleep=self.clock.sleep))

    def reader(self) -> FirestoreResultReader:
        return self.kept(
            FirestoreResultReader(project=self.project, now=self.clock.now, sleep=self.clock.sleep)
        )

    def count_writes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        commits: list[Any] = []
        commit = FirestoreAsyncClient.commit

        async def counted(*args: Any, **kwargs: Any) -> Any:
            commits.append(kwargs)
            return await commit(*args, **kwargs)

        monkeypatch.setattr(FirestoreAsyncClient, "commit", counted)
        return lambda: len(commits)


def processing(**changes: Any) -> dict[str, Any]:
    """A document as a worker claims with it."""
    return {"status": "processing", "created_at": NOON, "student_ref": "a1b2", **changes}


def completed(**changes: Any) -> dict[str, Any]:
    """A document as a worker completes with it."""
    return {"status": "completed", "created_at": NOON, "attempt": 1, "nlu": {"topic_id": "motion"}, **changes}
