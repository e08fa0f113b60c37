"""What a claim means, decided on plain documents: the same for every store."""

from datetime import datetime
from typing import Any

from services.storage.port import Busy, Claim, Document, Finished

PROCESSING = "processing"
FAILED = "failed"


def claimed(document: Document, *, owner: str, expires_at: datetime, attempt: int = 1) -> dict[str, Any]:
    """The document as it is stored while `owner` works on it."""
    return {**document, "claim": {"owner": owner, "expires_at": expires_at}, "attempt": attempt}


def taken_over(stored: Document, document: Document, *, owner: str, expires_at: datetime) -> dict[str, Any]:
    """What replaces a document that `held` lets go; of that remain its age and the count of attempts."""
    taken = claimed(document, owner=owner, expires_at=expires_at, attempt=stored["attempt"] + 1)
    return {**taken, "created_at": stored["created_at"]}


def held(stored: Document, *, now: datetime) -> Busy | Finished | None:
    """Why nobody may take the request over at `now`, or None when somebody may."""
    if stored["status"] == FAILED:
        return None
    if stored["status"] != PROCESSING:
        return Finished(document=stored)
    expires_at = stored["claim"]["expires_at"]
    return Busy(expires_at=expires_at) if expires_at > now else None


def is_owned(stored: Document, claim: Claim) -> bool:
    """Whether nobody has taken the request over since. Every take-over raises `attempt`."""
    if stored["status"] != PROCESSING:
        return False
    return bool(stored["claim"]["owner"] == claim.owner and stored["attempt"] == claim.attempt)


def claim_of(request_id: str, document: Document, *, version: Any) -> Claim:
    """The claim that a stored document proves."""
    return Claim(
        request_id=request_id,
        owner=document["claim"]["owner"],
        expires_at=document["claim"]["expires_at"],
        attempt=document["attempt"],
        created_at=document["created_at"],
        version=version,
    )
