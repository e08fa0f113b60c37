"""What the worker needs from a result store: a claim that only one worker can hold, and one final write.

Documents are plain mappings of JSON-like values, with timezone-aware datetimes; their meaning belongs to
`services.content`. Both implementations pass the same tests (`tests/contract/test_result_store.py`). All
methods raise `StoreUnavailable` when the store cannot be reached, perhaps after their write has landed. Calling
again with the same arguments is then always right: it finds its own write and answers as the first call would have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

Document = Mapping[str, Any]

NO_CHANGES: Document = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Proof of ownership of one request. `version` is the store's own fencing token: it changes with every write.

    `owner` is another one for every claim, also of the same worker. `failures` are those that the document counts
    from earlier attempts, as they were stored.
    """

    request_id: str
    owner: str
    expires_at: datetime
    attempt: int
    created_at: datetime
    failures: Sequence[Document]
    version: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Busy:
    """Another worker owns the request until `expires_at` of its own clock."""

    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The request has its result already."""

    document: Document


class ResultStore(Protocol):
    """Documents keyed by request id, each owned by at most one worker at a time."""

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | Busy | Finished:
        """Create the document (status `processing`) and own it for `lifetime`.

        Where it exists: `Busy` while it is `processing` under somebody's living claim; taken over, with `attempt`
        one higher, when that claim has expired or the status is `failed` (a failed request may be sent again, in
        another message: one with the same `message_id` is a redelivery); else `Finished`. The stored document gets
        `claim: {owner, renewed_at, expires_at}` and `attempt`; `created_at` stays what it was on take-over, and so do
        `failures` unless the status was `failed`.

        `now` is the worker's clock. Whether a claim has expired is decided by how long ago it was renewed on the
        store's own clock, where the store has one: clocks of workers may differ by more than a lifetime.
        """
        ...

    async def extend(
        self, claim: Claim, *, now: datetime, lifetime: timedelta, changes: Document = NO_CHANGES
    ) -> Claim:
        """Own the request for `lifetime` from `now`; a lifetime of 0 releases it. Raises `ClaimLost`.

        `changes` are fields of the document that are set in the same write.
        """
        ...

    async def complete(self, claim: Claim, document: Document) -> None:
        """Replace the document by the finished one and end the claim. Raises `ClaimLost` and then writes nothing."""
        ...


class ResultReader(Protocol):
    """Reads results for people. Expired documents (`expires_at` in the past) are as good as gone."""

    async def get(self, request_id: str) -> Document | None:
        """One document, or None."""
        ...

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Document]:
        """Documents by `created_at`, newest first."""
        ...


class DebtStore(Protocol):
    """Finished documents with a field `debt`: answers that are to be given again, degraded or blocked.

    Claims made here are extended and completed through the `ResultStore` like any other; meanwhile the document stays
    readable as it is.
    """

    async def debts(self, limit: int) -> Sequence[Document]:
        """Up to `limit` documents with a debt, by `debt.since`, the oldest first; expired ones are left out."""
        ...

    async def claim_debt(
        self, request_id: str, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | None:
        """Own a document with a debt, `attempt` one higher; None when it is owned, or owes nothing any more."""
        ...


class RequestAnnouncer(Protocol):
    """Lets whoever asks for a result see that its message is on the way, before any worker has pulled it."""

    async def announce(self, request_id: str, document: Document) -> None:
        """Create the document, with status `processing`, `attempt` 0 and no claim: the next claim has it at once.

        Called after the message was published; `document["message_id"]` is that message's id. Where a document
        exists nothing is written, except over one that has `failed` by another message: then a person has sent the
        request again, and `created_at` and `attempt` stay while its failures go. Never takes anything from an owner.
        """
        ...


class FeedbackStore(Protocol):
    """What people think of results: at most one opinion a request, the latest."""

    async def keep(self, request_id: str, document: Document) -> None:
        """Write the feedback on one request over what was there. It goes when its `expires_at` has passed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class StudentDocument:
    """One document that a student's handle stands in. `status` is that of a result, None for feedback."""

    kind: Literal["result", "feedback"]
    request_id: str
    status: str | None


class StudentData(Protocol):
    """All that is stored about a student, to be taken away on demand. Expired documents count until they are gone."""

    async def find(self, student_refs: Sequence[str]) -> Sequence[StudentDocument]:
        """Results and feedback of these handles, in no order, each once."""
        ...

    async def erase(self, documents: Sequence[StudentDocument]) -> None:
        """Delete them for good, whoever owns them; those that are gone already are no error.

        An owner's next write raises `ClaimLost` and creates nothing. Where it fails in the middle some are deleted.
        """
        ...
