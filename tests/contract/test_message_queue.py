"""What every message queue does: the contract of `services.messaging.port`."""

import asyncio
from collections import Counter

import pytest

from services.errors import ConfigurationError
from services.messaging.port import Message, MessageQueue
from tests.contract.queues import DEAD_TOPIC, TOPIC, WAIT_SECONDS, Queues, pull_all


async def filled(queues: Queues, *messages: Message) -> MessageQueue:
    """A queue with these messages on it."""
    await queues.provisioner().provision()
    await queues.publisher().publish(TOPIC, messages)
    return queues.queue()


def numbered(count: int) -> list[Message]:
    return [Message(data=f"message {number}".encode()) for number in range(count)]


def test_a_published_message_is_pulled_and_gone_after_its_ack(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, Message(data=b"a question"))

        # When
        (delivery,) = await pull_all(queue, 1)
        await queue.acknowledge(delivery)

        # Then
        assert (delivery.data, delivery.attempt) == (b"a question", 1)
        assert not await queue.pull(1, wait_seconds=WAIT_SECONDS)

    queues.run(scenario)


def test_bytes_and_attributes_arrive_unchanged(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        every_byte = bytes(range(256))
        attributes = {"correlation_id": "ü-1", "empty": ""}
        queue = await filled(queues, Message(data=every_byte, attributes=attributes))

        # When
        (delivery,) = await pull_all(queue, 1)

        # Then
        assert delivery.data == every_byte
        assert delivery.attributes == attributes
        assert delivery.publish_time.tzinfo is not None

    queues.run(scenario)


def test_the_ordering_key_arrives_whatever_it_is_published_with(queues: Queues) -> None:
    async def scenario() -> None:
        # Given messages of two classes, and one of none, published together
        keys = ["class-7", "class-7", "class-ü", "", "class-7"]
        messages = [Message(data=str(n).encode(), ordering_key=key) for n, key in enumerate(keys)]
        queue = await filled(queues, *messages)

        # When
        deliveries = await pull_all(queue, 5)

        # Then
        assert {delivery.data: delivery.ordering_key for delivery in deliveries} == {
            message.data: message.ordering_key for message in messages
        }

    queues.run(scenario)


def test_ids_come_back_in_the_order_of_the_messages(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()
        messages = numbered(5)

        # When
        ids = await queues.publisher().publish(TOPIC, messages)

        # Then
        delivered = {d.message_id: d.data for d in await pull_all(queues.queue(), 5)}
        assert [delivered[message_id] for message_id in ids] == [message.data for message in messages]

    queues.run(scenario)


def test_more_messages_than_one_request_may_hold_are_published(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()

        # When
        ids = await queues.publisher().publish(TOPIC, numbered(1001))

        # Then
        assert len(set(ids)) == 1001
        assert {d.message_id for d in await pull_all(queues.queue(), 1001)} == set(ids)

    queues.run(scenario)


def test_a_pull_takes_no_more_than_its_limit(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, *numbered(5))

        # When
        first = await queue.pull(2, wait_seconds=WAIT_SECONDS)

        # Then
        assert 1 <= len(first) <= 2
        await pull_all(queue, 5 - len(first))

    queues.run(scenario)


def test_two_pullers_never_share_a_leased_message(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        one, two = await filled(queues, *numbered(20)), queues.queue()

        # When
        batches = await asyncio.gather(
            *(queue.pull(4, wait_seconds=WAIT_SECONDS) for queue in (one, two) * 3)
        )

        # Then
        seen = Counter(delivery.message_id for batch in batches for delivery in batch)
        assert seen
        assert set(seen.values()) == {1}

    queues.run(scenario)


def test_an_empty_pull_ends_when_its_wait_does(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues)

        # When
        async with asyncio.timeout(30):
            deliveries = await queue.pull(1, wait_seconds=0.1)

        # Then
        assert not deliveries

    queues.run(scenario)


def test_a_given_back_message_comes_again_under_a_new_lease(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, Message(data=b"again"))
        (first,) = await pull_all(queue, 1)

        # When
        await queue.extend([first], seconds=0)
        (second,) = await pull_all(queue, 1)

        # Then
        assert (second.message_id, second.data) == (first.message_id, first.data)
        assert second.lease_id != first.lease_id
        assert (first.attempt, second.attempt) == (1, 2)

    queues.run(scenario)


def test_an_extended_message_stays_away(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, *numbered(2))
        leased = await pull_all(queue, 2)

        # When
        await queue.extend(leased, seconds=600)

        # Then
        assert not await queue.pull(2, wait_seconds=WAIT_SECONDS)

    queues.run(scenario)


def test_nothing_to_extend_is_no_error(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues)

        # When / Then
        await queue.extend([], seconds=0)

    queues.run(scenario)


def test_a_stale_ack_neither_fails_nor_takes_the_new_lease_away(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, Message(data=b"again"))
        (stale,) = await pull_all(queue, 1)
        await queue.extend([stale], seconds=0)
        (current,) = await pull_all(queue, 1)

        # When
        await queue.acknowledge(stale)
        await queue.extend([stale], seconds=0)

        # Then
        assert not await queue.pull(1, wait_seconds=WAIT_SECONDS)
        await queue.acknowledge(current)
        await queue.extend([current], seconds=0)
        assert not await queue.pull(1, wait_seconds=WAIT_SECONDS)

    queues.run(scenario)


def test_a_stale_ack_does_not_remove_a_message_that_was_given_back(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, Message(data=b"again"))
        (stale,) = await pull_all(queue, 1)
        await queue.extend([stale], seconds=0)

        # When
        await queue.acknowledge(stale)

        # Then
        (current,) = await pull_all(queue, 1)
        assert current.message_id == stale.message_id

    queues.run(scenario)


def test_many_acks_at_once_all_count(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        queue = await filled(queues, *numbered(50))
        leased = await pull_all(queue, 50)

        # When
        await asyncio.gather(*(queue.acknowledge(delivery) for delivery in leased))

        # Then
        await queue.extend(leased, seconds=0)
        assert not await queue.pull(50, wait_seconds=WAIT_SECONDS)

    queues.run(scenario)


def test_every_subscription_gets_its_own_copy(queues: Queues) -> None:
    async def scenario() -> None:
        # Given: the dead-letter subscription is fed by its topic alone
        await queues.provisioner().provision()
        publisher = queues.publisher()

        # When
        await publisher.publish(TOPIC, [Message(data=b"work")])
        await publisher.publish(DEAD_TOPIC, [Message(data=b"dead")])

        # Then
        assert [d.data for d in await pull_all(queues.queue(), 1)] == [b"work"]
        assert [d.data for d in await pull_all(queues.dead_letters(), 1)] == [b"dead"]

    queues.run(scenario)


def test_a_missing_subscription_is_named_with_its_setting_and_the_fix(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()

        # When
        with pytest.raises(ConfigurationError) as caught:
            await queues.queue("not-there").pull(1, wait_seconds=WAIT_SECONDS)

        # Then
        assert "not-there" in caught.value.message
        assert "WORKER_SUBSCRIPTION" in caught.value.fix
        assert "content-worker provision" in caught.value.fix

    queues.run(scenario)


def test_a_missing_topic_is_named_with_its_setting_and_the_fix(queues: Queues) -> None:
    async def scenario() -> None:
        # When
        with pytest.raises(ConfigurationError) as caught:
            await queues.publisher().publish("not-there", [Message(data=b"lost")])

        # Then
        assert "not-there" in caught.value.message
        assert "WORKER_TOPIC" in caught.value.fix
        assert "content-worker provision" in caught.value.fix

    queues.run(scenario)


def test_provisioning_twice_changes_nothing(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        provisioner = queues.provisioner()
        first = await provisioner.provision()
        await queues.publisher().publish(TOPIC, [Message(data=b"kept")])

        # When
        second = await provisioner.provision()

        # Then
        assert [line.rpartition(": ")[2] for line in first] == ["created"] * 4
        assert [line.rpartition(": ")[2] for line in second] == ["already there"] * 4
        assert [d.data for d in await pull_all(queues.queue(), 1)] == [b"kept"]

    queues.run(scenario)


def test_verify_accepts_what_provision_made(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        provisioner = queues.provisioner()
        await provisioner.provision()

        # When / Then
        await provisioner.verify()

    queues.run(scenario)


def test_verify_names_the_subscription_that_is_missing(queues: Queues) -> None:
    async def scenario() -> None:
        # When / Then
        with pytest.raises(ConfigurationError, match="WORKER_SUBSCRIPTION"):
            await queues.provisioner().verify()

    queues.run(scenario)


def test_verify_names_the_dead_letter_topic_that_is_missing(queues: Queues) -> None:
    async def scenario() -> None:
        # Given
        await queues.provisioner().provision()

        # When / Then
        with pytest.raises(ConfigurationError, match="WORKER_DEAD_LETTER_TOPIC"):
            await queues.provisioner(dead_letter_topic="not-there").verify()

    queues.run(scenario)
