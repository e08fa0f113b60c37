"""Claim, work, store: at most once, whatever happens in between."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from services.content.fulfilment import AlreadyFinished, Failed, Fulfilment, OwnedElsewhere, Stored
from services.content.models import ContentRequest, ContentResult
from services.content.ownership import Ownership
from services.content.pipeline import Content
from services.content.results import ResultPolicy, student_ref
from services.errors import (
    ClaimLost,
    MessageDecodeError,
    ModelUnavailable,
    PermanentError,
    RequestFailed,
    StoreUnavailable,
)
from services.generation.allowance import Allowance, Guard
from services.generation.spend import Spend
from services.storage.patience import Patience
from tests.builders import NOON, content_request
from tests.fakes import LIVE, MemoryStore

workers = count(1)

POLICY = ResultPolicy(student_key=b"key", ttl=timedelta(days=30), image_digest="sha256:abc")


class FunctionPipeline:
    """A pipeline that is a function."""

    def __init__(self, respond: Any = None) -> None:
        self.calls = 0
        self.resumed: list[bool] = []
        self._respond = respond

    async def produce(self, request: ContentRequest, *, resumes: bool, allowance: Allowance) -> Content:
        self.calls += 1
        self.resumed.append(resumes)
        allowance.add(Spend(calls=1, cost_usd=0.01))
        if self._respond is None:
            return Content(status="completed", provenance={"nlu": LIVE, "interest": LIVE, "script": LIVE})
        result: Content = await self._respond(request)
        return result


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


def fulfilment(store: MemoryStore, pipeline: FunctionPipeline | None = None, **changes: Any) -> Fulfilment:
    options = {
        "store": store,
        "pipeline": pipeline or FunctionPipeline(),
        "policy": POLICY,
        "owner": f"worker-{next(workers)}",
        "claim_lifetime": timedelta(minutes=2),
        "allowance": lambda _request, guard: Allowance(guard=guard),
        "patience": Patience(sleep=no_pause),
        "now": lambda: NOON,
    }
    return Fulfilment(**{**options, **changes})


def fulfil(subject: Fulfilment, **changes: Any) -> Any:
    return asyncio.run(subject.fulfil(content_request(**changes), message_id="m-1", on_claim=lambda *_: None))


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
    asyncio.run(
        store.claim("test_gemini_flash_final", document, owner="other", now=NOON, lifetime=expires - NOON)
    )
    # When it is delivered here, too
    assert fulfil(fulfilment(store, pipeline)) == OwnedElsewhere(until=expires)
    # Then nothing is paid
    assert pipeline.calls == 0


def test_an_expired_claim_is_taken_over_as_the_next_attempt() -> None:
    store = MemoryStore()
    long_ago = NOON - timedelta(hours=1)
    document = {"status": "processing", "created_at": long_ago}
    asyncio.run(
        store.claim("test_gemini_flash_final", document, owner="dead", now=long_ago, lifetime=timedelta(0))
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
        work = asyncio.create_task(
            subject.fulfil(content_request(), message_id="m-1", on_claim=lambda *_: None)
        )
        await started.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert store.writes == ["claim", "extend"]

    asyncio.run(scenario())


def test_a_hopeless_request_leaves_a_failed_result_with_the_reason_and_the_cost() -> None:
    async def hopeless(_request: ContentRequest) -> Content:
        raise PermanentError("The document is too large.")

    # Given a request that no attempt can answer
    store = MemoryStore()
    # When it is worked on
    outcome = fulfil(fulfilment(store, FunctionPipeline(hopeless)))
    # Then it is given up at once, and both the outcome and the result say why
    assert isinstance(outcome, Failed)
    assert (outcome.hopeless, outcome.attempts) == (True, 1)
    assert outcome.cost_usd == pytest.approx(0.01)
    result = ContentResult.model_validate(store.documents["test_gemini_flash_final"])
    assert result.status == "failed"
    assert result.cost_usd == pytest.approx(0.01)
    assert result.failures[0].message == "The document is too large."


def failing_differently() -> FunctionPipeline:
    async def unusable(_request: ContentRequest) -> Content:
        raise RequestFailed("No rung gave a usable answer.", stage="script", kind="invalid_json")

    return FunctionPipeline(unusable)


def test_five_failures_alike_are_counted_in_the_document_and_then_it_is_given_up() -> None:
    # Given a request at which every model fails
    store = MemoryStore()
    subject = fulfilment(store, failing_differently())
    # When it is delivered again and again
    outcomes = [fulfil(subject) for _ in range(5)]
    # Then four times it is put off, with the count in its document, and the fifth time it has failed for good
    assert [outcome.hopeless for outcome in outcomes] == [False, False, False, False, True]
    assert outcomes[-1].failure.count == 5
    assert outcomes[-1].cost_usd == pytest.approx(0.05)
    stored = store.documents["test_gemini_flash_final"]
    assert (stored["status"], stored["attempt"], stored["failures"][0]["count"]) == ("failed", 5, 5)
    # And each attempt cost two writes: the claim, and its end with the failure
    assert store.writes == ["claim", "extend"] * 4 + ["claim", "complete"]


def test_what_puts_a_request_off_is_not_counted_as_its_failure() -> None:
    # Given a request that fails once, is put off nine times by an outage, and fails three times more
    store = MemoryStore()

    async def busy(_request: ContentRequest) -> Content:
        raise ModelUnavailable("nobody answered", kind="no_answer")

    fulfil(fulfilment(store, failing_differently()))
    for _ in range(9):
        with pytest.raises(ModelUnavailable):
            fulfil(fulfilment(store, FunctionPipeline(busy)))
    outcomes = [fulfil(fulfilment(store, failing_differently())) for _ in range(3)]
    # Then only its failures count
    assert [(outcome.hopeless, outcome.failure.count) for outcome in outcomes] == [
        (False, 2),
        (False, 3),
        (False, 4),
    ]


def test_a_request_that_meets_a_bug_is_counted_and_told_by_its_place() -> None:
    async def bug(_request: ContentRequest) -> Content:
        raise KeyError("SECRET question of a student")

    store = MemoryStore()
    outcome = fulfil(fulfilment(store, FunctionPipeline(bug)))
    assert isinstance(outcome, Failed)
    assert (outcome.hopeless, outcome.failure.kind) == (False, "bug")
    assert "SECRET" not in str(store.documents) + str(outcome)


def test_an_answered_request_keeps_the_failures_it_had_before() -> None:
    store = MemoryStore()
    fulfil(fulfilment(store, failing_differently()))
    fulfil(fulfilment(store))
    stored = store.documents["test_gemini_flash_final"]
    assert (stored["status"], [one["kind"] for one in stored["failures"]]) == ("completed", ["invalid_json"])


def test_only_a_later_attempt_resumes_what_an_earlier_one_paid() -> None:
    # Given a first attempt that is put off
    store, pipeline = MemoryStore(), FunctionPipeline()

    async def busy(_request: ContentRequest) -> Content:
        raise ModelUnavailable("nobody answered", kind="no_answer")

    first = FunctionPipeline(busy)
    with pytest.raises(ModelUnavailable):
        fulfil(fulfilment(store, first))
    # When it is delivered again
    fulfil(fulfilment(store, pipeline))
    # Then only the second attempt may take what lower rungs have answered
    assert (first.resumed, pipeline.resumed) == ([False], [True])


def test_a_degraded_result_keeps_what_it_takes_to_answer_again_and_a_live_one_does_not() -> None:
    async def degraded(_request: ContentRequest) -> Content:
        return Content(status="completed", provenance={"nlu": LIVE, "script": replace(LIVE, mode="mock")})

    store = MemoryStore()
    subject = fulfilment(store, FunctionPipeline(degraded))
    fulfil(subject, student_query="Explain gravity, my mail is a@b.example")
    fulfil(fulfilment(store), request_id="live")
    debt = store.documents["test_gemini_flash_final"]["debt"]
    assert debt["question"].startswith("Explain gravity")
    assert "a@b.example" not in str(debt)
    assert "student_001" not in str(debt)
    assert "debt" not in store.documents["live"]


def test_a_failed_request_can_be_sent_again() -> None:
    # Given a message that could not become a request
    store = MemoryStore()
    subject = fulfilment(store)
    error = MessageDecodeError("grade_level: missing", kind="invalid_fields")
    asyncio.run(subject.refuse("test_gemini_flash_final", error, message_id="m-0"))
    assert store.documents["test_gemini_flash_final"]["status"] == "failed"
    # When it is mended and published again
    fulfil(subject)
    # Then it is answered, as the second attempt
    stored = store.documents["test_gemini_flash_final"]
    assert (stored["status"], stored["attempt"]) == ("completed", 2)


def test_a_request_that_has_failed_for_good_is_not_worked_on_again_by_a_redelivery() -> None:
    # Given a message that failed five times, of which nobody knows whether its dead letter was published
    store, pipeline = MemoryStore(), failing_differently()
    subject = fulfilment(store, pipeline)
    for _ in range(5):
        fulfil(subject)
    writes = list(store.writes)
    # When it is delivered once more
    outcome = fulfil(subject)
    # Then it is hopeless as it was, and nothing is asked or written
    assert isinstance(outcome, Failed)
    assert (outcome.hopeless, outcome.attempts, outcome.failure.count) == (True, 5, 5)
    assert (pipeline.calls, store.writes) == (5, writes)
    # And when it is sent again, in another message, it is worked on
    resent = asyncio.run(subject.fulfil(content_request(), message_id="m-2", on_claim=lambda *_: None))
    assert isinstance(resent, Failed)
    assert (resent.hopeless, resent.failure.count, pipeline.calls) == (False, 1, 6)


def test_a_malformed_message_leaves_a_request_alone_that_somebody_owns() -> None:
    store = MemoryStore()
    document = {"status": "processing", "created_at": NOON}
    lifetime = timedelta(seconds=30)
    asyncio.run(store.claim("r-1", document, owner="other", now=NOON, lifetime=lifetime))
    error = MessageDecodeError("grade_level: missing", kind="invalid_fields")
    outcome = asyncio.run(fulfilment(store).refuse("r-1", error, message_id="m-1"))
    assert outcome == OwnedElsewhere(until=NOON + lifetime)


def test_no_call_is_paid_for_by_a_worker_whose_claim_has_gone_to_another_one() -> None:
    # Given a worker that is frozen until its claim has expired and another one has the request
    store, moment = MemoryStore(), [NOON]

    async def frozen(_request: ContentRequest) -> Content:
        moment[0] = NOON + timedelta(hours=1)
        store.take_over("test_gemini_flash_final")
        await allowances[0].guard()
        raise AssertionError("a call was let through")

    allowances: list[Allowance] = []

    def allowance(_request: ContentRequest, guard: Guard) -> Allowance:
        allowances.append(Allowance(guard=guard))
        return allowances[0]

    # When it goes on, the next call is not made
    subject = fulfilment(store, FunctionPipeline(frozen), allowance=allowance, now=lambda: moment[0])
    with pytest.raises(ClaimLost):
        fulfil(subject)


def test_a_malformed_message_does_not_touch_a_finished_result() -> None:
    store = MemoryStore()
    subject = fulfilment(store)
    fulfil(subject)
    before = dict(store.documents["test_gemini_flash_final"])
    error = MessageDecodeError("grade_level: missing", kind="invalid_fields")
    asyncio.run(subject.refuse("test_gemini_flash_final", error, message_id="m-0"))
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


def test_a_store_that_is_away_at_the_end_is_waited_for_and_nothing_is_asked_again() -> None:
    # Given a store that is away when the result is to be written
    failed: list[str] = []

    def fail(method: str) -> None:
        if method == "complete" and len(failed) < 7:
            failed.append(method)
            raise StoreUnavailable("down")

    store, pipeline = MemoryStore(fail), FunctionPipeline()
    # When it comes back
    outcome = fulfil(fulfilment(store, pipeline))
    # Then the result is stored, from one round of work
    assert isinstance(outcome, Stored)
    assert (pipeline.calls, store.documents["test_gemini_flash_final"]["status"]) == (1, "completed")


def test_whoever_keeps_claims_alive_gets_the_ownership_and_learns_what_was_spent() -> None:
    owned: list[tuple[Ownership, Allowance]] = []
    subject = fulfilment(MemoryStore(), owner="worker-1")
    asyncio.run(
        subject.fulfil(content_request(), message_id="m-1", on_claim=lambda *both: owned.append(both))
    )
    ((ownership, allowance),) = owned
    assert ownership.claim.owner == "worker-1-1"
    assert allowance.spend.cost_usd == 0.01
