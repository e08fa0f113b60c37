"""What every dead-letter reader does: look, and leave all in place."""

import pytest

from services.errors import ConfigurationError
from services.messaging.port import Message
from tests.contract.queues import DEAD_SUBSCRIPTION, DEAD_TOPIC, WAIT_SECONDS, Queues, pull_all

REASONS = {"error_kind": "not_json", "error_stage": "decode"}


async def with_dead_letters(queues: Queues, count: int) -> None:
    await queues.provisioner().provision()
    letters = [Message(data=f"letter {number}".encode(), attributes=REASONS) for number in range(count)]
    await queues.publisher().publish(DEAD_TOPIC, letters)


def test_dead_letters_stay_where_they_are_when_looked_at(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 3)
        reader = queues.dead_letters()

        # When
        first, second = await reader.peek(10), await reader.peek(10)

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
        letters = await queues.dead_letters().peek(2)

        # Then
        assert len(letters) == 2

    queues.run(scenario)


def test_a_dead_letter_can_be_taken_away_after_a_look(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await with_dead_letters(queues, 1)
        reader, queue = queues.dead_letters(), queues.queue(DEAD_SUBSCRIPTION)
        await reader.peek(1)

        # When
        (letter,) = await pull_all(queue, 1)
        await queue.acknowledge(letter)

        # Then
        assert not await queue.pull(1, wait_seconds=WAIT_SECONDS)
        assert not await reader.peek(1)

    queues.run(scenario)


def test_without_dead_letters_there_is_nothing_to_see(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()

        # When / Then
        assert not await queues.dead_letters().peek(5)

    queues.run(scenario)


def test_a_missing_dead_letter_subscription_is_named_with_its_setting(queues: Queues) -> None:
    async def scenario() -> None:
        # When / Then
        with pytest.raises(ConfigurationError, match="WORKER_DEAD_LETTER_SUBSCRIPTION"):
            await queues.dead_letters().peek(5)

    queues.run(scenario)
