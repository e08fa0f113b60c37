"""What every result store does: the contract of `services.storage.port`.

A claim whose lifetime is over is one of no lifetime at all, or one that was released: no test waits.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.errors import ClaimLost
from services.storage.port import Busy, Claim, Finished, ResultStore
from tests.contract.stores import MINUTE, NO_TIME, NOON, REQUEST, Stores, completed, processing, stored

FAILURES = [{"kind": "invalid_answer", "count": 2, "last_at": NOON}]


async def claim(
    store: ResultStore,
    *,
    owner: str = "claim-a",
    now: datetime = NOON,
    lifetime: timedelta = MINUTE,
    **changes: Any,
) -> Claim | Busy | Finished:
    """A claim, for one minute if nothing else is said."""
    return await store.claim(REQUEST, processing(**changes), owner=owner, now=now, lifetime=lifetime)


async def owned(store: ResultStore, *, owner: str = "claim-a", **changes: Any) -> Claim:
    """A claim that must succeed."""
    answer = await claim(store, owner=owner, **changes)
    assert isinstance(answer, Claim)
    return answer


def lease(owner: str, *, now: datetime = NOON, lifetime: timedelta = MINUTE) -> dict[str, Any]:
    """A claim as it is stored."""
    return {"owner": owner, "renewed_at": now, "expires_at": now + lifetime}


def test_a_claim_is_stored_with_its_owner(stores: Stores) -> None:
    async def scenario() -> None:
        # When
        claimed = await owned(stores.store())

        # Then
        assert (claimed.request_id, claimed.owner, claimed.attempt) == (REQUEST, "claim-a", 1)
        assert (claimed.expires_at, claimed.created_at) == (NOON + MINUTE, NOON)
        assert claimed.failures == []
        assert await stored(stores.reader()) == {**processing(), "attempt": 1, "claim": lease("claim-a")}

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
        answer = await claim(store, owner="claim-b", now=NOON + 10 * MINUTE)

        # Then
        assert answer == Finished(document=completed())
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_a_failed_request_may_be_claimed_again_and_its_failures_are_over(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.complete(await owned(store), completed(status="failed", failures=FAILURES))

        # When
        again = await owned(store, owner="claim-b", created_at=NOON + MINUTE)

        # Then
        assert (again.attempt, again.created_at, again.failures) == (2, NOON, [])
        assert "failures" not in await stored(stores.reader())

    stores.run(scenario)


def test_a_redelivery_of_the_message_that_failed_finds_it_finished(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        failed = completed(status="failed", message_id="m-1")
        await store.complete(await owned(store, message_id="m-1"), failed)

        # When
        redelivered = await claim(store, owner="claim-b", message_id="m-1")
        sent_again = await claim(store, owner="claim-c", message_id="m-2")

        # Then
        assert redelivered == Finished(document=failed)
        assert isinstance(sent_again, Claim)

    stores.run(scenario)


def test_a_request_under_a_living_claim_is_busy_for_every_other_claim(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await owned(store)

        # When
        answer = await claim(store, owner="claim-b", now=NOON + MINUTE / 2)

        # Then
        assert answer == Busy(expires_at=NOON + MINUTE)

    stores.run(scenario)


@pytest.mark.parametrize("lifetime", [MINUTE, NO_TIME])
def test_a_claim_that_is_made_again_is_the_same_claim(stores: Stores, lifetime: timedelta) -> None:
    async def scenario() -> None:
        # Given: its answer may have been lost, perhaps for longer than it lived
        store = stores.store()
        first = await owned(store, lifetime=lifetime)

        # When
        again = await owned(store, lifetime=lifetime)

        # Then: and it can be written with
        assert again == first
        await store.complete(again, completed())

    stores.run(scenario)


def test_a_take_over_that_is_made_again_is_the_same_claim(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await owned(store, lifetime=NO_TIME)
        taken = await owned(store, owner="claim-b")

        # When
        again = await owned(store, owner="claim-b")

        # Then
        assert again == taken
        assert again.attempt == 2

    stores.run(scenario)


def test_of_many_racing_claims_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        made = [stores.store() for _ in range(3)] * 10

        # When
        answers = await asyncio.gather(
            *(claim(store, owner=f"claim-{number}") for number, store in enumerate(made))
        )

        # Then
        assert Counter(type(answer) for answer in answers) == {Claim: 1, Busy: 29}

    stores.run(scenario)


def test_of_many_racing_take_overs_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await owned(store, owner="gone", lifetime=NO_TIME)

        # When
        answers = await asyncio.gather(*(claim(store, owner=f"claim-{number}") for number in range(10)))

        # Then
        assert Counter(type(answer) for answer in answers) == {Claim: 1, Busy: 9}
        (winner,) = [answer for answer in answers if isinstance(answer, Claim)]
        assert (await stored(stores.reader()))["claim"]["owner"] == winner.owner

    stores.run(scenario)


def test_an_expired_claim_is_taken_over_and_counted(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await owned(store, lifetime=NO_TIME, left_over="by the first worker", failures=FAILURES)

        # When
        later = NOON + MINUTE
        taken = await owned(store, owner="claim-b", now=later, created_at=later, failures=[])

        # Then: the age and the failures of the request are those of all its attempts
        assert (taken.owner, taken.attempt, taken.created_at) == ("claim-b", 2, NOON)
        assert taken.failures == FAILURES
        assert await stored(stores.reader()) == {
            **processing(failures=FAILURES),
            "attempt": 2,
            "claim": lease("claim-b", now=later),
        }

    stores.run(scenario)


def test_an_extended_claim_cannot_be_taken_over(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store, lifetime=NO_TIME)

        # When
        extended = await store.extend(claimed, now=NOON + MINUTE, lifetime=2 * MINUTE)

        # Then
        assert extended.expires_at == NOON + 3 * MINUTE
        assert await claim(store, owner="claim-b", now=NOON + 2 * MINUTE) == Busy(
            expires_at=extended.expires_at
        )
        await store.complete(extended, completed())

    stores.run(scenario)


def test_an_extension_that_is_made_again_is_the_same(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)
        first = await store.extend(claimed, now=NOON + MINUTE, lifetime=MINUTE)

        # When
        again = await store.extend(claimed, now=NOON + MINUTE, lifetime=MINUTE)

        # Then: and it can be written with, whatever its version is
        assert again.expires_at == first.expires_at
        await store.complete(again, completed())

    stores.run(scenario)


def test_a_released_claim_can_be_taken_over_at_once(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)

        # When
        await store.extend(claimed, now=NOON, lifetime=NO_TIME)

        # Then
        taken = await owned(store, owner="claim-b")
        assert taken.attempt == 2

    stores.run(scenario)


def test_changes_are_written_with_an_extension(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)
        writes = stores.count_writes(monkeypatch)
        before = writes()

        # When: the failures are told to whoever comes next
        released = await store.extend(
            claimed, now=NOON, lifetime=NO_TIME, changes={"failures": FAILURES, "note": None}
        )

        # Then
        assert writes() - before == 1
        assert released.failures == FAILURES
        assert await stored(stores.reader()) == {
            **processing(failures=FAILURES, note=None),
            "attempt": 1,
            "claim": lease("claim-a", lifetime=NO_TIME),
        }
        assert (await owned(store, owner="claim-b")).failures == FAILURES

    stores.run(scenario)


def test_a_stale_owner_can_write_nothing(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        stale = await owned(store, lifetime=NO_TIME)
        await owned(store, owner="claim-b")
        before = await stored(stores.reader())

        # When
        with pytest.raises(ClaimLost):
            await store.complete(stale, completed())
        with pytest.raises(ClaimLost):
            await store.extend(stale, now=NOON, lifetime=9 * MINUTE, changes={"failures": FAILURES})

        # Then
        assert await stored(stores.reader()) == before

    stores.run(scenario)


def test_nothing_else_can_be_written_after_completion(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await owned(store)
        await store.complete(claimed, completed())

        # When
        with pytest.raises(ClaimLost):
            await store.extend(claimed, now=NOON, lifetime=9 * MINUTE)
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


def test_a_completion_may_be_repeated(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: its answer may have been lost
        store = stores.store()
        claimed = await owned(store)
        document = completed(values=VALUES)
        await store.complete(claimed, document)

        # When
        await store.complete(claimed, document)

        # Then
        assert await stored(stores.reader()) == document

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
    claimed = await store.claim(request_id, processing(), owner="w", now=NOON, lifetime=MINUTE)
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
