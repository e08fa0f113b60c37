"""Feedback in Firestore, one document for each request in the collection `content_feedback`.

What must exist: a Firestore database in Native mode (`gcloud firestore databases create`), and a TTL policy that
removes expired feedback, within about a day: `gcloud firestore fields ttls update expires_at
--collection-group=content_feedback --enable-ttl`. Whoever erases a student's data finds it by the index that Firestore
keeps on `student_ref` by itself, so that field must not be taken out of the indexes. Rights of the account that keeps
feedback: `roles/datastore.user`.

Credentials are Application Default Credentials. With `FIRESTORE_EMULATOR_HOST=host:port` the client talks to that
emulator, without credentials. Clients belong to the event loop that first used them: close them on it.
"""

import asyncio

from services.storage.firestore_calls import Firestore, Sleep
from services.storage.firestore_writes import put
from services.storage.port import Document

COLLECTION = "content_feedback"


class FirestoreFeedbackStore:
    """Keeps the latest opinion on every request. `sleep` waits between the tries of a call."""

    def __init__(self, *, project: str, database: str = "(default)", sleep: Sleep = asyncio.sleep) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)

    async def keep(self, request_id: str, document: Document) -> None:
        """Write the feedback on one request over what was there."""
        await put(self._firestore, f"{COLLECTION}/{request_id}", document)

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()
