import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import pytest

from services.batching import Batcher
from services.errors import QueueUnavailable


class Line:
    """A way to a service that is slow until `open` is set, and may be broken; it answers with what it was sent."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def send(self, items: Sequence[str]) -> str:
        self.sent.append(list(items))
        await self.open.wait()
        if self.error:
            raise self.error
        return "".join(items)


async def settle() -> None:
    """Let everything that can run now run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def add_one_by_one(batcher: Batcher[str, str], items: str) -> list[asyncio.Task[str]]:
    """Callers that come one after the other, while nothing else goes on."""
    callers = []
    for item in items:
        callers.append(asyncio.create_task(batcher.add(item)))
        await settle()
    return callers


def test_items_that_come_while_a_request_is_under_way_travel_together() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        batcher = Batcher(line.send, most=100)

        # When
        callers = await add_one_by_one(batcher, "abcd")
        line.open.set()

        # Then
        assert await asyncio.gather(*callers) == ["a", "bcd", "bcd", "bcd"]
        assert line.sent == [["a"], ["b", "c", "d"]]

    asyncio.run(scenario())


def test_items_that_come_at_once_travel_together() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        line.open.set()
        batcher = Batcher(line.send, most=100)

        # When
        await asyncio.gather(*(batcher.add(item) for item in "abc"))

        # Then
        assert line.sent == [["a", "b", "c"]]

    asyncio.run(scenario())


def test_a_caller_is_answered_when_its_own_request_is() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        batcher = Batcher(line.send, most=100)

        # When
        (caller,) = await add_one_by_one(batcher, "a")

        # Then
        assert not caller.done()
        line.open.set()
        assert await caller == "a"

    asyncio.run(scenario())


def test_no_request_carries_more_than_it_may() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        line.open.set()
        batcher = Batcher(line.send, most=2)

        # When
        await asyncio.gather(*(batcher.add(item) for item in "abcde"))

        # Then
        assert line.sent == [["a", "b"], ["c", "d"], ["e"]]

    asyncio.run(scenario())


def test_a_failed_request_fails_all_its_callers_and_no_others() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        line.open.set()
        batcher = Batcher(line.send, most=100)

        # When
        line.error = QueueUnavailable("nobody there")
        failed = await asyncio.gather(batcher.add("a"), batcher.add("b"), return_exceptions=True)
        line.error = None
        await batcher.add("c")

        # Then
        assert [type(error) for error in failed] == [QueueUnavailable, QueueUnavailable]
        assert line.sent == [["a", "b"], ["c"]]

    asyncio.run(scenario())


def test_a_cancelled_caller_does_not_stop_those_it_travels_with() -> None:
    async def scenario() -> None:
        # Given
        line = Line()
        batcher = Batcher(line.send, most=100)
        cancelled, kept = asyncio.create_task(batcher.add("a")), asyncio.create_task(batcher.add("b"))
        await settle()

        # When
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        line.open.set()

        # Then
        assert await kept == "ab"

    asyncio.run(scenario())


def test_an_error_that_nobody_waits_for_any_more_is_no_complaint_in_the_log() -> None:
    async def scenario() -> None:
        # Given
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        line = Line()
        line.error = QueueUnavailable("nobody there")
        (cancelled,) = await add_one_by_one(Batcher(line.send, most=100), "a")

        # When
        cancelled.cancel()
        await settle()
        line.open.set()
        await settle()
        gc.collect()

        # Then
        assert not complaints

    asyncio.run(scenario())
