"""The use case: claim a request, make its content, store the result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.content.models import ContentRequest, StageError
from services.content.ownership import Ownership
from services.content.pipeline import Content, ContentPipeline
from services.content.results import (
    ResultPolicy,
    bare_document,
    failed_document,
    finished_document,
    processing_document,
)
from services.errors import ClaimLost, ContentWorkerError, PermanentError, StoreUnavailable
from services.storage.port import Busy, Finished, ResultStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The request was worked on, and this is its result."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlreadyFinished:
    """The result was there before; nothing was paid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedElsewhere:
    """Another worker is on it until `until`, unless it renews its claim."""

    until: datetime


Outcome = Stored | AlreadyFinished | OwnedElsewhere


class Fulfilment:
    """Fulfils requests in the name of one worker process."""

    def __init__(
        self,
        *,
        store: ResultStore,
        pipeline: ContentPipeline,
        policy: ResultPolicy,
        owner: str,
        claim_lifetime: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._policy = policy
        self._owner = owner
        self._claim_lifetime = claim_lifetime
        self._now = now

    async def fulfil(self, request: ContentRequest, *, on_claim: Callable[[Ownership], None]) -> Outcome:
        """Answer one request, at most once however often it is delivered.

        `on_claim` receives the ownership as soon as there is one, so that somebody can keep it alive. The claim is
        released when the work ends without a result, by an error or by cancellation.
        """
        document = processing_document(request, self._policy, now=self._now())
        claimed = await self._claim(request.request_id, document)
        if not isinstance(claimed, Ownership):
            return claimed
        on_claim(claimed)
        try:
            content = await self._pipeline.produce(request)
            finished = self._finished(request, content, claimed)
            await claimed.complete(finished)
        except PermanentError as error:
            # What was spent before the error is not known here, and unknown is not nothing.
            await claimed.complete(self._failed(document, error, claimed, cost_usd=None))
            raise
        finally:
            await self._release(claimed)
        return Stored(document=finished)

    async def record_failure(self, request_id: str, error: ContentWorkerError) -> None:
        """Leave a `failed` result for a message that could not become a request, unless there is a better one."""
        document = bare_document(request_id, self._policy, now=self._now())
        claimed = await self._claim(request_id, document)
        if isinstance(claimed, Ownership):
            await claimed.complete(self._failed(document, error, claimed, cost_usd=0.0))

    async def _claim(
        self, request_id: str, document: dict[str, Any]
    ) -> Ownership | AlreadyFinished | OwnedElsewhere:
        now = self._now()
        claimed = await self._store.claim(
            request_id, document, owner=self._owner, now=now, expires_at=now + self._claim_lifetime
        )
        match claimed:
            case Finished():
                return AlreadyFinished()
            case Busy(expires_at=until):
                return OwnedElsewhere(until=until)
        return Ownership(self._store, claimed, lifetime=self._claim_lifetime, now=self._now)

    async def _release(self, ownership: Ownership) -> None:
        # Releasing only spares the next worker the wait for the claim's end: it must not hide why the work ended.
        try:
            await ownership.release()
        except (ClaimLost, StoreUnavailable):
            return

    def _finished(self, request: ContentRequest, content: Content, ownership: Ownership) -> dict[str, Any]:
        return finished_document(
            request,
            content,
            self._policy,
            attempt=ownership.claim.attempt,
            created_at=ownership.claim.created_at,
            now=self._now(),
        )

    def _failed(
        self,
        document: dict[str, Any],
        error: ContentWorkerError,
        ownership: Ownership,
        *,
        cost_usd: float | None,
    ) -> dict[str, Any]:
        failure = StageError(kind=error.kind, code=getattr(error, "code", None), message=error.message)
        return failed_document(
            document,
            failure,
            self._policy,
            attempt=ownership.claim.attempt,
            cost_usd=cost_usd,
            now=self._now(),
        )
