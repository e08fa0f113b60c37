"""The use case of repaying debts: degraded and blocked results are requested again, and better ones replace them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

from services.content.failures import counted, failure_of, is_believed, is_hopeless
from services.content.models import ContentRequest, Debt, Failure
from services.content.ownership import Ownership
from services.content.pipeline import Content, ContentPipeline
from services.content.results import (
    ResultPolicy,
    block_of,
    healed_document,
    is_better,
    written_off_document,
)
from services.errors import ClaimLost, ConfigurationError, TransientError
from services.generation.allowance import Allowance, Guard
from services.storage.port import DebtStore, Document, ResultStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of a debt.

    `healed`: repaid; `kept`: written off, because nothing better is to be had; `failed`: still owed; `skipped`: repaid
    or expired meanwhile, or somebody else is at it. `failure` says why there was no better answer, where there is more
    to say.
    """

    outcome: Literal["healed", "kept", "failed", "skipped"]
    failure: Failure | None = None


SKIPPED = Settled(outcome="skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Healing:
    """Repays debts in the name of one process. `pipeline` must ask the top rungs only: any answer is then `live`.

    `claim_lifetime` must cover a whole request, because nobody renews the claim.
    """

    store: ResultStore
    debts: DebtStore
    pipeline: ContentPipeline
    policy: ResultPolicy
    owner: str
    claim_lifetime: timedelta
    allowance: Callable[[ContentRequest, Guard], Allowance]
    now: Callable[[], datetime]
    _claims: Iterator[int] = field(default_factory=lambda: count(1), init=False, repr=False)

    async def heal(self, document: Document, *, on_claim: Callable[[Allowance], None]) -> Settled:
        """Answer the request of a result with a debt again and replace the result by the better one.

        The old result stays readable until then, and stays for good when the new one is no better. The claim is
        released when the work ends without either. `on_claim` receives the allowance of the work, which knows what was
        spent however that ends. Raises what is not the request's fault, and leaves the debt as it
        was: `TransientError` (the models or the store do not answer), `ConfigurationError`.
        """
        ownership = await self._claim(document)
        if ownership is None:
            return SKIPPED
        try:
            # Since it was read somebody may have tried in vain.
            document = {**document, "failures": ownership.claim.failures}
            return await self._settle(ownership, document, on_claim)
        except ClaimLost:
            return SKIPPED
        finally:
            await ownership.let_go()

    async def _claim(self, document: Document) -> Ownership | None:
        if document["expires_at"] <= self.now():
            return None
        claim = await self.debts.claim_debt(
            document["request_id"],
            owner=f"{self.owner}-{next(self._claims)}",
            now=self.now(),
            lifetime=self.claim_lifetime,
        )
        if claim is None:
            return None
        return Ownership(self.store, claim, lifetime=self.claim_lifetime, now=self.now)

    async def _settle(
        self, ownership: Ownership, document: Document, on_claim: Callable[[Allowance], None]
    ) -> Settled:
        allowance = Allowance()
        try:
            request = _request(document)
            allowance = self.allowance(request, ownership.assure)
            on_claim(allowance)
            content = await self.pipeline.produce(request, resumes=False, allowance=allowance)
            return await self._replace(ownership, document, content)
        except (TransientError, ClaimLost, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug that this debt meets must not keep all others from repayment
            latest = failure_of(error, stage="content", cost_usd=allowance.spend.cost_usd, now=self.now())
            return await self._count(ownership, document, latest)

    async def _replace(self, ownership: Ownership, document: Document, content: Content) -> Settled:
        now = self.now()
        block = block_of(content, now=now)
        if block is not None:
            failures = counted(document["failures"], block)
            document = _with_failures(document, failures)
            if document["status"] == "blocked" and not is_believed(failures):
                await ownership.fail(failures)
                return Settled(outcome="failed", failure=block)
        if not is_better(content, document):
            return await self._write_off(ownership, document, block)
        attempt = ownership.claim.attempt
        await ownership.complete(healed_document(document, content, self.policy, attempt=attempt, now=now))
        return Settled(outcome="healed", failure=block)

    async def _count(self, ownership: Ownership, document: Document, latest: Failure) -> Settled:
        failures = counted(document["failures"], latest)
        if is_hopeless(failures):
            return await self._write_off(ownership, _with_failures(document, failures), latest)
        await ownership.fail(failures)
        return Settled(outcome="failed", failure=latest)

    async def _write_off(self, ownership: Ownership, document: Document, reason: Failure | None) -> Settled:
        await ownership.complete(written_off_document(document, attempt=ownership.claim.attempt))
        return Settled(outcome="kept", failure=reason)


def _with_failures(document: Document, failures: list[Failure]) -> dict[str, Any]:
    return {**document, "failures": [one.model_dump() for one in failures]}


def _request(document: Document) -> ContentRequest:
    """The request that a debt stands for. Its student is known by the result's reference only, and not needed."""
    debt = Debt.model_validate(document["debt"])
    # Not validated again: masking may have made the question longer than a publisher's may be.
    return ContentRequest.model_construct(
        request_id=document["request_id"],
        student_id="",
        student_query=debt.question,
        grade_level=debt.grade_level,
        interest=None,
        interests=debt.interests,
        duration_seconds=debt.duration_seconds,
        language=debt.language,
        correlation_id=document.get("correlation_id"),
    )
