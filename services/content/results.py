"""From what the stages made to the document that is stored."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.content.models import ContentRequest, ContentResult, Mode, StageError, StageRecord
from services.content.pipeline import Content
from services.content.prompts import PROMPT_VERSION
from services.generation.port import Provenance

_WORST_FIRST: tuple[Mode, ...] = ("mock", "fallback", "live")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultPolicy:
    """What every result of one process has in common."""

    student_key: bytes
    ttl: timedelta
    image_digest: str | None


def student_ref(student_id: str, key: bytes) -> str:
    """The handle under which a student appears outside this process: keyed, so that nobody can try ids out."""
    return hmac.new(key, student_id.encode(), hashlib.sha256).hexdigest()[:32]


def processing_document(request: ContentRequest, policy: ResultPolicy, *, now: datetime) -> dict[str, Any]:
    """The document that stands in the store while a request is worked on."""
    return {
        **bare_document(request.request_id, policy, now=now),
        "correlation_id": request.correlation_id,
        "student_ref": student_ref(request.student_id, policy.student_key),
    }


def bare_document(request_id: str, policy: ResultPolicy, *, now: datetime) -> dict[str, Any]:
    """The same for a message of which nothing but the request id could be read."""
    return {
        "request_id": request_id,
        "correlation_id": None,
        "student_ref": None,
        "status": "processing",
        "created_at": now,
        "expires_at": now + policy.ttl,
    }


def failed_document(
    document: dict[str, Any],
    failure: StageError,
    policy: ResultPolicy,
    *,
    attempt: int,
    cost_usd: float | None,
    now: datetime,
) -> dict[str, Any]:
    """The result of a request that cannot be answered, with the reason; made from its `processing` document."""
    return ContentResult(
        **{**document, "status": "failed", "expires_at": now + policy.ttl},
        mode="live",
        degraded=False,
        nlu=None,
        interest=None,
        script=None,
        quality=None,
        stages={},
        cost_usd=cost_usd,
        prompt_version=PROMPT_VERSION,
        image_digest=policy.image_digest,
        attempt=attempt,
        failures=[failure],
        completed_at=now,
    ).model_dump()


def finished_document(
    request: ContentRequest,
    content: Content,
    policy: ResultPolicy,
    *,
    attempt: int,
    created_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    """The result of a request, ready to store."""
    mode = lowest_mode(record.mode for record in content.provenance.values())
    return ContentResult(
        request_id=request.request_id,
        correlation_id=request.correlation_id,
        student_ref=student_ref(request.student_id, policy.student_key),
        status=content.status,
        mode=mode,
        degraded=mode != "live",
        nlu=content.nlu,
        interest=content.interest,
        script=content.script,
        quality=content.quality,
        stages={stage: _record(provenance) for stage, provenance in content.provenance.items()},
        cost_usd=total_cost(record.cost_usd for record in content.provenance.values()),
        prompt_version=PROMPT_VERSION,
        image_digest=policy.image_digest,
        attempt=attempt,
        failures=content.failures,
        created_at=created_at,
        completed_at=now,
        expires_at=now + policy.ttl,
    ).model_dump()


def lowest_mode(modes: Iterable[Mode]) -> Mode:
    """The lowest rung that any stage fell to."""
    present = set(modes)
    return next((mode for mode in _WORST_FIRST if mode in present), "live")


def total_cost(costs: Iterable[float | None]) -> float | None:
    """The sum, or None as soon as one price is unknown: an unknown cost is never reported as nothing."""
    known = list(costs)
    return None if None in known else round(sum(cost for cost in known if cost is not None), 8)


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
        error=StageError(kind=error.kind, code=error.code, message=error.message) if error else None,
    )
