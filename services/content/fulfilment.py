"""The use case: claim a request, make its content, store the result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from services.content.failures import counted, failure_of, is_hopeless, total_cost
from services.content.models import ContentRequest, Failure
from services.content.ownership import Ownership
from services.content.pipeline import ContentPipeline
from services.content.results import (
    ResultPolicy,
    bare_document,
    failed_document,
    finished_document,
    processing_document,
)
from services.errors import (
    ClaimLost,
    ConfigurationError,
    MessageDecodeError,
    PermanentError,
    TransientError,
)
from services.generation.allowance import Allowance, Guard
from services.storage.patience import Patience
from services.storage.port import Busy, Document, Finished, ResultStore


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The request itself failed: for the last time when it is `hopeless`, and then a `failed` result says why.

    `attempts` counts how often it was worked on, `cost_usd` is what its failures have spent, None if unknown.
    """

    failure: Failure
    attempts: int
    cost_usd: float | None
    hopeless: bool


OnClaim = Callable[[Ownership, Allowance], None]
"""Receives the ownership of a request and the allowance of the work on it."""

Outcome = Stored | AlreadyFinished | OwnedElsewhere | Failed


def hopeless(failure: Failure) -> Failed:
    """The outcome of a request that no attempt can answer, and on which nothing was spent."""
    return Failed(failure=failure, attempts=1, cost_usd=0.0, hopeless=True)


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
        allowance: Callable[[ContentRequest, Guard], Allowance],
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._policy = policy
        self._owner = owner
        self._claim_lifetime = claim_lifetime
        self._allowance = allowance
        self._patience = patience
        self._now = now
        self._claims = count(1)

    async def fulfil(self, request: ContentRequest, *, message_id: str, on_claim: OnClaim) -> Outcome:
        """Answer one request, at most once however often it is delivered.

        `message_id` tells a redelivery from a request that was sent again after it had failed. `on_claim` is called as
        soon as there is an ownership, so that somebody can keep it alive, and knows what was spent however the work
        ends. The claim is released when the work ends without a result, by an error or by cancellation. Raises what
        puts the request off without being its fault: `TransientError`, `ClaimLost`, `ConfigurationError`.
        """
        document = processing_document(request, self._policy, message_id=message_id, now=self._now())
        claimed = await self._claim(request.request_id, document)
        if not isinstance(claimed, Ownership):
            return claimed
        allowance = self._allowance(request, lambda: self._patience(claimed.assure))
        on_claim(claimed, allowance)
        try:
            finished = await self._finish(request, document, claimed, allowance)
        except (TransientError, ClaimLost, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug that this request meets is counted like its other failures
            return await self._fail(document, error, claimed, spent_usd=allowance.spend.cost_usd)
        finally:
            await claimed.let_go()
        return Stored(document=finished)

    async def refuse(self, request_id: str, error: MessageDecodeError, *, message_id: str) -> Outcome:
        """Leave a `failed` result for a message that could not become a request, unless there is a better one.

        Somebody who owns the request may yet leave none, so the message has to wait for them. Raises as `fulfil` does.
        """
        reason = failure_of(error, stage="decode", cost_usd=0.0, now=self._now())
        document = bare_document(request_id, self._policy, message_id=message_id, now=self._now())
        claimed = await self._claim(request_id, document)
        if isinstance(claimed, OwnedElsewhere):
            return claimed
        if isinstance(claimed, Ownership):
            try:
                await self._complete(claimed, self._failed(document, [reason], claimed))
            finally:
                await claimed.let_go()
        return hopeless(reason)

    async def _claim(
        self, request_id: str, document: Document
    ) -> Ownership | AlreadyFinished | OwnedElsewhere | Failed:
        # Another name for every claim: after a lost answer the store tells our own claim from another delivery's.
        owner = f"{self._owner}-{next(self._claims)}"
        claimed = await self._patience(
            lambda: self._store.claim(
                request_id, document, owner=owner, now=self._now(), lifetime=self._claim_lifetime
            )
        )
        match claimed:
            case Finished(document=finished):
                return _failed_before(finished) or AlreadyFinished()
            case Busy(expires_at=until):
                return OwnedElsewhere(until=until)
        return Ownership(self._store, claimed, lifetime=self._claim_lifetime, now=self._now)

    async def _finish(
        self, request: ContentRequest, document: Document, ownership: Ownership, allowance: Allowance
    ) -> dict[str, Any]:
        claim = ownership.claim
        content = await self._pipeline.produce(request, resumes=claim.attempt > 1, allowance=allowance)
        finished = finished_document(
            request,
            content,
            self._policy,
            message_id=document["message_id"],
            attempt=claim.attempt,
            failures=claim.failures,
            created_at=claim.created_at,
            now=self._now(),
        )
        await self._complete(ownership, finished)
        return finished

    async def _fail(
        self, document: Document, error: Exception, ownership: Ownership, *, spent_usd: float | None
    ) -> Failed:
        latest = failure_of(error, stage="content", cost_usd=spent_usd, now=self._now())
        failures = counted(ownership.claim.failures, latest)
        is_last = isinstance(error, PermanentError) or is_hopeless(failures)
        if is_last:
            await self._complete(ownership, self._failed(document, failures, ownership))
        else:
            await self._patience(lambda: ownership.fail(failures))
        return Failed(
            failure=failures[-1],
            attempts=ownership.claim.attempt,
            cost_usd=total_cost(one.cost_usd for one in failures),
            hopeless=is_last,
        )

    def _failed(self, document: Document, failures: list[Failure], ownership: Ownership) -> dict[str, Any]:
        claim = ownership.claim
        return failed_document(
            {**document, "created_at": claim.created_at},
            failures,
            self._policy,
            attempt=claim.attempt,
            now=self._now(),
        )

    async def _complete(self, ownership: Ownership, document: Document) -> None:
        await self._patience(lambda: ownership.complete(document))


def _failed_before(document: Document) -> Failed | None:
    """The outcome of a message that had failed for good before it came again: its dead letter may not be there yet."""
    if document["status"] != "failed":
        return None
    return Failed(
        failure=Failure.model_validate(document["failures"][-1]),
        attempts=document["attempt"],
        cost_usd=document["cost_usd"],
        hopeless=True,
    )
