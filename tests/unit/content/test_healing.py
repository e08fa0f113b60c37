"""Debts are repaid once, by something better or not at all, and the old result stays readable until then."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from services.content.failures import SAME_FAILURES
from services.content.fulfilment import AlreadyFinished, Fulfilment
from services.content.healing import SKIPPED, Healing, Settled
from services.content.models import (
    ContentRequest,
    ContentResult,
    DraftSection,
    Mode,
    Script,
    ScriptDraft,
    Status,
)
from services.content.pipeline import Blocked, Content
from services.content.quality import time_script
from services.content.results import ResultPolicy, finished_document
from services.errors import (
    ClaimLost,
    ConfigurationError,
    ContentWorkerError,
    NoModelAnswered,
    RequestFailed,
    StoreUnavailable,
)
from services.generation.allowance import Allowance
from services.generation.port import Provenance
from services.generation.spend import Spend
from services.storage.patience import Patience
from tests.builders import NOON, content_request
from tests.contract.clock import Clock
from tests.fakes import LIVE, MemoryStore

POLICY = ResultPolicy(student_key=b"key", ttl=timedelta(days=30), image_digest="sha256:new")
OLD_POLICY = replace(POLICY, image_digest="sha256:old")
LIFETIME = timedelta(minutes=6)
QUESTION = "Why do zebras 4711 have stripes, in the words of soccer?"
ID = "test_gemini_flash_final"

NOBODY = NoModelAnswered("No rung of the ladder for script answered.")
UNUSABLE = RequestFailed("Every rung failed at this request.", stage="script", kind="invalid_answer")

healers = count(1)


def script(title: str) -> Script:
    section = DraftSection(title="One", content="Some words.")
    return time_script(
        ScriptDraft(title=title, hook="Look!", sections=[section, section], key_takeaways=["a", "b"]),
        language="en",
    )


def content(mode: Mode = "live", *, title: str | None = "Live", status: Status = "completed") -> Content:
    made = replace(LIVE, mode=mode)
    stages: dict[Any, Provenance] = {"nlu": made, "interest": made, "script": made}
    return Content(status=status, script=script(title) if title else None, provenance=stages)


BLOCKED = replace(
    content(title=None, status="blocked"),
    blocked=Blocked(stage="script", kind="blocked", message="The safety filter blocked the answer."),
)
ASKS_BACK = content(title=None, status="needs_clarification")


def owing(store: MemoryStore, old: Content | None = None, **changes: Any) -> dict[str, Any]:
    """A degraded result of yesterday, as `debts` returns it."""
    fields = {"student_query": QUESTION, "correlation_id": "c-1", **changes}
    yesterday = NOON - timedelta(days=1)
    document = finished_document(
        content_request(**fields),
        old or content("mock", title="Mock"),
        OLD_POLICY,
        message_id="m-1",
        attempt=1,
        failures=[],
        created_at=yesterday,
        now=yesterday,
    )
    store.documents[document["request_id"]] = document
    return dict(document)


class FunctionPipeline:
    """A pipeline that is a function, or always gives the same."""

    def __init__(self, respond: Callable[[], Awaitable[Content]] | Content | Exception | None = None) -> None:
        self._respond = content() if respond is None else respond
        self.requests: list[ContentRequest] = []

    async def produce(self, request: ContentRequest, *, resumes: bool, allowance: Allowance) -> Content:
        assert not resumes, "any answer of a lower rung would do then"
        self.requests.append(request)
        allowance.add(Spend(calls=1, cost_usd=0.01))
        if isinstance(self._respond, Exception):
            raise self._respond
        return self._respond if isinstance(self._respond, Content) else await self._respond()


def healing(store: MemoryStore, pipeline: FunctionPipeline | None = None, **changes: Any) -> Healing:
    parts: dict[str, Any] = {
        "store": store,
        "debts": store,
        "pipeline": pipeline or FunctionPipeline(),
        "policy": POLICY,
        "owner": f"healer-{next(healers)}",
        "claim_lifetime": LIFETIME,
        "allowance": lambda _request, guard: Allowance(guard=guard),
        "now": lambda: NOON,
    }
    return Healing(**{**parts, **changes})


def heal(subject: Healing, document: dict[str, Any]) -> Settled:
    return asyncio.run(subject.heal(document, on_claim=lambda _: None))


def without_claim(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("claim", "attempt")}


def test_a_debt_is_repaid_by_a_live_answer_which_keeps_how_the_old_one_came_about() -> None:
    # Given a result of the mock from yesterday
    store = MemoryStore()
    old = owing(store)
    # When its debt is repaid
    assert heal(healing(store), old) == Settled(outcome="healed")
    # Then the better one is there, in two writes
    stored = store.documents[ID]
    assert store.writes == ["claim_debt", "complete"]
    result = ContentResult.model_validate(stored)
    assert (result.status, result.mode, result.degraded) == ("completed", "live", False)
    assert result.script is not None
    assert result.script.title == "Live"
    assert (result.attempt, result.image_digest) == (2, "sha256:new")
    # And it is the same request's, as old as before, and lives as long as any new one
    for name in ("request_id", "correlation_id", "student_ref", "created_at"):
        assert stored[name] == old[name]
    assert result.expires_at == NOON + POLICY.ttl
    # And nothing is owed or owned, and what came first is told
    assert not {"debt", "claim"} & set(stored)
    (earlier,) = result.earlier
    assert (earlier.mode, earlier.status) == ("mock", "completed")
    assert earlier.stages["script"].mode == "mock"
    assert earlier.completed_at == NOON - timedelta(days=1)


def test_the_question_is_asked_again_as_it_was_but_without_its_student() -> None:
    store, pipeline = MemoryStore(), FunctionPipeline()
    long_question = "a@b.co " * 270 + QUESTION  # which masking makes longer than a message may have it
    old = owing(
        store,
        student_query=long_question,
        interest="chess",
        interests=["soccer"],
        grade_level=5,
        duration_seconds=60,
        language="de",
    )
    heal(healing(store, pipeline), old)
    (asked,) = pipeline.requests
    assert asked.student_query == "[email] " * 270 + QUESTION
    assert asked.candidate_interests == ["chess", "soccer"]
    assert (asked.grade_level, asked.duration_seconds, asked.language) == (5, 60, "de")
    assert (asked.request_id, asked.correlation_id, asked.student_id) == (ID, "c-1", "")


def test_the_question_lies_in_the_debt_only_and_is_gone_with_it() -> None:
    store = MemoryStore()
    old = owing(store)
    assert QUESTION in str(old["debt"])
    assert QUESTION not in str({name: value for name, value in old.items() if name != "debt"})
    heal(healing(store), old)
    assert QUESTION not in str(store.documents)


@pytest.mark.parametrize("status", ["needs_clarification", "out_of_scope"])
def test_a_question_that_the_mock_could_not_teach_is_owed_an_answer_and_gets_it(status: Status) -> None:
    # Given a question back, or a refusal, that the mock gave while no model answered
    store = MemoryStore()
    old = owing(store, content("mock", title=None, status=status))
    assert old["debt"]["question"] == QUESTION
    # When models answer again
    assert heal(healing(store), old).outcome == "healed"
    # Then there is a lesson
    assert store.documents[ID]["status"] == "completed"
    assert store.documents[ID]["script"]["title"] == "Live"


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(content("mock", title="Another"), id="the mock once more"),
        pytest.param(ASKS_BACK, id="a question back"),
        pytest.param(content(title=None, status="out_of_scope"), id="no topic"),
    ],
)
def test_a_lesson_is_never_replaced_by_something_worse_and_its_debt_is_written_off(new: Content) -> None:
    # Given a lesson that is owed a better one
    store = MemoryStore()
    old = owing(store)
    # When the new answer is none
    assert heal(healing(store, FunctionPipeline(new)), old) == Settled(outcome="kept")
    # Then it stays as it was, and its question is not kept any longer
    del old["debt"]
    assert store.documents[ID] == {**old, "attempt": 2}


def test_a_lesson_of_a_lower_model_is_not_replaced_by_one_as_low() -> None:
    store = MemoryStore()
    old = owing(store, content("fallback", title="Fallback"))
    assert heal(healing(store, FunctionPipeline(content("fallback"))), old).outcome == "kept"
    assert store.documents[ID]["script"]["title"] == "Fallback"


def test_when_a_model_blocks_the_old_lesson_stays_and_tells_why_it_is_not_asked_again() -> None:
    store = MemoryStore()
    old = owing(store)
    settled = heal(healing(store, FunctionPipeline(BLOCKED)), old)
    assert settled.outcome == "kept"
    stored = store.documents[ID]
    assert (stored["status"], stored["mode"], stored["script"]) == ("completed", "mock", old["script"])
    assert "debt" not in stored
    (failure,) = stored["failures"]
    assert (failure["stage"], failure["kind"], failure["last_at"]) == ("script", "blocked", NOON)
    assert settled.failure is not None
    assert settled.failure.model_dump() == failure


def test_where_there_was_no_lesson_a_block_is_the_better_result_and_tells_why() -> None:
    store = MemoryStore()
    old = owing(store, replace(ASKS_BACK, provenance=content("mock").provenance))
    assert heal(healing(store, FunctionPipeline(BLOCKED)), old).outcome == "healed"
    result = ContentResult.model_validate(store.documents[ID])
    assert (result.status, result.mode, result.debt) == ("blocked", "live", None)
    assert [failure.kind for failure in result.failures] == ["blocked"]


def blocked_by_filter(store: MemoryStore) -> dict[str, Any]:
    """A result of yesterday whose script a model's filter has blocked."""
    return owing(store, BLOCKED)


def test_a_block_by_a_models_filter_is_owed_a_second_look_and_one_by_our_own_screen_is_not() -> None:
    store = MemoryStore()
    assert blocked_by_filter(store)["debt"]["question"] == QUESTION
    screened = Content(
        status="blocked", blocked=Blocked(stage="screen", kind="violence", message="Blocked before.")
    )
    assert "debt" not in owing(store, screened)


@pytest.mark.parametrize("new", [content(), ASKS_BACK], ids=["a lesson", "a question back"])
def test_a_false_alarm_of_the_filter_is_repaired(new: Content) -> None:
    # Given a blocked result
    store = MemoryStore()
    old = blocked_by_filter(store)
    # When the filter lets the same question pass
    assert heal(healing(store, FunctionPipeline(new)), old).outcome == "healed"
    # Then its answer takes the block's place, and tells of it
    result = ContentResult.model_validate(store.documents[ID])
    assert (result.status, result.mode, result.debt) == (new.status, "live", None)
    (earlier,) = result.earlier
    assert earlier.status == "blocked"


def test_a_block_is_looked_at_twice_and_then_believed() -> None:
    store = MemoryStore()
    blocked_by_filter(store)
    # Given a filter that says the same every time
    outcomes = [
        heal(healing(store, FunctionPipeline(BLOCKED)), dict(store.documents[ID])).outcome for _ in range(2)
    ]
    # Then it is still owed after the first look, and no more after the second
    assert outcomes == ["failed", "kept"]
    stored = store.documents[ID]
    assert (stored["status"], "debt" in stored) == ("blocked", False)
    assert [(one["kind"], one["count"]) for one in stored["failures"]] == [("blocked", 3)]


def test_blocks_for_different_reasons_are_counted_together() -> None:
    store = MemoryStore()
    blocked_by_filter(store)
    for stage, outcome in (("nlu", "failed"), ("interest", "kept")):
        reason = Blocked(stage=stage, kind="blocked", message=f"Blocked at {stage}.")
        pipeline = FunctionPipeline(replace(BLOCKED, blocked=reason))
        assert heal(healing(store, pipeline), dict(store.documents[ID])).outcome == outcome


def test_a_block_of_a_lower_model_is_not_replaced_by_another_block() -> None:
    store = MemoryStore()
    lower = content("fallback").provenance
    old = owing(store, replace(BLOCKED, provenance=lower))
    assert heal(healing(store, FunctionPipeline(BLOCKED)), old).outcome == "failed"
    assert "debt" in store.documents[ID]


def test_two_healers_at_once_pay_for_a_debt_once() -> None:
    async def scenario() -> None:
        # Given a healer in the middle of an answer
        asked, answers = asyncio.Event(), asyncio.Event()

        async def slowly() -> Content:
            asked.set()
            await answers.wait()
            return content()

        store, second = MemoryStore(), FunctionPipeline()
        old = owing(store)
        first = asyncio.create_task(
            healing(store, FunctionPipeline(slowly)).heal(old, on_claim=lambda _: None)
        )
        await asked.wait()
        # When another one comes to the same debt, then and once more when it is repaid
        late = healing(store, second)
        assert await late.heal(old, on_claim=lambda _: None) == SKIPPED
        answers.set()
        assert (await first).outcome == "healed"
        assert await late.heal(old, on_claim=lambda _: None) == SKIPPED
        # Then it asks no model
        assert not second.requests
        assert len(store.documents[ID]["earlier"]) == 1

    asyncio.run(scenario())


def test_while_a_debt_is_repaid_its_result_is_readable_and_a_redelivery_is_acked() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        old = owing(store)
        redelivered: list[object] = []

        async def with_a_redelivery() -> Content:
            assert without_claim(store.documents[ID]) == without_claim(old)
            worker = Fulfilment(
                store=store,
                pipeline=FunctionPipeline(),  # type: ignore[arg-type]  # a pipeline that is a function
                policy=POLICY,
                owner="worker",
                claim_lifetime=LIFETIME,
                allowance=lambda _request, guard: Allowance(guard=guard),
                patience=Patience(),
                now=lambda: NOON,
            )
            redelivered.append(
                await worker.fulfil(content_request(), message_id="m-1", on_claim=lambda *_: None)
            )
            return content()

        subject = healing(store, FunctionPipeline(with_a_redelivery))
        assert (await subject.heal(old, on_claim=lambda _: None)).outcome == "healed"
        assert redelivered == [AlreadyFinished()]

    asyncio.run(scenario())


def test_a_dead_healers_debt_is_repaid_by_another_once_its_claim_has_ended() -> None:
    # Given a debt whose healer died while the model was asked
    store, clock = MemoryStore(), Clock()
    old = owing(store)
    asyncio.run(store.claim_debt(ID, owner="dead", now=clock.now(), lifetime=LIFETIME))
    assert without_claim(store.documents[ID]) == without_claim(old)
    other = healing(store, now=clock.now)
    # When another one comes within the claim's lifetime, and afterwards
    clock.advance(LIFETIME.total_seconds() - 1)
    assert heal(other, old) == SKIPPED
    clock.advance(1)
    assert heal(other, old).outcome == "healed"
    assert store.documents[ID]["attempt"] == 3


def test_a_healer_that_was_outrun_leaves_the_others_result_alone() -> None:
    store = MemoryStore()
    old = owing(store)

    async def outrun() -> Content:
        store.take_over(ID)
        return content()

    assert heal(healing(store, FunctionPipeline(outrun)), old) == SKIPPED
    assert store.documents[ID]["claim"]["owner"] == "another worker"
    assert without_claim(store.documents[ID]) == without_claim(old)


def test_a_result_that_expired_meanwhile_is_not_brought_back() -> None:
    store, pipeline = MemoryStore(), FunctionPipeline()
    old = owing(store)
    late = healing(store, pipeline, now=lambda: old["expires_at"])
    assert heal(late, old) == SKIPPED
    assert not pipeline.requests
    assert not store.writes


def test_a_result_that_was_removed_meanwhile_is_not_brought_back() -> None:
    # Given one that is removed while the model is asked
    store = MemoryStore()
    old = owing(store)

    async def removed() -> Content:
        store.documents.clear()
        return content()

    # When it is removed then, or was before
    assert heal(healing(store, FunctionPipeline(removed)), old) == SKIPPED
    assert heal(healing(store), old) == SKIPPED
    # Then it stays so
    assert store.documents == {}


@pytest.mark.parametrize("error", [NOBODY, ConfigurationError("Access is denied.", fix="Grant it.")])
def test_what_is_not_the_requests_fault_leaves_the_debt_for_the_next_one_at_once(
    error: ContentWorkerError,
) -> None:
    store = MemoryStore()
    old = owing(store)
    with pytest.raises(type(error)):
        heal(healing(store, FunctionPipeline(error)), old)
    assert without_claim(store.documents[ID]) == without_claim(old)
    assert heal(healing(store), old).outcome == "healed"


@pytest.mark.parametrize("method", ["claim_debt", "complete"])
def test_a_store_that_is_away_loses_nothing(method: str) -> None:
    # Given a store that goes away before one of its calls
    def away(called: str) -> None:
        if called in (method, "extend"):
            raise StoreUnavailable("The store did not answer.")

    store, clock = MemoryStore(away), Clock()
    old = owing(store)
    # When a debt is to be repaid
    with pytest.raises(StoreUnavailable):
        heal(healing(store, now=clock.now), old)
    # Then the old result is there, and the next healer repays the debt when the claim has ended
    assert without_claim(store.documents[ID]) == without_claim(old)
    store.before = lambda _method: None
    clock.advance(LIFETIME.total_seconds())
    assert heal(healing(store, now=clock.now), old).outcome == "healed"


def test_cancelled_work_releases_its_claim() -> None:
    async def scenario() -> None:
        asked = asyncio.Event()

        async def endless() -> Content:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        store = MemoryStore()
        old = owing(store)
        work = asyncio.create_task(
            healing(store, FunctionPipeline(endless)).heal(old, on_claim=lambda _: None)
        )
        await asked.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert store.documents[ID]["claim"]["expires_at"] == NOON
        assert (await healing(store).heal(old, on_claim=lambda _: None)).outcome == "healed"

    asyncio.run(scenario())


def test_an_unusable_answer_is_counted_and_the_debt_stays() -> None:
    store = MemoryStore()
    old = owing(store)
    settled = heal(healing(store, FunctionPipeline(UNUSABLE)), old)
    assert settled.outcome == "failed"
    stored = store.documents[ID]
    assert stored["debt"] == old["debt"]
    assert stored["script"] == old["script"]
    (failure,) = stored["failures"]
    assert (failure["stage"], failure["kind"], failure["count"]) == ("script", "invalid_answer", 1)
    assert failure["cost_usd"] == pytest.approx(0.01)


def test_after_five_unusable_answers_the_debt_is_written_off_and_the_reason_kept() -> None:
    # Given a debt that was read once, and tried in vain ever since
    store = MemoryStore()
    old = owing(store)
    pipeline = FunctionPipeline(UNUSABLE)
    # When it is tried once more than what is hopeful
    outcomes = [heal(healing(store, pipeline), old).outcome for _ in range(SAME_FAILURES + 1)]
    # Then it ends
    assert outcomes == ["failed"] * (SAME_FAILURES - 1) + ["kept", "skipped"]
    assert len(pipeline.requests) == SAME_FAILURES
    stored = store.documents[ID]
    assert stored["script"] == old["script"]
    assert not {"debt", "claim"} & set(stored)
    (failure,) = stored["failures"]
    assert failure["count"] == SAME_FAILURES
    assert failure["cost_usd"] == pytest.approx(0.01 * SAME_FAILURES)


def test_failures_from_before_stand_in_the_repaid_result_also_those_that_came_after_reading() -> None:
    store = MemoryStore()
    old = owing(store)
    heal(healing(store, FunctionPipeline(UNUSABLE)), old)
    assert heal(healing(store), old).outcome == "healed"
    assert [failure["kind"] for failure in store.documents[ID]["failures"]] == ["invalid_answer"]


def test_a_bug_is_counted_like_any_failure_and_told_by_its_place_only() -> None:
    store = MemoryStore()
    old = owing(store)
    settled = heal(healing(store, FunctionPipeline(ValueError(QUESTION))), old)
    assert settled.outcome == "failed"
    assert settled.failure is not None
    assert "content/test_healing.py" in settled.failure.message
    assert QUESTION not in settled.failure.message
    assert store.documents[ID]["debt"] == old["debt"]


def test_one_healer_claims_the_same_debt_under_another_name_every_time() -> None:
    store = MemoryStore()
    old = owing(store)
    owners = []

    async def busy() -> Content:
        owners.append(store.documents[ID]["claim"]["owner"])
        raise NOBODY

    subject = healing(store, FunctionPipeline(busy))
    for _ in range(2):
        with pytest.raises(NoModelAnswered):
            heal(subject, old)
    assert len(set(owners)) == 2


@pytest.mark.parametrize("error", [ClaimLost("Another worker owns it."), StoreUnavailable("No answer.")])
def test_a_release_that_fails_does_not_hide_why_the_work_ended(error: ContentWorkerError) -> None:
    def refuse(called: str) -> None:
        if called == "extend":
            raise error

    store = MemoryStore(refuse)
    old = owing(store)
    with pytest.raises(NoModelAnswered):
        heal(healing(store, FunctionPipeline(NOBODY)), old)
