"""What every result store does: the contract of `services.storage.port`."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.errors import ClaimLost
from services.storage.port import Busy, Claim, Document, Finished, ResultReader, ResultStore
from tests.contract.stores import NOON, Stores, completed, processing

MINUTE = timedelta(minutes=1)
REQUEST = "request-1"


async def claim(
    store: ResultStore, *, owner: str = "worker-a", now: datetime = NOON, **changes: Any
) -> Claim | Busy | Finished:
    """A claim for one minute."""
    document = processing(**changes)
    return await store.claim(REQUEST, document, owner=owner, now=now, expires_at=now + MINUTE)


async def owned(store: ResultStore, *, owner: str = "worker-a", now: datetime = NOON) -> Claim:
    """A claim that must succeed."""
    answer = await claim(store, owner=owner, now=now)
    assert isinstance(answer, Claim)
    return answer


async def stored(reader: ResultReader) -> Document:
    """The document as it is."""
    document = await reader.get(REQUEST)
    assert document is not None
    return document


def test_a_claim_is_stored_with_its_owner(stores: Stores) -> None:
    async def scenario() -> None:
        # When
        claimed = await owned(stores.store())

        # Then
        assert (claimed.request_id, claimed.owner, claimed.attempt) == (REQUEST, "worker-a", 1)
        assert (claimed.expires_at, claimed.created_at) == (NOON + MINUTE, NOON)
        assert await stored(stores.reader()) == {
            **processing(),
            "attempt": 1,
            "claim": {"owner": "worker-a", "expires_at": NOON + MINUTE},
        }

    stores.run(scenario)


def test_a_completed_request_holds_the_result_and_nothing_of_the_claim(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)

        # When
        await store.complete(claimed, completed())

        # Then
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_a_finished_request_stays_finished(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.complete(await owned(store), completed())

        # When
        answer = await claim(store, owner="worker-b", now=NOON + 10 * MINUTE)

        # Then
        assert answer == Finished(document=completed())
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_a_failed_request_may_be_claimed_again(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.complete(await owned(store), completed(status="failed", failures=["no model answered"]))

        # When
        again = await owned(store, owner="worker-b")

        # Then
        assert again.attempt == 2
        assert "failures" not in await stored(stores.reader())

    stores.run(scenario)


@pytest.mark.parametrize(("owner", "now"), [("worker-a", NOON), ("worker-b", NOON + MINUTE / 2)])
def test_a_request_under_a_live_claim_is_busy_for_everybody(
    stores: Stores, owner: str, now: datetime
) -> None:
    async def scenario() -> None:
        # Given: its own worker may have been handed the message twice
        store = stores.store()
        await owned(store, owner="worker-a")

        # When
        answer = await claim(store, owner=owner, now=now)

        # Then
        assert answer == Busy(expires_at=NOON + MINUTE)

    stores.run(scenario)


def test_of_many_racing_claims_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        workers = [(stores.store(), f"worker-{number}") for number in range(3)] * 10

        # When
        answers = await asyncio.gather(*(claim(store, owner=owner) for store, owner in workers))

        # Then
        assert Counter(type(answer) for answer in answers) == {Claim: 1, Busy: 29}

    stores.run(scenario)


def test_of_many_racing_take_overs_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await owned(store, owner="gone")

        # When
        owners = [f"worker-{number}" for number in range(10)]
        answers = await asyncio.gather(
            *(claim(store, owner=owner, now=NOON + 2 * MINUTE) for owner in owners)
        )

        # Then
        assert Counter(type(answer) for answer in answers) == {Claim: 1, Busy: 9}
        (winner,) = [answer for answer in answers if isinstance(answer, Claim)]
        assert (await stored(stores.reader()))["claim"]["owner"] == winner.owner

    stores.run(scenario)


def test_an_expired_claim_is_taken_over_and_counted(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await claim(store, owner="worker-a", left_over="by the first worker")

        # When: to the microsecond when it ends
        later = NOON + MINUTE
        taken = await claim(store, owner="worker-b", now=later, created_at=later)

        # Then
        assert isinstance(taken, Claim)
        assert (taken.owner, taken.attempt, taken.created_at) == ("worker-b", 2, NOON)
        assert await stored(stores.reader()) == {
            **processing(),
            "attempt": 2,
            "claim": {"owner": "worker-b", "expires_at": later + MINUTE},
        }

    stores.run(scenario)


def test_an_extended_claim_cannot_be_taken_over(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)

        # When
        extended = await store.extend(claimed, expires_at=NOON + 3 * MINUTE)

        # Then
        assert extended.expires_at == NOON + 3 * MINUTE
        assert await claim(store, owner="worker-b", now=NOON + 2 * MINUTE) == Busy(
            expires_at=extended.expires_at
        )
        await store.complete(extended, completed())

    stores.run(scenario)


def test_a_released_claim_can_be_taken_over_at_once(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store, owner="worker-a")

        # When
        await store.extend(claimed, expires_at=NOON)

        # Then
        taken = await owned(store, owner="worker-b", now=NOON)
        assert taken.attempt == 2

    stores.run(scenario)


@pytest.mark.parametrize("new_owner", ["worker-a", "worker-b"])
def test_a_stale_owner_can_write_nothing(stores: Stores, new_owner: str) -> None:
    async def scenario() -> None:
        # Given: also a worker that took over from itself has only one valid claim
        store = stores.store()
        stale = await owned(store, owner="worker-a")
        await owned(store, owner=new_owner, now=NOON + MINUTE)
        before = await stored(stores.reader())

        # When
        with pytest.raises(ClaimLost):
            await store.complete(stale, completed())
        with pytest.raises(ClaimLost):
            await store.extend(stale, expires_at=NOON + 9 * MINUTE)

        # Then
        assert await stored(stores.reader()) == before

    stores.run(scenario)


def test_nothing_can_be_written_after_completion(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)
        await store.complete(claimed, completed())

        # When
        with pytest.raises(ClaimLost):
            await store.extend(claimed, expires_at=NOON + 9 * MINUTE)
        with pytest.raises(ClaimLost):
            await store.complete(claimed, completed(status="failed"))

        # Then
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_a_claim_on_a_request_that_was_removed_is_lost(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        claimed = await owned(stores.store())
        elsewhere = stores.empty_store()

        # When / Then
        with pytest.raises(ClaimLost):
            await elsewhere.complete(claimed, completed())

    stores.run(scenario)


VALUES = {
    "text": 'Wörter, 日本語, 🙂 and "quotes"',
    "nothing": None,
    "numbers": [0, -1, 2**53 + 1, 0.1, 1e-9, 1.0],
    "flags": [True, False],
    "times": [NOON.replace(microsecond=123456), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5)))],
    "nested": {"list": [{"deep": {"er": [1, {"est": None}]}}], "empty": {}, "none": []},
    "odd keys": {"a.b": 1, "with space": 2, "`": 3, "é": 4},
}


def test_values_come_back_as_they_went_in(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)
        document = completed(values=VALUES)

        # When
        await store.complete(claimed, document)

        # Then
        found = await stored(stores.reader())
        assert found == document
        assert all(time.tzinfo is not None for time in found["values"]["times"])
        assert [type(number) for number in found["values"]["numbers"]] == [int, int, int, float, float, float]

    stores.run(scenario)


def test_an_ordinary_message_costs_two_writes(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        writes = stores.count_writes(monkeypatch)

        # When
        await store.complete(await owned(store), completed())

        # Then
        assert writes() == 2

    stores.run(scenario)


def test_an_unknown_request_has_no_result(stores: Stores) -> None:
    async def scenario() -> None:
        # When / Then
        assert await stores.reader().get("never-seen") is None

    stores.run(scenario)


async def finish(store: ResultStore, request_id: str, **changes: Any) -> None:
    """One finished request."""
    claimed = await store.claim(request_id, processing(), owner="w", now=NOON, expires_at=NOON + MINUTE)
    assert isinstance(claimed, Claim)
    await store.complete(claimed, completed(name=request_id, **changes))


def test_results_are_listed_newest_first(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        for minute, name in enumerate(["first", "second", "third"]):
            await finish(store, name, created_at=NOON + minute * MINUTE)

        # When
        newest = await stores.reader().newest(2)

        # Then
        assert [document["name"] for document in newest] == ["third", "second"]

    stores.run(scenario)


def test_results_are_listed_by_status(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await finish(store, "good")
        await finish(store, "bad", status="failed")

        # When
        failed = await stores.reader().newest(10, status="failed")

        # Then
        assert [document["name"] for document in failed] == ["bad"]

    stores.run(scenario)


def test_expired_results_are_not_shown(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store, reader = stores.store(), stores.reader()
        await finish(store, "old", expires_at=stores.clock.now())
        await finish(store, "fresh", expires_at=stores.clock.now() + MINUTE)

        # When
        listed = await reader.newest(10)

        # Then
        assert [document["name"] for document in listed] == ["fresh"]
        assert await reader.get("old") is None
        assert await reader.get("fresh") is not None

    stores.run(scenario)


def test_times_are_compared_across_time_zones(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        tokyo = timezone(timedelta(hours=9))
        await finish(store, "earlier", created_at=datetime(2026, 11, 20, 20, 0, tzinfo=tokyo))
        await finish(store, "later", created_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))

        # When
        listed = await stores.reader().newest(10)

        # Then
        assert [document["name"] for document in listed] == ["later", "earlier"]

    stores.run(scenario)
