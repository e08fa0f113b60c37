"""The two stores of results and feedback, made in the same way, so that one test runs on both."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from google.cloud.firestore_v1 import AsyncClient

from services.storage.firestore import FirestoreResultReader, FirestoreResultStore
from services.storage.firestore_feedback import FirestoreFeedbackStore
from services.storage.firestore_stubs import FirestoreStubs
from services.storage.firestore_students import FirestoreStudentData
from services.storage.port import (
    DebtStore,
    Document,
    FeedbackStore,
    RequestAnnouncer,
    ResultReader,
    ResultStore,
    StudentData,
)
from services.storage.sqlite import SqliteResultReader, SqliteResultStore
from services.storage.sqlite_documents import from_json
from services.storage.sqlite_feedback import SqliteFeedbackStore
from services.storage.sqlite_students import SqliteStudentData
from tests.contract.clock import Clock
from tests.contract.parts import Parts

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

# A claim for so long has ended at once, by whatever clock a store goes: nobody has to wait for its end.
NO_TIME = timedelta(0)

REQUEST = "request-1"


class Store(ResultStore, DebtStore, RequestAnnouncer, Protocol):
    """What both implementations are."""


class Stores(Parts):
    """Makes stores and readers."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def store(self) -> Store:
        raise NotImplementedError

    def empty_store(self) -> Store:
        """Another store that knows none of the requests."""
        raise NotImplementedError

    def reader(self) -> ResultReader:
        raise NotImplementedError

    def feedback(self) -> FeedbackStore:
        raise NotImplementedError

    async def kept_feedback(self) -> dict[str, Document]:
        """All feedback that the database holds, by request id; read behind the store's back."""
        raise NotImplementedError

    def students(self) -> StudentData:
        raise NotImplementedError

    def count_writes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        """Start counting; the function returned tells how many writes reached the database since."""
        raise NotImplementedError


class SqliteStores(Stores):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def store(self) -> SqliteResultStore:
        return self.kept(SqliteResultStore(path=self.path, now=self.clock.now))

    def empty_store(self) -> SqliteResultStore:
        return self.kept(SqliteResultStore(path=self.path.with_name("other.db")))

    def reader(self) -> SqliteResultReader:
        return self.kept(SqliteResultReader(path=self.path, now=self.clock.now))

    def feedback(self) -> SqliteFeedbackStore:
        return self.kept(SqliteFeedbackStore(path=self.path, now=self.clock.now))

    async def kept_feedback(self) -> dict[str, Document]:
        with closing(sqlite3.connect(self.path)) as connection:
            rows = connection.execute("SELECT request_id, document FROM content_feedback")
            return {request_id: from_json(document) for request_id, document in rows}

    def students(self) -> SqliteStudentData:
        return self.kept(SqliteStudentData(path=self.path))

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
        return self._store_in(self.project)

    def empty_store(self) -> FirestoreResultStore:
        return self._store_in(f"{self.project}-other")

    def reader(self) -> FirestoreResultReader:
        return self.kept(
            FirestoreResultReader(project=self.project, now=self.clock.now, sleep=self.clock.sleep)
        )

    def feedback(self) -> FirestoreFeedbackStore:
        return self.kept(FirestoreFeedbackStore(project=self.project, sleep=self.clock.sleep))

    async def kept_feedback(self) -> dict[str, Document]:
        snapshots = AsyncClient(project=self.project).collection("content_feedback").stream()
        return {snapshot.id: snapshot.to_dict() async for snapshot in snapshots}

    def students(self) -> FirestoreStudentData:
        return self.kept(FirestoreStudentData(project=self.project, sleep=self.clock.sleep))

    def count_writes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
        commits: list[Any] = []
        commit = FirestoreStubs.commit

        async def counted(*args: Any, **kwargs: Any) -> Any:
            commits.append(args)
            return await commit(*args, **kwargs)

        monkeypatch.setattr(FirestoreStubs, "commit", counted)
        return lambda: len(commits)

    def _store_in(self, project: str) -> FirestoreResultStore:
        return self.kept(FirestoreResultStore(project=project, now=self.clock.now, sleep=self.clock.sleep))


def processing(**changes: Any) -> dict[str, Any]:
    """A document as a worker claims with it."""
    return {"status": "processing", "created_at": NOON, "student_ref": "a1b2", **changes}


def completed(**changes: Any) -> dict[str, Any]:
    """A document as a worker completes with it."""
    return {"status": "completed", "created_at": NOON, "attempt": 1, "nlu": {"topic_id": "motion"}, **changes}


def degraded(*, since: datetime = NOON, **changes: Any) -> dict[str, Any]:
    """A result that is to be given again."""
    return completed(debt={"since": since, "question": "Why is the sky blue?"}, **changes)


async def stored(reader: ResultReader, request_id: str = REQUEST) -> Document:
    """The document as it is."""
    document = await reader.get(request_id)
    assert document is not None
    return document
