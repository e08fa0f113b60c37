"""What every store does with debts: degraded answers that are to be given again."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from services.errors import ClaimLost
from services.storage.port import Claim, Finished
from tests.contract.stores import (
    MINUTE,
    NO_TIME,
    NOON,
    REQUEST,
    Store,
    Stores,
    completed,
    degraded,
    processing,
    stored,
)

TOKYO = timezone(timedelta(hours=9))
FAILURES = [{"kind": "timeout", "count": 1, "last_at": NOON}]


async def finish(store: Store, document: dict[str, Any], *, request_id: str = REQUEST) -> None:
    """One finished request."""
    claimed = await store.claim(request_id, processing(), owner="first", now=NOON, lifetime=MINUTE)
    assert isinstance(claimed, Claim)
    await store.complete(claimed, document)


async def claim_debt(
    store: Store, *, owner: str = "heal-a", now: datetime = NOON, lifetime: timedelta = MINUTE
) -> Claim | None:
    """A claim on the debt, for one minute if nothing else is said."""
    return await store.claim_debt(REQUEST, owner=owner, now=now, lifetime=lifetime)


async def owned(store: Store, *, owner: str = "heal-a", lifetime: timedelta = MINUTE) -> Claim:
    """A claim on the debt that must succeed."""
    claimed = await claim_debt(store, owner=owner, lifetime=lifetime)
    assert claimed is not None
    return claimed


async def names(store: Store, limit: int = 10) -> list[str]:
    """The debts by their documents' names."""
    return [document["name"] for document in await store.debts(limit)]


def test_debts_are_listed_oldest_first(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        sinces = {
            "third": NOON,
            "first": datetime(2026, 11, 20, 20, 0, tzinfo=TOKYO),
            "second": NOON - MINUTE,
        }
        for name, since in sinces.items():
            await finish(store, degraded(since=since, name=name), request_id=name)

        # When / Then
        assert await names(store) == ["first", "second", "third"]
        assert await names(store, 2) == ["first", "second"]

    stores.run(scenario)


def test_what_owes_nothing_is_no_debt(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, completed(name="good"), request_id="good")
        await finish(store, completed(name="repaid", debt=None), request_id="repaid")
        await finish(store, degraded(name="degraded"), request_id="degraded")
        await store.claim("running", processing(name="running"), owner="o", now=NOON, lifetime=MINUTE)

        # When / Then
        assert await names(store) == ["degraded"]

    stores.run(scenario)


def test_expired_debts_are_left_out_and_do_not_stand_in_the_way(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: the oldest debts are the first to expire
        store = stores.store()
        for number in range(3):
            old = degraded(since=NOON - MINUTE, name="old", expires_at=stores.clock.now())
            await finish(store, old, request_id=f"old-{number}")
        for number in range(3):
            since = NOON + number * MINUTE
            fresh = degraded(since=since, name=f"fresh-{number}", expires_at=NOON + 9 * MINUTE)
            await finish(store, fresh, request_id=f"fresh-{number}")

        # When / Then
        assert await names(store, 1) == ["fresh-0"]
        assert await names(store, 2) == ["fresh-0", "fresh-1"]
        assert await names(store, 9) == ["fresh-0", "fresh-1", "fresh-2"]

    stores.run(scenario)


def test_a_debt_is_claimed_and_its_document_stays_readable(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        document = degraded(failures=FAILURES)
        await finish(store, document)

        # When
        claimed = await owned(store)

        # Then
        assert (claimed.request_id, claimed.owner, claimed.attempt) == (REQUEST, "heal-a", 2)
        assert (claimed.expires_at, claimed.created_at) == (NOON + MINUTE, NOON)
        assert claimed.failures == FAILURES
        lease = {"owner": "heal-a", "renewed_at": NOON, "expires_at": NOON + MINUTE}
        assert await stored(stores.reader()) == {**document, "attempt": 2, "claim": lease}

    stores.run(scenario)


def test_the_better_result_replaces_the_degraded_one(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded(name="degraded"))
        claimed = await store.extend(await owned(store), now=NOON, lifetime=2 * MINUTE)

        # When
        await store.complete(claimed, completed(attempt=claimed.attempt))

        # Then
        assert await stored(stores.reader()) == completed(attempt=2)
        assert await store.debts(10) == []
        assert await claim_debt(store, owner="heal-b") is None

    stores.run(scenario)


def test_a_document_may_be_completed_as_it_was_to_end_the_claim(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded())
        claimed = await owned(store)
        await store.extend(claimed, now=NOON + MINUTE, lifetime=MINUTE)

        # When: with a claim from before the extension, as after a lost answer
        await store.complete(claimed, degraded(attempt=claimed.attempt))

        # Then
        assert await stored(stores.reader()) == degraded(attempt=2)

    stores.run(scenario)


@pytest.mark.parametrize(
    "document",
    [None, completed(), completed(debt=None)],
    ids=["unknown", "without a debt", "with no debt any more"],
)
def test_nothing_is_claimed_where_nothing_is_owed(stores: Stores, document: dict[str, Any] | None) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        if document is not None:
            await finish(store, document)

        # When / Then
        assert await claim_debt(store) is None

    stores.run(scenario)


def test_a_request_that_is_being_worked_on_is_left_to_its_worker(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: its claim has expired, but whoever takes it over does so by an ordinary claim
        store = stores.store()
        debt = degraded()["debt"]
        await store.claim(REQUEST, processing(debt=debt), owner="first", now=NOON, lifetime=NO_TIME)

        # When / Then
        assert await claim_debt(store) is None

    stores.run(scenario)


def test_an_owned_debt_cannot_be_claimed_until_it_is_released(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded())
        claimed = await owned(store)

        # When / Then
        assert await claim_debt(store, owner="heal-b", now=NOON + MINUTE / 2) is None

        # When / Then
        await store.extend(claimed, now=NOON, lifetime=NO_TIME)
        again = await owned(store, owner="heal-b")
        assert again.attempt == 3

    stores.run(scenario)


def test_an_owned_debt_is_finished_for_its_queue_message(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded())
        await owned(store)

        # When
        answer = await store.claim(REQUEST, processing(), owner="first", now=NOON, lifetime=MINUTE)

        # Then
        assert isinstance(answer, Finished)
        assert answer.document["debt"] == degraded()["debt"]

    stores.run(scenario)


@pytest.mark.parametrize("lifetime", [MINUTE, NO_TIME])
def test_a_claim_on_a_debt_that_is_made_again_is_the_same_claim(stores: Stores, lifetime: timedelta) -> None:
    async def scenario() -> None:
        # Given: its answer may have been lost
        store = stores.store()
        await finish(store, degraded())
        first = await owned(store, lifetime=lifetime)

        # When / Then
        assert await owned(store, lifetime=lifetime) == first

    stores.run(scenario)


def test_of_many_racing_claims_on_a_debt_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded())

        # When
        answers = await asyncio.gather(*(claim_debt(store, owner=f"heal-{number}") for number in range(10)))

        # Then
        assert Counter(type(answer) for answer in answers) == {Claim: 1, type(None): 9}

    stores.run(scenario)


def test_a_stale_owner_of_a_debt_can_write_nothing(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, degraded())
        stale = await owned(store, lifetime=NO_TIME)
        await owned(store, owner="heal-b")
        before = await stored(stores.reader())

        # When
        with pytest.raises(ClaimLost):
            await store.complete(stale, completed())
        with pytest.raises(ClaimLost):
            await store.extend(stale, now=NOON, lifetime=MINUTE)

        # Then
        assert await stored(stores.reader()) == before

    stores.run(scenario)
