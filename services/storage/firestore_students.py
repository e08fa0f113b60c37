"""What Firestore holds about a student: the documents of `content_results` and `content_feedback` by `student_ref`.

What must exist: a Firestore database in Native mode (`gcloud firestore databases create`), with the index on
`student_ref` in both collections that Firestore keeps for every field by itself. Rights of the account that erases:
`roles/datastore.user`. Backups and point-in-time recovery, where they are switched on, keep what is erased here until
they expire.

Credentials are Application Default Credentials. With `FIRESTORE_EMULATOR_HOST=host:port` the client talks to that
emulator, without credentials. Clients belong to the event loop that first used them: close them on it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from google.cloud.firestore_v1 import FieldFilter

from services.storage.firestore_calls import ONE_TRY, Firestore, Sleep
from services.storage.firestore_documents import COLLECTION as RESULTS
from services.storage.firestore_feedback import COLLECTION as FEEDBACK
from services.storage.firestore_writes import delete
from services.storage.port import StudentDocument

COLLECTIONS: dict[Literal["result", "feedback"], str] = {"result": RESULTS, "feedback": FEEDBACK}

PAGE = 300
"""How many documents one request brings: of each its name and its status, some 200 bytes."""

MOST_REFS = 30
"""How many values one query may compare with: https://cloud.google.com/firestore/docs/query-data/queries"""


class FirestoreStudentData:
    """Finds and erases by handle. `sleep` waits between the tries of a call."""

    def __init__(self, *, project: str, database: str = "(default)", sleep: Sleep = asyncio.sleep) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)

    async def find(self, student_refs: Sequence[str]) -> Sequence[StudentDocument]:
        """Results and feedback of these handles; of each no more is read than its name and its status."""
        return [
            StudentDocument(kind=kind, request_id=snapshot.id, status=snapshot.to_dict().get("status"))
            for begin in range(0, len(student_refs), MOST_REFS)
            for kind in COLLECTIONS
            async for snapshot in self._snapshots(kind, student_refs[begin : begin + MOST_REFS])
        ]

    async def erase(self, documents: Sequence[StudentDocument]) -> None:
        """Delete them for good."""
        paths = [f"{COLLECTIONS[document.kind]}/{document.request_id}" for document in documents]
        await delete(self._firestore, paths)

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()

    async def _snapshots(
        self, kind: Literal["result", "feedback"], student_refs: Sequence[str]
    ) -> AsyncIterator[Any]:
        by_ref = FieldFilter("student_ref", "in", list(student_refs))
        query = self._firestore.client.collection(COLLECTIONS[kind]).where(filter=by_ref)
        query = query.select(["status"]).limit(PAGE)
        after = None
        while True:
            page = await self._get(query.start_after(after) if after else query)
            for snapshot in page:
                yield snapshot
            if len(page) < PAGE:
                return
            after = page[-1]

    async def _get(self, query: Any) -> Any:
        async def once() -> Any:
            return await query.get(**ONE_TRY)

        return await self._firestore.call(once)
