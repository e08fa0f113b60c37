"""What is nearly done may end before a cancellation takes effect."""

import asyncio

import pytest

from services.generation.cancelling import ended_first


def test_cancelled_work_ends_before_the_cancellation_takes_effect() -> None:
    async def scenario() -> None:
        # Given work that waits for an answer
        answer, ended = asyncio.Event(), []

        async def work() -> None:
            await answer.wait()
            ended.append(True)

        task = asyncio.create_task(ended_first(work(), seconds=60))
        await asyncio.sleep(0)
        # When it is cancelled before the answer comes
        task.cancel()
        await asyncio.sleep(0)
        answer.set()
        # Then it is done, and cancelled
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    asyncio.run(scenario())


def test_work_that_hangs_is_cancelled_after_its_time() -> None:
    async def scenario() -> None:
        cancelled = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(True)

        task = asyncio.create_task(ended_first(work(), seconds=0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert cancelled == [True]

    asyncio.run(scenario())


def test_an_error_of_the_work_is_the_callers() -> None:
    async def work() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        asyncio.run(ended_first(work(), seconds=1))
