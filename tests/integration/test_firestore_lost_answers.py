"""Answers of Firestore that get lost after the write has landed: the retry's conflict is then our own doing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions

from services.errors import ClaimLost, StoreUnavailable
from services.storage.firestore_stubs import FirestoreStubs
from services.storage.port import Busy, Claim
from tests.contract.stores import (
    MINUTE,
    NO_TIME,
    NOON,
    REQUEST,
    FirestoreStores,
    completed,
    degraded,
    processing,
    stored,
)

pytestmark = [pytest.mark.emulators, pytest.mark.usefixtures("google_environment")]

LoseAnswers = Callable[[int], None]


@pytest.fixture
def stores(project: str) -> FirestoreStores:
    return FirestoreStores(project)


@pytest.fixture
def lose_answers(monkeypatch: pytest.MonkeyPatch) -> LoseAnswers:
    """Lose the answers to the next commits, this many; they are carried out all the same."""
    left = 0
    commit = FirestoreStubs.commit

    async def lossy(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        answer = await commit(*args, **kwargs)
        if left:
            left -= 1
            raise exceptions.ServiceUnavailable("connection reset")
        return answer

    def lose(count: int) -> None:
        nonlocal left
        left = count

    monkeypatch.setattr(FirestoreStubs, "commit", lossy)
    return lose


async def claim(
    stores: FirestoreStores, *, owner: str = "claim-a", lifetime: timedelta = MINUTE
) -> Claim | Busy:
    answer = await stores.store().claim(REQUEST, processing(), owner=owner, now=NOON, lifetime=lifetime)
    assert isinstance(answer, Claim | Busy)
    return answer


async def owned(stores: FirestoreStores, *, owner: str = "claim-a", lifetime: timedelta = MINUTE) -> Claim:
    answer = await claim(stores, owner=owner, lifetime=lifetime)
    assert isinstance(answer, Claim)
    return answer


def test_a_claim_whose_answer_was_lost_is_ours(stores: FirestoreStores, lose_answers: LoseAnswers) -> None:
    async def scenario() -> None:
        # Given
        lose_answers(1)

        # When
        claimed = await owned(stores)

        # Then: and it can be written with
        assert claimed.attempt == 1
        await stores.store().complete(claimed, completed())

    stores.run(scenario)


def test_a_take_over_whose_answer_was_lost_is_ours(
    stores: FirestoreStores, lose_answers: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given: the first commit, a create, fails anyway; the second takes over
        await claim(stores, owner="gone", lifetime=NO_TIME)
        lose_answers(1)

        # When
        taken = await owned(stores)

        # Then
        assert taken.attempt == 2
        await stores.store().complete(taken, completed())

    stores.run(scenario)


def test_an_extension_whose_answer_was_lost_holds(stores: FirestoreStores, lose_answers: LoseAnswers) -> None:
    async def scenario() -> None:
        # Given
        claimed = await owned(stores)
        lose_answers(1)

        # When
        extended = await stores.store().extend(claimed, now=NOON, lifetime=5 * MINUTE)

        # Then
        assert await claim(stores, owner="claim-b") == Busy(expires_at=NOON + 5 * MINUTE)
        await stores.store().complete(extended, completed())

    stores.run(scenario)


def test_changes_whose_answer_was_lost_are_written_once(
    stores: FirestoreStores, lose_answers: LoseAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given
        claimed = await owned(stores)
        writes = stores.count_writes(monkeypatch)
        lose_answers(1)

        # When
        failures = [{"kind": "invalid_answer", "count": 1, "last_at": NOON}]
        await stores.store().extend(claimed, now=NOON, lifetime=NO_TIME, changes={"failures": failures})

        # Then: the second try met the first one's write
        assert writes() == 2
        assert (await stored(stores.reader()))["failures"] == failures

    stores.run(scenario)


def test_a_claim_survives_an_extension_that_was_given_up_but_landed(
    stores: FirestoreStores, lose_answers: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given: the reads after the conflicts fail for lack of answers, too
        store = stores.store()
        claimed = await owned(stores)
        lose_answers(1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store._documents, "read", unavailable)
            with pytest.raises(StoreUnavailable):
                await store.extend(claimed, now=NOON, lifetime=5 * MINUTE)

        # When
        await store.complete(claimed, completed())

        # Then
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


async def unavailable(_request_id: str) -> None:
    raise StoreUnavailable("nobody there")


def test_a_completion_whose_answer_was_lost_is_done(
    stores: FirestoreStores, lose_answers: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given
        claimed = await owned(stores)
        lose_answers(1)

        # When
        await stores.store().complete(claimed, completed())

        # Then
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_a_lost_answer_does_not_make_a_stale_owner_an_owner(
    stores: FirestoreStores, lose_answers: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given
        stale = await owned(stores, lifetime=NO_TIME)
        await claim(stores, owner="claim-b")
        lose_answers(2)

        # When / Then
        with pytest.raises(ClaimLost):
            await stores.store().complete(stale, completed())

    stores.run(scenario)


def test_a_claim_on_a_debt_whose_answer_was_lost_is_ours(
    stores: FirestoreStores, lose_answers: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.complete(await owned(stores), degraded())
        lose_answers(1)

        # When
        claimed = await store.claim_debt(REQUEST, owner="heal-a", now=NOON, lifetime=MINUTE)

        # Then: and it can be written with
        assert claimed is not None
        assert claimed.attempt == 2
        await store.complete(claimed, completed(attempt=2))

    stores.run(scenario)
