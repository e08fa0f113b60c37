"""What every store does with announcements: a request is seen before any worker has it, and nobody loses it by that."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

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

FAILURES = [{"kind": "invalid_answer", "count": 5, "last_at": NOON}]
LATER = NOON + MINUTE


def word(**changes: Any) -> dict[str, Any]:
    """A document as it is announced with."""
    return processing(**{"message_id": "m-1", **changes})


async def claim(store: Store, *, owner: str = "claim-a", **changes: Any) -> Claim:
    """A claim that must succeed, a minute after the announcement."""
    document = processing(**{"created_at": LATER, "message_id": "m-1", **changes})
    answer = await store.claim(REQUEST, document, owner=owner, now=LATER, lifetime=MINUTE)
    assert isinstance(answer, Claim)
    return answer


async def fail(store: Store, *, message_id: str = "m-1") -> dict[str, Any]:
    """A request that has failed for good by this message."""
    claimed = await claim(store, message_id=message_id)
    failed = completed(status="failed", message_id=message_id, failures=FAILURES, attempt=claimed.attempt)
    await store.complete(claimed, failed)
    return failed


def test_an_announced_request_is_seen_as_processing_and_is_owned_by_nobody(stores: Stores) -> None:
    async def scenario() -> None:
        # When
        await stores.store().announce(REQUEST, word())

        # Then
        reader = stores.reader()
        assert await stored(reader) == {**word(), "attempt": 0}
        assert await reader.newest(9, status="processing") == [{**word(), "attempt": 0}]

    stores.run(scenario)


def test_the_next_claim_has_it_at_once_as_its_first_attempt(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.announce(REQUEST, word())

        # When
        claimed = await claim(store)

        # Then: it is as old as the announcement
        assert (claimed.attempt, claimed.created_at, claimed.failures) == (1, NOON, [])
        lease = {"owner": "claim-a", "renewed_at": LATER, "expires_at": LATER + MINUTE}
        assert await stored(stores.reader()) == {**word(), "attempt": 1, "claim": lease}

    stores.run(scenario)


def test_the_claim_ends_in_a_result_like_any_other(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.announce(REQUEST, word())

        # When
        await store.complete(await store.extend(await claim(store), now=LATER, lifetime=MINUTE), completed())

        # Then
        assert await stored(stores.reader()) == completed()

    stores.run(scenario)


def test_of_many_racing_claims_on_an_announced_request_one_wins(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.announce(REQUEST, word())

        # When
        claims = [
            store.claim(REQUEST, processing(), owner=f"claim-{number}", now=NOON, lifetime=MINUTE)
            for number in range(10)
        ]
        answers = Counter(type(answer).__name__ for answer in await asyncio.gather(*claims))

        # Then
        assert answers == {"Claim": 1, "Busy": 9}

    stores.run(scenario)


def test_of_announcements_and_a_claim_that_race_the_claim_is_what_remains(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()

        # When
        announcements = asyncio.gather(*(store.announce(REQUEST, word()) for _ in range(5)))
        claimed, _ = await asyncio.gather(claim(store), announcements)

        # Then
        document = await stored(stores.reader())
        assert (document["claim"]["owner"], document["attempt"], claimed.attempt) == ("claim-a", 1, 1)

    stores.run(scenario)


def test_an_announcement_that_is_made_again_changes_nothing(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: its answer may have been lost
        store = stores.store()
        await store.announce(REQUEST, word())

        # When
        await store.announce(REQUEST, word(created_at=LATER))

        # Then
        assert await stored(stores.reader()) == {**word(), "attempt": 0}

    stores.run(scenario)


async def _owned(store: Store) -> None:
    await claim(store)


async def _released(store: Store) -> None:
    await store.extend(await claim(store), now=LATER, lifetime=NO_TIME, changes={"failures": FAILURES})


async def _finished(store: Store) -> None:
    await store.complete(await claim(store), completed(message_id="m-1"))


async def _being_healed(store: Store) -> None:
    await store.complete(await claim(store), degraded(message_id="m-1"))
    assert await store.claim_debt(REQUEST, owner="heal", now=LATER, lifetime=MINUTE)


async def _failed_by_this_message(store: Store) -> None:
    await fail(store, message_id="m-2")


@pytest.mark.parametrize(
    "given",
    [_owned, _released, _finished, _being_healed, _failed_by_this_message],
    ids=lambda given: given.__name__.strip("_").replace("_", " "),
)
def test_an_announcement_takes_nothing_from_what_a_worker_has_written(
    stores: Stores, given: Callable[[Store], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await given(store)
        before = await stored(stores.reader())

        # When
        await store.announce(REQUEST, word(message_id="m-2"))

        # Then
        assert await stored(stores.reader()) == before

    stores.run(scenario)


@pytest.mark.parametrize("message_id", ["m-1", None], ids=["another message", "a message that is not known"])
def test_a_request_that_had_failed_is_processing_again_once_it_was_sent_again(
    stores: Stores, message_id: str | None
) -> None:
    async def scenario() -> None:
        # Given: attempt 1 has failed
        store = stores.store()
        failed = completed(status="failed", failures=FAILURES)
        await store.complete(
            await claim(store), {**failed, **({"message_id": message_id} if message_id else {})}
        )

        # When
        await store.announce(REQUEST, word(message_id="m-2", created_at=LATER))

        # Then: its failures are over, its age and its attempts remain
        assert await stored(stores.reader()) == {**word(message_id="m-2"), "attempt": 1}
        again = await claim(store, owner="claim-b", message_id="m-2")
        assert (again.attempt, again.created_at, again.failures) == (2, NOON, [])

    stores.run(scenario)


def test_a_redelivery_of_the_message_that_failed_is_told_so_where_nothing_was_announced_since(
    stores: Stores,
) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        await store.announce(REQUEST, word())
        failed = await fail(store)
        await store.announce(REQUEST, word())

        # When
        answer = await store.claim(REQUEST, word(), owner="claim-b", now=LATER, lifetime=MINUTE)

        # Then
        assert answer == Finished(document=failed)

    stores.run(scenario)


def test_an_announced_request_costs_one_write_more(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        # Given: a claim on a document that exists is refused once
        store = stores.store()
        writes = stores.count_writes(monkeypatch)
        await store.announce(REQUEST, word())
        announcing = writes()

        # When
        await store.complete(await claim(store), completed())

        # Then
        assert announcing == 1
        assert writes() - announcing <= 3

    stores.run(scenario)


def test_an_expired_result_that_the_database_still_has_is_made_anew(stores: Stores) -> None:
    async def scenario() -> None:
        # Given a result that nobody can read any more
        store = stores.store()
        claimed = await claim(store)
        await store.complete(claimed, completed(message_id="m-1", created_at=NOON, expires_at=LATER))

        # When its question is announced and claimed again, then both are as for a new one
        await store.announce(REQUEST, word(message_id="m-2", created_at=LATER))
        assert await stored(stores.reader()) == {**word(message_id="m-2", created_at=LATER), "attempt": 0}
        again = await claim(store, owner="claim-b", message_id="m-2")
        assert (again.created_at, again.failures) == (LATER, [])

    stores.run(scenario)


def test_an_expired_result_is_no_answer_to_a_question_that_was_not_announced(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await claim(store)
        await store.complete(claimed, completed(message_id="m-1", created_at=NOON, expires_at=LATER))

        # When, then
        again = await claim(store, owner="claim-b", message_id="m-2")
        assert (again.attempt, again.created_at) == (1, LATER)

    stores.run(scenario)
