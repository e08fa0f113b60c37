"""Claim, work, store: at most once, whatever happens in between."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.content.fulfilment import AlreadyFinished, Fulfilment, OwnedElsewhere, Stored
from services.content.models import ContentRequest, ContentResult
from services.content.ownership import Ownership
from services.content.pipeline import Content
from services.content.results import ResultPolicy, student_ref
from services.errors import (
    ClaimLost,
    MessageDecodeError,
    ModelUnavailable,
    PermanentError,
    StoreUnavailable,
)
from tests.builders import NOON, content_request
from tests.fakes import LIVE, MemoryStore

POLICY = ResultPolicy(student_key=b"key", ttl=timedelta(days=30), image_digest="sha256:abc")


class FunctionPipeline:
    """A pipeline that is a function."""

    def __init__(self, respond: Any = None) -> None:
        self.calls = 0
        self._respond = respond

    async def produce(self, request: ContentRequest) -> Content:
        self.calls += 1
        if self._respond is None:
            return Content(status="completed", provenance={"nlu": LIVE, "interest": LIVE, "script": LIVE})
        result: Content = await self._respond(request)
        return result


def fulfilment(store: MemoryStore, pipeline: FunctionPipeline | None = None, **changes: Any) -> Fulfilment:
    options = {
        "store": store,
        "pipeline": pipeline or FunctionPipeline(),
        "policy": POLICY,
        "owner": "worker-1",
        "claim_lifetime": timedelta(minutes=2),
        "now": lambda: NOON,
    }
    return Fulfilment(**{**options, **changes})


def fulfil(subject: Fulfilment, **changes: Any) -> Any:
    return asyncio.run(subject.fulfil(content_request(**changes), on_claim=lambda _ownership: None))


def test_an_ordinary_request_costs_two_writes_and_leaves_the_whole_result() -> None:
    # Given an empty store
    store = MemoryStore()
    # When a request is fulfilled
    outcome = fulfil(fulfilment(store), correlation_id="c-1")
    # Then the claim and the result were written, and nothing else
    assert store.writes == ["claim", "complete"]
    assert isinstance(outcome, Stored)
    stored = store.documents["test_gemini_flash_final"]
    result = ContentResult.model_validate(stored)
    assert (result.status, result.mode, result.degraded) == ("completed", "live", False)
    assert (result.attempt, result.correlation_id, result.image_digest) == (1, "c-1", "sha256:abc")
    assert result.cost_usd == pytest.approx(0.003)
    assert result.expires_at == NOON + timedelta(days=30)
    assert "claim" not in stored


def test_the_student_id_is_stored_only_as_a_keyed_hash() -> None:
    store = MemoryStore()
    fulfil(fulfilment(store))
    stored = str(store.documents)
    assert "student_001" not in stored
    assert student_ref("student_001", b"key") in stored
    assert student_ref("student_001", b"other key") != student_ref("student_001", b"key")


def test_a_finished_request_is_not_worked_on_again() -> None:
    store, pipeline = MemoryStore(), FunctionPipeline()
    subject = fulfilment(store, pipeline)
    fulfil(subject)
    assert fulfil(subject) == AlreadyFinished()
    assert pipeline.calls == 1


def test_a_request_that_somebody_works_on_is_left_to_them() -> None:
    # Given a request owned by another worker
    store, pipeline = MemoryStore(), FunctionPipeline()
    expires = NOON + timedelta(seconds=30)
    document = {"status": "processing", "created_at": NOON}
    asyncio.run(store.claim("test_gemini_flash_final", document, owner="other", now=NOON, expires_at=expires))
    # When it is delivered here, too
    assert fulfil(fulfilment(store, pipeline)) == OwnedElsewhere(until=expires)
    # Then nothing is paid
    assert pipeline.calls == 0


def test_an_expired_claim_is_taken_over_as_the_next_attempt() -> None:
    store = MemoryStore()
    long_ago = NOON - timedelta(hours=1)
    document = {"status": "processing", "created_at": long_ago}
    asyncio.run(
        store.claim("test_gemini_flash_final", document, owner="dead", now=long_ago, expires_at=long_ago)
    )
    fulfil(fulfilment(store))
    stored = store.documents["test_gemini_flash_final"]
    assert (stored["status"], stored["attempt"], stored["created_at"]) == ("completed", 2, long_ago)


def test_a_failure_for_now_releases_the_claim_at_once() -> None:
    async def busy(_request: ContentRequest) -> Content:
        raise ModelUnavailable("nobody answered", kind="no_answer")

    store = MemoryStore()
    with pytest.raises(ModelUnavailable):
        fulfil(fulfilment(store, FunctionPipeline(busy)))
    # Then the next worker need not wait for the claim to end
    assert store.writes == ["claim", "extend"]
    assert store.documents["test_gemini_flash_final"]["claim"]["expires_at"] == NOON


def test_cancelled_work_releases_its_claim() -> None:
    async def scenario() -> None:
        started = asyncio.Event()

        async def endless(_request: ContentRequest) -> Content:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

        store = MemoryStore()
        subject = fulfilment(store, FunctionPipeline(endless))
        work = asyncio.create_task(subject.fulfil(content_request(), on_claim=lambda _ownership: None))
        await started.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert store.writes == ["claim", "extend"]

    asyncio.run(scenario())


def test_a_hopeless_request_leaves_a_failed_result_and_its_reason() -> None:
    async def hopeless(_request: ContentRequest) -> Content:
        raise PermanentError("The document is too large.")

    store = MemoryStore()
    with pytest.raises(PermanentError):
        fulfil(fulfilment(store, FunctionPipeline(hopeless)))
    result = ContentResult.model_validate(store.documents["test_gemini_flash_final"])
    assert (result.status, result.cost_usd) == ("failed", None)
    assert result.failures[0].message == "The document is too large."


def test_a_failed_request_can_be_sent_again() -> None:
    # Given a message that could not become a request
    store = MemoryStore()
    subject = fulfilment(store)
    error = MessageDecodeError("grade_level: missing", kind="invalid_fields")
    asyncio.run(subject.record_failure("test_gemini_flash_final", error))
    assert store.documents["test_gemini_flash_final"]["status"] == "failed"
    # When it is mended and published again
    fulfil(subject)
    # Then it is answered, as the second attempt
    stored = store.documents["test_gemini_flash_final"]
    assert (stored["status"], stored["attempt"]) == ("completed", 2)


def test_a_malformed_message_does_not_touch_a_finished_result() -> None:
    store = MemoryStore()
    subject = fulfilment(store)
    fulfil(subject)
    before = dict(store.documents["test_gemini_flash_final"])
    error = MessageDecodeError("grade_level: missing", kind="invalid_fields")
    asyncio.run(subject.record_failure("test_gemini_flash_final", error))
    assert store.documents["test_gemini_flash_final"] == before


def test_a_stale_owner_writes_nothing() -> None:
    # Given a worker that loses its claim while it works
    store = MemoryStore()

    async def loses(_request: ContentRequest) -> Content:
        store.take_over("test_gemini_flash_final")
        return Content(status="completed")

    # When it is done
    with pytest.raises(ClaimLost):
        fulfil(fulfilment(store, FunctionPipeline(loses)))
    # Then neither its result nor a release was written
    assert store.writes == ["claim"]
    assert store.documents["test_gemini_flash_final"]["status"] == "processing"


def test_a_store_that_fails_at_the_end_keeps_the_message() -> None:
    def fail(method: str) -> None:
        if method == "complete":
            raise StoreUnavailable("down")

    store = MemoryStore(fail)
    with pytest.raises(StoreUnavailable):
        fulfil(fulfilment(store))
    assert store.documents["test_gemini_flash_final"]["status"] == "processing"


def test_whoever_keeps_claims_alive_gets_the_ownership() -> None:
    owned: list[Ownership] = []
    subject = fulfilment(MemoryStore())
    asyncio.run(subject.fulfil(content_request(), on_claim=owned.append))
    assert owned[0].claim.owner == "worker-1"
