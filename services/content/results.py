"""From what the stages made to the document that is stored."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.content.failures import BLOCKED, failure, total_cost
from services.content.models import (
    ContentRequest,
    ContentResult,
    Debt,
    EarlierResult,
    Failure,
    Mode,
    StageError,
    StageRecord,
)
from services.content.pipeline import Content
from services.content.prompts import PROMPT_VERSION, tidied
from services.content.safety import mask_contacts
from services.generation.port import Provenance

_WORST_FIRST: tuple[Mode, ...] = ("mock", "fallback", "live")

# The database finds debts by the presence of the field.
_NOTHING_OWED = {"debt"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultPolicy:
    """What every result of one process has in common."""

    student_key: bytes
    ttl: timedelta
    image_digest: str | None


def student_ref(student_id: str, key: bytes) -> str:
    """The handle under which a student appears outside this process: keyed, so that nobody can try ids out."""
    return hmac.new(key, student_id.encode(), hashlib.sha256).hexdigest()[:32]


def processing_document(
    request: ContentRequest, policy: ResultPolicy, *, message_id: str, now: datetime
) -> dict[str, Any]:
    """The document that stands in the store while a request is worked on."""
    return {
        **bare_document(request.request_id, policy, message_id=message_id, now=now),
        "correlation_id": request.correlation_id,
        "student_ref": student_ref(request.student_id, policy.student_key),
    }


def bare_document(request_id: str, policy: ResultPolicy, *, message_id: str, now: datetime) -> dict[str, Any]:
    """The same for a message of which nothing but the request id could be read."""
    return {
        "request_id": request_id,
        "message_id": message_id,
        "correlation_id": None,
        "student_ref": None,
        "status": "processing",
        "created_at": now,
        "expires_at": now + policy.ttl,
    }


def failed_document(
    document: Mapping[str, Any],
    failures: Sequence[Failure],
    policy: ResultPolicy,
    *,
    attempt: int,
    now: datetime,
) -> dict[str, Any]:
    """The result of a request that cannot be answered, with the reasons; made from its `processing` document."""
    return ContentResult(
        **{**document, "status": "failed", "expires_at": now + policy.ttl},
        mode="live",
        degraded=False,
        nlu=None,
        interest=None,
        script=None,
        quality=None,
        stages={},
        cost_usd=total_cost(failure.cost_usd for failure in failures),
        saved_usd=0.0,
        prompt_version=PROMPT_VERSION,
        image_digest=policy.image_digest,
        attempt=attempt,
        failures=list(failures),
        completed_at=now,
    ).model_dump(exclude=_NOTHING_OWED)


def finished_document(
    request: ContentRequest,
    content: Content,
    policy: ResultPolicy,
    *,
    message_id: str,
    attempt: int,
    failures: Iterable[Mapping[str, Any]],
    created_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    """The result of a request, ready to store; `failures` are those of earlier attempts."""
    debt = _debt(request, now) if _is_owed(content) else None
    return ContentResult(
        request_id=request.request_id,
        message_id=message_id,
        correlation_id=request.correlation_id,
        student_ref=student_ref(request.student_id, policy.student_key),
        attempt=attempt,
        failures=[*map(Failure.model_validate, failures), *filter(None, [block_of(content, now=now)])],
        debt=debt,
        created_at=created_at,
        **_made(content, policy, now=now),
    ).model_dump(exclude=None if debt else _NOTHING_OWED)


def is_better(content: Content, document: Mapping[str, Any]) -> bool:
    """Whether new content should replace a result with a debt: it is less degraded and takes no script away.

    Anything else is better than a block.
    """
    if document["status"] == "blocked":
        return content.blocked is None
    if _WORST_FIRST.index(_mode(content)) <= _WORST_FIRST.index(document["mode"]):
        return False
    return content.script is not None or document["script"] is None


def healed_document(
    document: Mapping[str, Any], content: Content, policy: ResultPolicy, *, attempt: int, now: datetime
) -> dict[str, Any]:
    """The result that repays a debt, and how the one before had come about."""
    earlier = [*document.get("earlier", ()), EarlierResult.model_validate(document).model_dump()]
    kept = {
        name: document[name]
        for name in ("request_id", "message_id", "correlation_id", "student_ref", "created_at")
    }
    return ContentResult(
        **kept,
        attempt=attempt,
        failures=document["failures"],
        earlier=earlier,
        **_made(content, policy, now=now),
    ).model_dump(exclude=_NOTHING_OWED)


def written_off_document(document: Mapping[str, Any], *, attempt: int) -> dict[str, Any]:
    """A result that stays, because nothing better is to be had for it: its debt is no longer kept."""
    kept = {name: value for name, value in document.items() if name not in ("debt", "claim")}
    return {**kept, "attempt": attempt}


def _mode(content: Content) -> Mode:
    return lowest_mode(provenance.mode for provenance in content.provenance.values())


def _made(content: Content, policy: ResultPolicy, *, now: datetime) -> dict[str, Any]:
    """The fields of a result that say what was made of the request, and how."""
    mode, records = _mode(content), content.provenance.values()
    return {
        "status": content.status,
        "mode": mode,
        "degraded": mode != "live",
        "nlu": content.nlu,
        "interest": content.interest,
        "script": content.script,
        "quality": content.quality,
        "stages": {stage: _record(provenance) for stage, provenance in content.provenance.items()},
        "cost_usd": total_cost(record.cost_usd for record in records),
        "saved_usd": total_cost(record.saved_usd for record in records),
        "prompt_version": PROMPT_VERSION,
        "image_digest": policy.image_digest,
        "completed_at": now,
        "expires_at": now + policy.ttl,
    }


def lowest_mode(modes: Iterable[Mode]) -> Mode:
    """The lowest rung that any stage fell to."""
    present = set(modes)
    return next((mode for mode in _WORST_FIRST if mode in present), "live")


def block_of(content: Content, *, now: datetime) -> Failure | None:
    """Why content was blocked, as a failure to be stored; None when it was not."""
    if (blocked := content.blocked) is None:
        return None
    return failure(stage=blocked.stage, kind=blocked.kind, message=blocked.message, now=now)


def _is_owed(content: Content) -> bool:
    """Whether a better answer may be had later: from a better model, or from the same one without a false alarm."""
    if content.blocked is not None:
        return content.blocked.kind == BLOCKED
    return _mode(content) != "live"


def _debt(request: ContentRequest, now: datetime) -> Debt:
    return Debt(
        since=now,
        question=mask_contacts(tidied(request.student_query)),
        grade_level=request.grade_level,
        interests=[mask_contacts(name) for name in request.candidate_interests],
        duration_seconds=request.duration_seconds,
        language=request.language,
    )


def _record(provenance: Provenance) -> StageRecord:
    error = provenance.error
    return StageRecord(
        mode=provenance.mode,
        provider=provenance.provider,
        model=provenance.model,
        attempts=provenance.attempts,
        latency_ms=provenance.latency_ms,
        input_tokens=provenance.input_tokens,
        output_tokens=provenance.output_tokens,
        cached=provenance.cached,
        cost_usd=provenance.cost_usd,
        saved_usd=provenance.saved_usd,
        error=StageError(kind=error.kind, code=error.code, message=error.message) if error else None,
    )
