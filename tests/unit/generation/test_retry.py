import asyncio

import pytest

from services.errors import ModelRejected, ModelUnavailable
from services.generation.allowance import Allowance
from services.generation.retry import Retry, RetrySettings, pause_before
from tests.unit.generation.doubles import Pauses, busy, gone


@pytest.mark.parametrize(("failures", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (30, 8.0)])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_pause_is_a_random_part_of_an_exponential_bound(failures: int, bound: float, share: float) -> None:
    # Given some failures in a row
    uniform = Pauses(share=share).uniform
    # When the pause is worked out
    pause = pause_before(RetrySettings(), failures=failures, retry_after=None, uniform=uniform)
    # Then it is that part of the bound
    assert pause == pytest.approx(share * bound)


@pytest.mark.parametrize(
    ("retry_after", "share", "expected"),
    [
        (0.0, 0.0, 0.0),
        (2.5, 0.0, 2.5),
        (2.5, 1.0, 3.5),
        (30.0, 0.0, 30.0),
        (30.0, 1.0, 31.0),
    ],
)
def test_the_time_that_the_service_names_is_kept(retry_after: float, share: float, expected: float) -> None:
    # Given a service that asks to wait
    uniform = Pauses(share=share).uniform
    # When the pause is worked out
    pause = pause_before(RetrySettings(), failures=1, retry_after=retry_after, uniform=uniform)
    # Then it is never shorter, and jitter is on top
    assert pause == pytest.approx(expected)


def test_calls_end_with_the_allowance_and_no_pause_follows_the_last() -> None:
    # Given a call that always finds the model busy
    pauses, calls = Pauses(share=0.5), []

    async def call() -> None:
        calls.append(1)
        raise busy()

    # When it is run with three calls allowed
    retry = Retry(RetrySettings(), sleep=pauses.sleep, uniform=pauses.uniform)
    with pytest.raises(ModelUnavailable, match="busy"):
        asyncio.run(retry.run(call, max_calls=3, allowance=Allowance()))
    # Then there were three calls with two pauses between them
    assert len(calls) == 3
    assert pauses.seconds == [0.5, 1.0]


@pytest.mark.parametrize("error", [gone(), ValueError("a bug")])
def test_only_a_busy_model_is_called_again(error: Exception) -> None:
    # Given a call that fails for another reason
    pauses, calls = Pauses(), []

    async def call() -> None:
        calls.append(1)
        raise error

    # When it is run
    retry = Retry(RetrySettings(), sleep=pauses.sleep, uniform=pauses.uniform)
    with pytest.raises((ModelRejected, ValueError)):
        asyncio.run(retry.run(call, max_calls=3, allowance=Allowance()))
    # Then it was called once
    assert len(calls) == 1
    assert pauses.seconds == []


def test_runs_that_overlap_do_not_share_their_count() -> None:
    # Given twenty runs at the same moment, each with two failures before its result
    pauses = Pauses()
    retry = Retry(RetrySettings(), sleep=lambda seconds: asyncio.sleep(0), uniform=pauses.uniform)

    async def one(number: int) -> int:
        left = [busy(), busy()]

        async def call() -> int:
            await asyncio.sleep(0)
            if left:
                raise left.pop()
            return number

        return await retry.run(call, max_calls=3, allowance=Allowance())

    async def scenario() -> list[int]:
        return await asyncio.gather(*(one(number) for number in range(20)))

    # When they run together
    results = asyncio.run(scenario())
    # Then each got its own result
    assert results == list(range(20))
