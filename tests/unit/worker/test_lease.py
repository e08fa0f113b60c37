"""What is in flight is kept alive; what belongs to somebody else is let go."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.content.ownership import Ownership
from services.errors import (
    ClaimLost,
    ConfigurationError,
    ContentWorkerError,
    QueueUnavailable,
    StoreUnavailable,
)
from services.storage.port import Claim
from tests.builders import NOON, delivery
from tests.fakes import MemoryStore, ScriptedQueue
from worker.lease import InFlight, LeaseKeeper

LEASE_SECONDS = 60
LIFETIME = timedelta(minutes=2)


class Moment:
    """A wall clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


async def forever() -> None:
    await asyncio.Event().wait()


async def owned(store: MemoryStore, now: Moment) -> Ownership:
    document = {"status": "processing", "created_at": now()}
    claim = await store.claim("r-1", document, owner="me", now=now(), lifetime=LIFETIME)
    assert isinstance(claim, Claim)
    return Ownership(store, claim, lifetime=LIFETIME, now=now)


def test_all_leases_in_flight_are_renewed_in_one_turn_and_dropped_ones_are_not() -> None:
    async def scenario() -> None:
        queue = ScriptedQueue()
        keeper = LeaseKeeper(queue, lease_seconds=LEASE_SECONDS)
        kept, dropped = InFlight(delivery(message_id="kept")), InFlight(delivery(message_id="dropped"))
        keeper.keep(kept)
        keeper.keep(dropped)
        keeper.drop(dropped)
        await keeper.renew()
        assert queue.extended == [("kept", LEASE_SECONDS)]

    asyncio.run(scenario())


def test_a_claim_is_renewed_only_after_half_its_life() -> None:
    async def scenario() -> None:
        # Given a claim of two minutes
        store, now = MemoryStore(), Moment()
        keeper = LeaseKeeper(ScriptedQueue(), lease_seconds=LEASE_SECONDS)
        keeper.keep(InFlight(delivery(), ownership=await owned(store, now)))
        # When it is looked after at 59 and at 61 seconds
        now.at = NOON + timedelta(seconds=59)
        await keeper.renew()
        assert store.writes == ["claim"]
        now.at = NOON + timedelta(seconds=61)
        await keeper.renew()
        # Then only the second look wrote
        assert store.writes == ["claim", "extend"]
        assert store.documents["r-1"]["claim"]["expires_at"] == now.at + LIFETIME

    asyncio.run(scenario())


def test_losing_the_claim_cancels_the_work() -> None:
    async def scenario() -> None:
        # Given work whose claim another worker has taken over
        store, now = MemoryStore(), Moment()
        message = InFlight(delivery(), ownership=await owned(store, now))
        message.task = asyncio.create_task(forever())
        keeper = LeaseKeeper(ScriptedQueue(), lease_seconds=LEASE_SECONDS)
        keeper.keep(message)
        store.take_over("r-1")
        now.at = NOON + timedelta(seconds=90)
        # When the claim is due
        await keeper.renew()
        await asyncio.gather(message.task, return_exceptions=True)
        # Then the work has ended and says why
        assert message.task.cancelled()
        assert message.claim_lost

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error",
    [QueueUnavailable("down"), StoreUnavailable("down"), ConfigurationError("no right", fix="grant it")],
)
def test_an_outage_of_queue_or_store_does_not_end_the_renewals(error: ContentWorkerError) -> None:
    async def scenario() -> None:
        # Given a queue and a store that fail
        store, now = MemoryStore(), Moment()
        ownership = await owned(store, now)
        now.at = NOON + timedelta(seconds=90)

        def fail(_method: str) -> None:
            raise error

        store.before = fail

        class Down(ScriptedQueue):
            async def extend(self, *_args: object, **_options: object) -> None:
                raise error

        message = InFlight(delivery(), ownership=ownership)
        keeper = LeaseKeeper(Down(), lease_seconds=LEASE_SECONDS)
        keeper.keep(message)
        # When they are renewed, nothing is raised, and the work goes on
        await keeper.renew()
        assert not message.claim_lost

    asyncio.run(scenario())


def test_a_renewal_and_the_final_write_cannot_make_each_other_stale() -> None:
    async def scenario() -> None:
        # Given a claim that is due, and a store that lets others run during a write
        store, now = MemoryStore(), Moment()
        ownership = await owned(store, now)
        now.at = NOON + timedelta(seconds=90)
        # When it is renewed and completed at the same moment
        await asyncio.gather(ownership.renew(), ownership.complete({"status": "completed"}))
        # Then both succeed in turn
        assert store.writes == ["claim", "extend", "complete"]

    asyncio.run(scenario())


def test_a_claim_is_not_renewed_any_more_once_its_end_was_tried() -> None:
    async def scenario() -> None:
        # Given a final write of which nobody knows whether it landed
        def lose_the_answer(method: str) -> None:
            if method == "complete":
                raise StoreUnavailable("down")

        store, now = MemoryStore(lose_the_answer), Moment()
        ownership = await owned(store, now)
        with pytest.raises(StoreUnavailable):
            await ownership.complete({"status": "completed"})
        # When the claim is due
        now.at = NOON + timedelta(seconds=90)
        await ownership.renew()
        # Then it is left alone: to a result that landed the renewal would look like a lost claim
        assert store.writes == ["claim"]

    asyncio.run(scenario())


def test_releasing_after_the_result_is_stored_writes_nothing() -> None:
    async def scenario() -> None:
        store, now = MemoryStore(), Moment()
        ownership = await owned(store, now)
        await ownership.complete({"status": "completed"})
        await ownership.release()
        assert store.writes == ["claim", "complete"]

    asyncio.run(scenario())


def test_a_stale_owner_can_neither_complete_nor_release() -> None:
    async def scenario() -> None:
        store, now = MemoryStore(), Moment()
        ownership = await owned(store, now)
        store.take_over("r-1")
        for attempt in (ownership.complete({"status": "completed"}), ownership.release()):
            try:
                await attempt
            except ClaimLost:
                continue
            raise AssertionError("a stale owner was let through")
        assert store.writes == ["claim"]

    asyncio.run(scenario())
