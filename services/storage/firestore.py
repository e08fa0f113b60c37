"""Results in Firestore, one document for each request in the collection `content_results`.

What must exist: a Firestore database in Native mode (`gcloud firestore databases create`), and for
`newest(status=…)` the composite index (`status` ascending, `created_at` descending) that Terraform
declares; `debts` needs the index on `debt.since` that Firestore keeps for every field by itself. A TTL policy on
`expires_at` removes old documents. Rights of the account the worker runs as: `roles/datastore.user`.

Credentials are Application Default Credentials. With `FIRESTORE_EMULATOR_HOST=host:port` the client talks
to that emulator, without credentials. Clients belong to the event loop that first used them: close them on
it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.errors import StoreUnavailable
from services.storage.claims import (
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
from services.storage.firestore_calls import Firestore, Sleep
from services.storage.firestore_documents import ResultDocuments
from services.storage.port import NO_CHANGES, Busy, Claim, Document, Finished

CLAIM_ROUNDS = 5
OWNER_ROUNDS = 3


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FirestoreResultStore:
    """Claims, results and debts. An ordinary message costs two writes: a create and one conditional replacement.

    One that was announced costs one more, and a read.

    A claim is a document that exists; every later write is conditional on the document's last update time, so
    a stale owner's write fails in the database itself. Whether a claim has expired is decided on the server's
    clock. `now` decides which debts have expired; `sleep` waits between the tries of a call.
    """

    def __init__(
        self,
        *,
        project: str,
        database: str = "(default)",
        now: Callable[[], datetime] = _utc_now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)
        self._documents = ResultDocuments(self._firestore)
        self._now = now

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | Busy | Finished:
        """Own the request for `lifetime`; after a lost race the document is read again."""
        lease = new_lease(owner, now=now, lifetime=lifetime)
        mine, over = claimed(document, lease), None
        for _ in range(CLAIM_ROUNDS):
            if version := await self._documents.write(request_id, mine, over=over):
                return claim_of(request_id, mine, version=version)
            stored = await self._documents.read(request_id)
            if stored is None:
                mine, over = claimed(document, lease), None
            elif answer := claim_existing(request_id, stored, document, owner=owner, now=now):
                return answer
            else:
                mine, over = taken_over(stored.document, document, lease), stored.version
        raise self._outrun()

    async def extend(
        self, claim: Claim, *, now: datetime, lifetime: timedelta, changes: Document = NO_CHANGES
    ) -> Claim:
        """Own the request for `lifetime` from `now`."""
        fields = {**changes, "claim": new_lease(claim.owner, now=now, lifetime=lifetime)}
        version = await self._write_as_owner(claim, fields, only=list(fields))
        return renewed(claim, fields, version=version)

    async def complete(self, claim: Claim, document: Document) -> None:
        """Replace the document by the finished one and end the claim."""
        await self._write_as_owner(claim, document)

    async def debts(self, limit: int) -> Sequence[Document]:
        """Documents with a debt, the oldest first."""
        # Expired documents are read past: they are among the oldest, and may be there for days.
        living: list[Document] = []
        after = None
        while len(living) < limit:
            documents, after = await self._documents.debts(limit, after=after)
            living += _living(documents, now=self._now())
            if after is None:
                break
        return living[:limit]

    async def claim_debt(
        self, request_id: str, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | None:
        """Own a document with a debt."""
        lease = new_lease(owner, now=now, lifetime=lifetime)
        for _ in range(CLAIM_ROUNDS):
            stored = await self._documents.read(request_id)
            if stored and is_held_by(owner, stored.document):
                return claim_of(request_id, stored.document, version=stored.version)
            if stored is None or not may_be_repaid(stored, now=now):
                return None
            fields = debt_claimed(stored.document, lease)
            version = await self._documents.write(request_id, fields, over=stored.version, only=list(fields))
            if version:
                return claim_of(request_id, {**stored.document, **fields}, version=version)
        raise self._outrun()

    async def announce(self, request_id: str, document: Document) -> None:
        """Make visible that the request's message is on the way; after a lost race the document is read again."""
        mine, over = announced(document), None
        for _ in range(CLAIM_ROUNDS):
            if await self._documents.write(request_id, mine, over=over):
                return
            stored = await self._documents.read(request_id)
            if stored is None:
                mine, over = announced(document), None
            elif again := announced_again(stored.document, document):
                mine, over = again, stored.version
            else:
                return
        raise self._outrun()

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()

    async def _write_as_owner(self, claim: Claim, document: Document, *, only: Sequence[str] = ()) -> Any:
        """Write, unless the request has changed hands. Our own lost answer is no reason to drop the work."""
        over = claim.version
        for _ in range(OWNER_ROUNDS):
            if version := await self._documents.write(claim.request_id, document, over=over, only=only):
                return version
            stored = await self._documents.read(claim.request_id)
            if stored and stored.document == ({**stored.document, **document} if only else document):
                return stored.version
            over = owned(stored, claim).version
        raise self._outrun()

    def _outrun(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._firestore}: others wrote the same document first, again and again; try again."
        )


class FirestoreResultReader:
    """Reads results. `now` decides which of them have expired; `sleep` waits between the tries of a call."""

    def __init__(
        self,
        *,
        project: str,
        database: str = "(default)",
        now: Callable[[], datetime] = _utc_now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)
        self._documents = ResultDocuments(self._firestore)
        self._now = now

    async def get(self, request_id: str) -> Document | None:
        """One document, or None."""
        stored = await self._documents.read(request_id)
        living = _living([stored.document] if stored else [], now=self._now())
        return living[0] if living else None

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Document]:
        """Documents by `created_at`, newest first; those that have expired count towards `limit` but are left out."""
        return _living(await self._documents.newest(limit, status=status), now=self._now())

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()


def _living(documents: Sequence[Document], *, now: datetime) -> list[Document]:
    """Those that have not expired; the database removes the others within days."""
    return [
        document
        for document in documents
        if (expires_at := document.get("expires_at")) is None or expires_at > now
    ]
