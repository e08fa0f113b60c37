"""Handlers of signals take over from each other, and none of them forgets what has arrived before it."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from worker import stopping
from worker.stopping import StoppedEarly, end_at_sigterm, listen, stopped_by_signals, unless_stopped


@pytest.fixture(autouse=True)
def _former_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(stopping, "_arrived", [])
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_a_signal_that_came_before_the_loop_stops_what_the_loop_does() -> None:
    async def scenario() -> None:
        seen: list[str] = []
        async with stopped_by_signals(lambda number: seen.append(number.name)):
            assert seen == ["SIGTERM"]

    listen()
    signal.raise_signal(signal.SIGTERM)
    asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_meanwhile_is_told_in_the_loop(number: signal.Signals) -> None:
    async def scenario() -> None:
        stopped = asyncio.get_running_loop().create_future()
        async with stopped_by_signals(stopped.set_result):
            signal.raise_signal(number)
            assert await stopped is number

    asyncio.run(scenario())


def test_a_signal_between_two_of_them_is_told_to_the_second() -> None:
    async def scenario() -> None:
        seen: list[str] = []
        async with stopped_by_signals(lambda number: seen.append(f"first {number.name}")):
            pass
        signal.raise_signal(signal.SIGTERM)
        async with stopped_by_signals(lambda number: seen.append(f"second {number.name}")):
            pass
        assert seen == ["second SIGTERM"]

    listen()
    asyncio.run(scenario())


def test_work_is_done_where_nothing_stops_it_and_its_errors_are_its_own() -> None:
    async def work() -> str:
        return "done"

    async def broken() -> str:
        raise KeyError

    assert asyncio.run(unless_stopped(work())) == "done"
    with pytest.raises(KeyError):
        asyncio.run(unless_stopped(broken()))


def test_work_that_a_signal_stops_ends_at_once_and_says_so() -> None:
    async def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(StoppedEarly) as stopped:
        asyncio.run(unless_stopped(work()))
    assert stopped.value.signal is signal.SIGTERM


def test_work_is_not_begun_after_a_signal() -> None:
    begun: list[bool] = []

    async def work() -> None:
        begun.append(True)

    listen()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(StoppedEarly):
        asyncio.run(unless_stopped(work()))
    assert begun == []


def test_a_process_that_listens_can_be_ended_by_the_signal_it_has_heard() -> None:
    listen()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        end_at_sigterm()
    assert ended.value.code == 143


def test_a_process_that_listens_can_be_ended_by_the_next_signal() -> None:
    listen()
    end_at_sigterm()
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_handlers_of_others_are_left_alone() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_at_sigterm()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
