"""Workers whose clocks are wrong: whether a claim has expired is decided on the server's clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.storage.firestore_calls import Firestore
from services.storage.port import Busy, Claim
from tests.contract.stores import (
    MINUTE,
    NO_TIME,
    REQUEST,
    FirestoreStores,
    Store,
    degraded,
    processing,
)

pytestmark = [pytest.mark.emulators, pytest.mark.usefixtures("google_environment")]

HOUR = timedelta(hours=1)

# The clock of whoever has the claim says noon; this is what the clock of whoever wants it says.
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLOCKS = pytest.mark.parametrize("wanted_at", [NOW + HOUR, NOW, NOW - HOUR], ids=["ahead", "right", "behind"])


@pytest.fixture
def stores(project: str) -> FirestoreStores:
    return FirestoreStores(project)


async def claim(store: Store, *, owner: str, now: datetime, lifetime: timedelta = MINUTE) -> Any:
    return await store.claim(REQUEST, processing(), owner=owner, now=now, lifetime=lifetime)


async def degrade(store: Store) -> None:
    await store.complete(await claim(store, owner="first", now=NOW), degraded())


@CLOCKS
def test_nobody_takes_over_a_living_claim_by_a_wrong_clock(
    stores: FirestoreStores, wanted_at: datetime
) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await claim(store, owner="claim-a", now=NOW)

        # When
        answer = await claim(store, owner="claim-b", now=wanted_at)

        # Then
        assert answer == Busy(expires_at=NOW + MINUTE)

    stores.run(scenario)


@CLOCKS
def test_an_expired_claim_is_taken_over_by_any_clock(stores: FirestoreStores, wanted_at: datetime) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await claim(store, owner="claim-a", now=NOW, lifetime=NO_TIME)

        # When
        answer = await claim(store, owner="claim-b", now=wanted_at)

        # Then
        assert isinstance(answer, Claim)
        assert (answer.attempt, answer.expires_at) == (2, wanted_at + MINUTE)

    stores.run(scenario)


@CLOCKS
def test_a_living_claim_on_a_debt_is_alive_by_any_clock(stores: FirestoreStores, wanted_at: datetime) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await degrade(store)
        await store.claim_debt(REQUEST, owner="heal-a", now=NOW, lifetime=MINUTE)

        # When / Then
        assert await store.claim_debt(REQUEST, owner="heal-b", now=wanted_at, lifetime=MINUTE) is None

    stores.run(scenario)


@CLOCKS
def test_an_expired_claim_on_a_debt_is_dead_by_any_clock(
    stores: FirestoreStores, wanted_at: datetime
) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await degrade(store)
        await store.claim_debt(REQUEST, owner="heal-a", now=NOW, lifetime=NO_TIME)

        # When / Then
        assert await store.claim_debt(REQUEST, owner="heal-b", now=wanted_at, lifetime=MINUTE) is not None

    stores.run(scenario)


@pytest.mark.parametrize(("wanted_at", "expected"), [(NOW, Busy), (NOW + MINUTE, Claim)])
def test_a_claim_of_an_earlier_version_expires_by_the_workers_clock(
    stores: FirestoreStores, wanted_at: datetime, expected: type
) -> None:
    async def scenario() -> None:
        # Given: it does not tell when it was renewed
        old = {"owner": "worker-1", "expires_at": NOW + MINUTE}
        firestore = stores.kept(Firestore(project=stores.project))
        await firestore.write(f"content_results/{REQUEST}", {**processing(), "attempt": 1, "claim": old})

        # When
        answer = await claim(stores.store(), owner="claim-b", now=wanted_at)

        # Then
        assert isinstance(answer, expected)

    stores.run(scenario)
