"""Dead letters in hand are kept from others, and go back whatever happens."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from services.errors import QueueUnavailable
from services.messaging.port import Delivery
from tests.builders import delivery
from tests.fakes import ScriptedQueue
from worker.dead_letters.review import LEASE_SECONDS, leased, look


def letters(*numbers: int) -> Sequence[Delivery]:
    return [delivery(message_id=f"d-{number}", lease_id=f"lease-{number}") for number in numbers]


async def never(_seconds: float) -> None:
    await asyncio.Event().wait()


def test_one_empty_pull_is_no_proof_that_there_are_no_more() -> None:
    async def scenario() -> None:
        # Given a queue that seems empty for a moment, twice
        queue = ScriptedQueue([letters(1), [], letters(2), []])
        # When
        found = await look(queue, 10)
        # Then the second empty pull in a row ends the search
        assert [letter.message_id for letter in found] == ["d-1", "d-2"]
        assert len(queue.limits) == 5

    asyncio.run(scenario())


def test_no_more_are_taken_than_asked_for_and_no_pull_follows() -> None:
    async def scenario() -> None:
        queue = ScriptedQueue([letters(1, 2), letters(3)])
        await look(queue, 3)
        assert queue.limits == [3, 1]

    asyncio.run(scenario())


def test_what_was_looked_at_is_given_back() -> None:
    async def scenario() -> None:
        queue = ScriptedQueue([letters(1, 2)])
        await look(queue, 10)
        assert queue.extended == [("d-1", 0), ("d-2", 0)]
        assert queue.acked == []

    asyncio.run(scenario())


def test_what_is_in_hand_is_kept_under_lease_until_it_is_taken_away() -> None:
    async def scenario() -> None:
        # Given a clock whose first turn comes when the test says so
        queue = ScriptedQueue([letters(1, 2)])
        turn, turned = asyncio.Event(), asyncio.Event()

        async def sleep(_seconds: float) -> None:
            turned.set()
            turn.clear()
            await turn.wait()

        async with leased(queue, 2, sleep=sleep) as review:
            # When one letter is taken away before leases are renewed
            await review.take_away(review.deliveries[0])
            turn.set()
            turned.clear()
            await turned.wait()
            # Then only the other one is renewed
            assert queue.extended == [("d-2", LEASE_SECONDS)]
        # And given back at the end
        assert queue.acked == ["d-1"]
        assert queue.extended == [("d-2", LEASE_SECONDS), ("d-2", 0)]

    asyncio.run(scenario())


def test_a_letter_whose_ack_fails_is_still_there() -> None:
    async def scenario() -> None:
        # Given
        queue = ScriptedQueue([letters(1)])
        queue.fail_on_ack = True
        # When
        with pytest.raises(QueueUnavailable):
            async with leased(queue, 1, sleep=never) as review:
                await review.take_away(review.deliveries[0])
        # Then
        assert (queue.acked, queue.extended) == ([], [("d-1", 0)])

    asyncio.run(scenario())


def test_letters_go_back_when_the_queue_fails_while_more_are_pulled() -> None:
    async def scenario() -> None:
        queue = ScriptedQueue([letters(1), QueueUnavailable("The queue is away.")])
        with pytest.raises(QueueUnavailable):
            await look(queue, 10)
        assert queue.extended == [("d-1", 0)]

    asyncio.run(scenario())


def test_letters_go_back_when_the_command_is_interrupted() -> None:
    async def scenario() -> None:
        # Given
        queue = ScriptedQueue([letters(1)])

        async def hold() -> None:
            async with leased(queue, 1, sleep=never):
                held.set()
                await asyncio.Event().wait()

        held = asyncio.Event()
        command = asyncio.create_task(hold())
        await held.wait()
        # When
        command.cancel()
        await asyncio.gather(command, return_exceptions=True)
        # Then
        assert queue.extended == [("d-1", 0)]

    asyncio.run(scenario())


def test_a_queue_that_takes_nothing_back_does_not_hide_what_was_found() -> None:
    class Stubborn(ScriptedQueue):
        async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
            raise QueueUnavailable("The queue takes nothing back.")

    async def scenario() -> None:
        found = await look(Stubborn([letters(1)]), 1)
        assert len(found) == 1

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert [entry["event"] for entry in logs] == ["dead_letters.not_given_back"]


def test_a_bug_in_the_renewal_of_leases_comes_to_light_after_the_letters_went_back() -> None:
    async def scenario() -> None:
        # Given
        queue = ScriptedQueue([letters(1)])

        async def broken(_seconds: float) -> None:
            raise ZeroDivisionError

        # When
        with pytest.raises(ZeroDivisionError):
            async with leased(queue, 1, sleep=broken):
                pass
        # Then
        assert queue.extended == [("d-1", 0)]

    asyncio.run(scenario())
