"""The collection `content_results`: its documents as they were read, conditional writes, and the two queries."""

from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1 import FieldFilter

from services.storage.claims import Stored
from services.storage.firestore_calls import ONE_TRY, Firestore
from services.storage.port import Document

COLLECTION = "content_results"

CONFLICTS = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound)


class ResultDocuments:
    """Reads and writes results; what they mean is not known here."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    async def read(self, request_id: str) -> Stored | None:
        """One document, or None.

        Its age is the read's time less that of the document's last change. The server sets both, and they may be
        compared: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#document. The emulator
        (1.19.9) keeps to that: in 300 reads right after a write the age was 1 to 17 ms.
        """
        snapshot = await self._get(self._collection().document(request_id))
        if not snapshot.exists:
            return None
        return Stored(
            document=snapshot.to_dict(),
            version=snapshot.update_time.timestamp_pb(),
            age=snapshot.read_time - snapshot.update_time,
        )

    async def write(
        self, request_id: str, document: Document, *, over: Any = None, only: Sequence[str] = ()
    ) -> Any:
        """Create it, or replace the version `over`, with `only` just these fields.

        Returns the new version, or None when the document is not as it was thought to be: perhaps because an
        earlier try landed although no answer came.
        """

        async def once() -> Any:
            try:
                return await self._firestore.write(
                    f"{COLLECTION}/{request_id}", document, over=over, only=only
                )
            except CONFLICTS:
                return None

        return await self._firestore.call(once)

    async def newest(self, limit: int, *, status: str | None) -> list[Document]:
        """Documents by `created_at`, newest first."""
        query = self._collection().order_by("created_at", direction="DESCENDING").limit(limit)
        if status:
            query = query.where(filter=FieldFilter("status", "==", status))
        return [snapshot.to_dict() for snapshot in await self._get(query)]

    async def debts(self, limit: int, *, after: Any = None) -> tuple[list[Document], Any]:
        """Documents that have a `debt.since`, the oldest first; and what to go on `after`, None at the end."""
        query = self._collection().order_by("debt.since").limit(limit)
        snapshots = await self._get(query.start_after(after) if after else query)
        rest = snapshots[-1] if len(snapshots) == limit else None
        return [snapshot.to_dict() for snapshot in snapshots], rest

    def _collection(self) -> Any:
        return self._firestore.client.collection(COLLECTION)

    async def _get(self, what: Any) -> Any:
        async def once() -> Any:
            return await what.get(**ONE_TRY)

        return await self._firestore.call(once)
