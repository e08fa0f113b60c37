"""What a claim means, decided on plain documents: the same for every store."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.errors import ClaimLost
from services.storage.port import Busy, Claim, Document, Finished

PROCESSING = "processing"
FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A document as a store has it; `age` is the time since its last write on the store's clock, None without one."""

    document: Document
    version: Any
    age: timedelta | None = None


def new_lease(owner: str, *, now: datetime, lifetime: timedelta) -> dict[str, Any]:
    """What is stored as `claim` while the owner works. Both times are by the owner's clock."""
    return {"owner": owner, "renewed_at": now, "expires_at": now + lifetime}


def is_alive(lease: Document, *, now: datetime, age: timedelta | None = None) -> bool:
    """Whether a lease that was written `age` ago still holds.

    With an age it matters only how long the lease was given, which one clock said: the clocks of workers may differ.
    """
    if age is None or "renewed_at" not in lease:  # which a worker of an earlier version did not write
        return bool(lease["expires_at"] > now)
    return bool(age < lease["expires_at"] - lease["renewed_at"])


def announced(document: Document, *, attempt: int = 0) -> dict[str, Any]:
    """The document as it is stored while its message is on the way: nobody owns it yet."""
    return {**document, "status": PROCESSING, "attempt": attempt}


def announced_again(stored: Document, document: Document) -> dict[str, Any] | None:
    """What an announcement puts in the place of a document that exists; None where that stays as it is.

    What has expired gives way, and what has failed by another message: its failures are over, its age and its
    attempts remain.
    """
    if is_over(stored, now=document["created_at"]):
        return announced(document)
    if stored["status"] != FAILED or _is_of_same_message(stored, document):
        return None
    again = announced(document, attempt=stored["attempt"])
    return {**again, **{name: stored[name] for name in ("created_at",) if name in stored}}


def is_over(stored: Document, *, now: datetime) -> bool:
    """Whether this was a result that nobody can read any more, although the database has not removed it yet."""
    expires_at = stored.get("expires_at")
    return stored["status"] != PROCESSING and expires_at is not None and bool(expires_at <= now)


def claimed(document: Document, lease: Document, *, attempt: int = 1) -> dict[str, Any]:
    """The document as it is stored while somebody works on it."""
    return {**document, "claim": lease, "attempt": attempt}


def taken_over(stored: Document, document: Document, lease: Document) -> dict[str, Any]:
    """What replaces a document that `claim_existing` lets go: its age and the count of its attempts remain.

    So do its failures, unless it has failed for good: then a person has sent it again, and they are over. Of one that
    has expired nothing remains.
    """
    if is_over(stored, now=lease["renewed_at"]):
        return claimed(document, lease)
    kept = ["created_at"] if stored["status"] == FAILED else ["created_at", "failures"]
    taken = claimed(document, lease, attempt=stored["attempt"] + 1)
    return {**taken, **{name: stored[name] for name in kept if name in stored}}


def claim_existing(
    request_id: str, stored: Stored, wanted: Document, *, owner: str, now: datetime
) -> Claim | Busy | Finished | None:
    """What a claim with the document `wanted` on one that exists gets; None when that may be taken over.

    A lease of this very owner, dead or alive, is an earlier call's write whose answer was lost.
    """
    document = stored.document
    if is_over(document, now=now):
        return None
    if document["status"] == FAILED and not _is_of_same_message(document, wanted):
        return None
    if document["status"] != PROCESSING:
        return Finished(document=document)
    if "claim" not in document:  # announced, and nobody's yet
        return None
    if is_held_by(owner, document):
        return claim_of(request_id, document, version=stored.version)
    if is_alive(document["claim"], now=now, age=stored.age):
        return Busy(expires_at=document["claim"]["expires_at"])
    return None


def _is_of_same_message(document: Document, wanted: Document) -> bool:
    message_id = document.get("message_id")
    return message_id is not None and message_id == wanted.get("message_id")


def is_held_by(owner: str, document: Document) -> bool:
    """Whether the last claim on the document is this owner's. Every claim has an owner of its own."""
    return bool(document.get("claim", {}).get("owner") == owner)


def may_be_repaid(stored: Stored, *, now: datetime) -> bool:
    """Whether the document has a debt that nobody is repaying."""
    document = stored.document
    if document.get("debt") is None or document["status"] == PROCESSING:
        return False
    return "claim" not in document or not is_alive(document["claim"], now=now, age=stored.age)


def debt_claimed(stored: Document, lease: Document) -> dict[str, Any]:
    """The fields of a document with a debt that change while somebody repays it."""
    return {"claim": lease, "attempt": stored["attempt"] + 1}


def owned(stored: Stored | None, claim: Claim) -> Stored:
    """The document, which nobody has taken over since the claim. Raises `ClaimLost`."""
    if stored is None or not is_held_by(claim.owner, stored.document):
        raise ClaimLost("Another worker owns the request now.")
    return stored


def renewed(claim: Claim, changes: Document, *, version: Any) -> Claim:
    """The claim after `changes`, with the new lease among them, were written."""
    return replace(
        claim,
        expires_at=changes["claim"]["expires_at"],
        failures=changes.get("failures", claim.failures),
        version=version,
    )


def claim_of(request_id: str, document: Document, *, version: Any) -> Claim:
    """The claim that a stored document proves."""
    return Claim(
        request_id=request_id,
        owner=document["claim"]["owner"],
        expires_at=document["claim"]["expires_at"],
        attempt=document["attempt"],
        created_at=document["created_at"],
        failures=document.get("failures", []),
        version=version,
    )
