"""Dead letters of every queue can be looked at and stay, can be taken away, and cannot be had by two at once."""

import pytest

from services.errors import ConfigurationError
from services.messaging.port import Message
from tests.contract.queues import DEAD_TOPIC, WAIT_SECONDS, Queues
from worker.dead_letters.review import leased, look

REASONS = {"error_kind": "not_json", "error_stage": "decode"}


async def with_dead_letters(queues: Queues, count: int) -> None:
    await queues.provisioner().provision()
    letters = [Message(data=f"letter {number}".encode(), attributes=REASONS) for number in range(count)]
    await queues.publisher().publish(DEAD_TOPIC, letters)


def test_dead_letters_stay_where_they_are_when_looked_at(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 3)
        queue = queues.dead_letters()

        # When
        first, second = await look(queue, 3), await look(queue, 3)

        # Then
        assert {letter.data for letter in first} == {b"letter 0", b"letter 1", b"letter 2"}
        assert {letter.message_id for letter in second} == {letter.message_id for letter in first}
        assert all(letter.attributes == REASONS for letter in first)

    queues.run(scenario)


def test_no_more_dead_letters_are_shown_than_asked_for(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 3)

        # When
        letters = await look(queues.dead_letters(), 2)

        # Then
        assert len(letters) == 2

    queues.run(scenario)


def test_while_one_looks_nobody_else_sees_them(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 2)
        queue, other = queues.dead_letters(), queues.dead_letters()

        # When
        async with leased(queue, 2):
            seen_by_other = await other.pull(2, wait_seconds=WAIT_SECONDS)

        # Then
        assert not seen_by_other
        assert len(await look(other, 2)) == 2

    queues.run(scenario)


def test_what_is_taken_away_is_gone_and_the_rest_is_there(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 2)
        queue = queues.dead_letters()

        # When
        async with leased(queue, 2) as review:
            taken, left = review.deliveries
            await review.take_away(taken)

        # Then
        assert [letter.message_id for letter in await look(queue, 2)] == [left.message_id]

    queues.run(scenario)


def test_without_dead_letters_there_is_nothing_to_see(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()

        # When / Then
        assert not await look(queues.dead_letters(), 5)

    queues.run(scenario)


def test_a_missing_dead_letter_subscription_is_named_with_its_setting(queues: Queues) -> None:
    async def scenario() -> None:
        # When / Then
        with pytest.raises(ConfigurationError, match="WORKER_DEAD_LETTER_SUBSCRIPTION"):
            await look(queues.dead_letters(), 5)

    queues.run(scenario)
