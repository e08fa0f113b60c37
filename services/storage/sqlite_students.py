"""What one SQLite file holds about a student. It means what Firestore's means.

Needs nothing: the file and its tables are made at first use. Any number of processes on one machine may share it.
SQLite marks as free what is deleted; the file may hold its bytes until they are used again, or until `VACUUM`.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from services.embedded import Database
from services.errors import StoreUnavailable
from services.storage import sqlite, sqlite_feedback
from services.storage.port import StudentDocument

FIND: dict[Literal["result", "feedback"], str] = {
    "result": """
        SELECT request_id, status FROM content_results WHERE json_extract(document, '$.student_ref') = ?
    """,
    "feedback": """
        SELECT request_id, NULL AS status FROM content_feedback WHERE json_extract(document, '$.student_ref') = ?
    """,
}

ERASE: dict[Literal["result", "feedback"], str] = {
    "result": "DELETE FROM content_results WHERE request_id = ?",
    "feedback": "DELETE FROM content_feedback WHERE request_id = ?",
}


class SqliteStudentData:
    """Finds and erases by handle."""

    def __init__(self, *, path: Path) -> None:
        schema = sqlite.SCHEMA + sqlite_feedback.SCHEMA
        self._database = Database(path, schema=schema, unavailable=StoreUnavailable)

    async def find(self, student_refs: Sequence[str]) -> Sequence[StudentDocument]:
        """Results and feedback of these handles."""

        def work(connection: sqlite3.Connection) -> list[StudentDocument]:
            return [
                StudentDocument(kind=kind, request_id=row["request_id"], status=row["status"])
                for kind, sql in FIND.items()
                for student_ref in student_refs
                for row in connection.execute(sql, (student_ref,))
            ]

        return await self._database.run(work)

    async def erase(self, documents: Sequence[StudentDocument]) -> None:
        """Delete them for good, all in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            for kind, sql in ERASE.items():
                connection.executemany(sql, _names(documents, kind))

        await self._database.run(work)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()


def _names(documents: Sequence[StudentDocument], kind: str) -> list[tuple[Any]]:
    return [(document.request_id,) for document in documents if document.kind == kind]
