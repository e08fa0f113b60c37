"""What the worker needs from a result store: a claim that only one worker can hold, and one final write.

Documents are plain mappings of JSON-like values, with timezone-aware datetimes; their meaning belongs to
`services.content`. Both implementations pass the same tests (`tests/contract/test_result_store.py`). All
methods raise `StoreUnavailable` when the store cannot be reached.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Proof of ownership of one request. `version` is the store's own fencing token: it changes with every write."""

    request_id: str
    owner: str
    expires_at: datetime
    attempt: int
    created_at: datetime
    version: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Busy:
    """Another worker owns the request until `expires_at`."""

    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The request has its result already."""

    document: Document


class ResultStore(Protocol):
    """Documents keyed by request id, each owned by at most one worker while its status is `processing`."""

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, expires_at: datetime
    ) -> Claim | Busy | Finished:
        """Create the document (status `processing`) and own it until `expires_at`.

        Where it exists: `Busy` while it is `processing` under a claim that has not expired at `now`; taken
        over, with `attempt` one higher, when that claim has expired or the status is `failed` (a failed
        request may be sent again); else `Finished`. The stored document gets `claim: {owner, expires_at}`
        and `attempt`; `created_at` is taken from `document` and stays what it was on take-over.
        """
        ...

    async def extend(self, claim: Claim, *, expires_at: datetime) -> Claim:
        """Own the request until `expires_at`; a time in the past releases it. Raises `ClaimLost`."""
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
