import asyncio
from collections.abc import Sequence

import pytest

from services.errors import QueueUnavailable
from services.messaging.acks import AckBatcher


class Line:
    """A way to the queue that is slow until `open` is set, and may be broken."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def send(self, lease_ids: Sequence[str]) -> None:
        self.sent.append(list(lease_ids))
        await self.open.wait()
        if self.error:
            raise self.error


async def settle() -> None:
    """Let everything that can run now run."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_acks_that_come_while_one_is_under_way_travel_together() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        acks = AckBatcher(line.send, most=100)
        first = asyncio.create_task(acks.add("a"))
        await settle()

        # When
        later = []
        for lease_id in "bcd":
            later.append(asyncio.create_task(acks.add(lease_id)))
            await settle()
        line.open.set()
        await asyncio.gather(first, *later)

        # Then
        assert line.sent == [["a"], ["b", "c", "d"]]

    asyncio.run(scenario())


def test_an_ack_is_done_when_its_own_request_is() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        acks = AckBatcher(line.send, most=100)

        # When
        ack = asyncio.create_task(acks.add("a"))
        await settle()

        # Then
        assert not ack.done()
        line.open.set()
        await ack

    asyncio.run(scenario())


def test_no_request_carries_more_than_it_may() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        line.open.set()
        acks = AckBatcher(line.send, most=2)

        # When
        await asyncio.gather(*(acks.add(lease_id) for lease_id in "abcde"))

        # Then
        assert line.sent == [["a", "b"], ["c", "d"], ["e"]]

    asyncio.run(scenario())


def test_a_failed_request_fails_its_acks_and_no_others() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        line.open.set()
        acks = AckBatcher(line.send, most=100)

        # When
        line.error = QueueUnavailable("nobody there")
        failed = await asyncio.gather(acks.add("a"), acks.add("b"), return_exceptions=True)
        line.error = None
        await acks.add("c")

        # Then
        assert [type(error) for error in failed] == [QueueUnavailable, QueueUnavailable]
        assert line.sent == [["a", "b"], ["c"]]

    asyncio.run(scenario())


def test_a_cancelled_ack_does_not_stop_those_it_travels_with() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        acks = AckBatcher(line.send, most=100)
        cancelled, kept = asyncio.create_task(acks.add("a")), asyncio.create_task(acks.add("b"))
        await settle()

        # When
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        line.open.set()

        # Then
        await kept
        assert line.sent == [["a", "b"]]

    asyncio.run(scenario())
