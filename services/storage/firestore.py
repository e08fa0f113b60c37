"""Results in Firestore, one document for each request in the collection `content_results`.

What must exist: a Firestore database in Native mode (`gcloud firestore databases create`), and for
`newest(status=…)` the composite index (`status` ascending, `created_at` descending) that Terraform
declares; a TTL policy on `expires_at` removes old documents. Rights of the account the worker runs as:
`roles/datastore.user`.

Credentials are Application Default Credentials. With `FIRESTORE_EMULATOR_HOST=host:port` the client talks
to that emulator, without credentials. Clients belong to the event loop that first used them: close them on
it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1 import FieldFilter

from services.errors import ClaimLost, StoreUnavailable
from services.storage.claims import claim_of, claimed, held, is_owned, taken_over
from services.storage.firestore_calls import ONE_TRY, Firestore, Sleep
from services.storage.port import Busy, Claim, Document, Finished

COLLECTION = "content_results"
CLAIM_ROUNDS = 5
OWNER_ROUNDS = 3

CONFLICTS = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    document: dict[str, Any]
    version: Any


class FirestoreResultStore:
    """Claims and results. An ordinary message costs two writes: a create and one conditional replacement.

    A claim is a document that exists; every later write is conditional on the document's last update time, so
    a stale owner's write fails in the database itself. `sleep` waits between the tries of a call.
    """

    def __init__(self, *, project: str, database: str = "(default)", sleep: Sleep = asyncio.sleep) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, expires_at: datetime
    ) -> Claim | Busy | Finished:
        """Own the request until `expires_at`; after a lost race the document is read again."""
        stored: _Stored | None = None
        unsure = False
        for _ in range(CLAIM_ROUNDS):
            mine = _wanted(document, stored, owner=owner, expires_at=expires_at)
            version, tries = await self._write(request_id, mine, over=stored and stored.version)
            if version:
                return claim_of(request_id, mine, version=version)
            # The conflict may be with an earlier try of our own, which landed although no answer came.
            unsure = unsure or tries > 1
            stored = await self._read(request_id)
            if stored and unsure and stored.document.get("claim") == mine["claim"]:
                return claim_of(request_id, stored.document, version=stored.version)
            if stored and (answer := held(stored.document, now=now)):
                return answer
        raise StoreUnavailable(f"{self._firestore}: others claimed the same request first, again and again.")

    async def extend(self, claim: Claim, *, expires_at: datetime) -> Claim:
        """Own the request until `expires_at`."""
        renewed = {"claim": {"owner": claim.owner, "expires_at": expires_at}}
        version = await self._write_as_owner(claim, renewed, only=["claim"])
        return replace(claim, expires_at=expires_at, version=version)

    async def complete(self, claim: Claim, document: Document) -> None:
        """Replace the document by the finished one and end the claim."""
        await self._write_as_owner(claim, document)

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()

    async def _write_as_owner(self, claim: Claim, document: Document, *, only: Sequence[str] = ()) -> Any:
        """Write, unless the request has changed hands. Our own lost answer is no reason to drop the work."""
        over = claim.version
        for _ in range(OWNER_ROUNDS):
            version, _tries = await self._write(claim.request_id, document, over=over, only=only)
            if version:
                return version
            stored = await self._read(claim.request_id)
            if stored and document.items() <= stored.document.items():
                return stored.version
            if not stored or not is_owned(stored.document, claim):
                break
            over = stored.version
        raise ClaimLost("Another worker owns the request now.")

    async def _write(
        self, request_id: str, document: Document, *, over: Any, only: Sequence[str] = ()
    ) -> tuple[Any, int]:
        """The new version, None after a conflict; and the number of tries it took."""
        tries = 0

        async def once() -> Any:
            nonlocal tries
            tries += 1
            try:
                return await self._firestore.write(
                    f"{COLLECTION}/{request_id}", document, over=over, only=only
                )
            except CONFLICTS:
                return None

        return await self._firestore.call(once), tries

    async def _read(self, request_id: str) -> _Stored | None:
        return await _read(self._firestore, request_id)


class FirestoreResultReader:
    """Reads results. `now` decides which of them have expired; `sleep` waits between the tries of a call."""

    def __init__(
        self,
        *,
        project: str,
        database: str = "(default)",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)
        self._now = now

    async def get(self, request_id: str) -> Document | None:
        """One document, or None."""
        stored = await _read(self._firestore, request_id)
        return stored.document if stored and self._is_alive(stored.document) else None

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Document]:
        """Documents by `created_at`, newest first; those that have expired count towards `limit` but are left out."""

        async def once() -> Any:
            query = self._firestore.client.collection(COLLECTION).order_by(
                "created_at", direction="DESCENDING"
            )
            if status:
                query = query.where(filter=FieldFilter("status", "==", status))
            return await query.limit(limit).get(**ONE_TRY)

        documents = [snapshot.to_dict() for snapshot in await self._firestore.call(once)]
        return [document for document in documents if self._is_alive(document)]

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()

    def _is_alive(self, document: Document) -> bool:
        expires_at = document.get("expires_at")
        return expires_at is None or expires_at > self._now()


async def _read(firestore: Firestore, request_id: str) -> _Stored | None:
    async def once() -> Any:
        return await firestore.client.collection(COLLECTION).document(request_id).get(**ONE_TRY)

    snapshot = await firestore.call(once)
    if not snapshot.exists:
        return None
    return _Stored(document=snapshot.to_dict(), version=snapshot.update_time.timestamp_pb())


def _wanted(
    document: Document, stored: _Stored | None, *, owner: str, expires_at: datetime
) -> dict[str, Any]:
    if stored is None:
        return claimed(document, owner=owner, expires_at=expires_at)
    return taken_over(stored.document, document, owner=owner, expires_at=expires_at)
