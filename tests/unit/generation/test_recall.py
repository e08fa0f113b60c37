"""Paid answers in memory: what is remembered needs no read, and nothing is remembered for too long."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.errors import StoreUnavailable
from services.generation.recall import Recall
from tests.unit.generation.doubles import NOON, MemoryAnswers

LATER = NOON + timedelta(hours=1)
HOLDS = {"answer": "{}", "expires_at": LATER}


def run(
    scenario: Callable[[Recall, MemoryAnswers], Awaitable[Any]],
    *,
    stored: tuple[str, ...] = (),
    size: int = 1000,
    now: Callable[[], datetime] = lambda: NOON,
) -> MemoryAnswers:
    answers = MemoryAnswers()
    answers.documents = dict.fromkeys(stored, HOLDS)

    async def with_recall() -> None:
        await scenario(Recall(answers, size=size, now=now), answers)

    asyncio.run(with_recall())
    return answers


def test_what_was_kept_is_found_without_a_read() -> None:
    async def scenario(recall: Recall, _answers: MemoryAnswers) -> None:
        # Given an answer that this process kept
        await recall.keep("best", HOLDS)
        # When it is looked for together with a lesser one
        # Then it is there
        assert await recall.find(["best", "second"]) == {"best": HOLDS}

    answers = run(scenario)
    # Then nothing was read, and it was stored
    assert answers.finds == []
    assert answers.documents == {"best": HOLDS}


def test_what_was_found_is_found_again_without_a_read() -> None:
    async def scenario(recall: Recall, _answers: MemoryAnswers) -> None:
        # Given an answer that another worker paid for
        # When it is looked for twice
        # Then it is there both times
        assert await recall.find(["best"]) == {"best": HOLDS}
        assert await recall.find(["best"]) == {"best": HOLDS}

    # Then it was read once
    assert run(scenario, stored=("best",)).finds == [["best"]]


def test_a_lesser_answer_in_memory_does_not_hide_a_better_one_elsewhere() -> None:
    async def scenario(recall: Recall, answers: MemoryAnswers) -> None:
        # Given a process that knows a lesser answer, while another worker pays for the best one
        await recall.keep("second", HOLDS)
        answers.documents["best"] = HOLDS
        # When both are looked for
        # Then both are there
        assert await recall.find(["best", "second"]) == {"best": HOLDS, "second": HOLDS}

    # Then only what was missing was read
    assert run(scenario).finds == [["best"]]


def test_what_was_not_found_is_looked_for_again() -> None:
    async def scenario(recall: Recall, answers: MemoryAnswers) -> None:
        # Given an answer that is looked for before it is there
        assert await recall.find(["best"]) == {}
        answers.documents["best"] = HOLDS
        # When it is looked for once more
        # Then it is found
        assert await recall.find(["best"]) == {"best": HOLDS}

    assert run(scenario).finds == [["best"], ["best"]]


def test_an_expired_answer_is_forgotten() -> None:
    clock = [NOON]

    async def scenario(recall: Recall, answers: MemoryAnswers) -> None:
        # Given an answer in memory whose time is over, and which is gone elsewhere
        await recall.keep("best", HOLDS)
        answers.documents.clear()
        clock[0] = LATER
        # When it is looked for
        # Then there is none
        assert await recall.find(["best"]) == {}

    assert run(scenario, now=lambda: clock[0]).finds == [["best"]]


def test_the_answer_that_was_not_asked_for_longest_makes_room() -> None:
    async def scenario(recall: Recall, _answers: MemoryAnswers) -> None:
        # Given room for two, and two answers of which the older one is asked for
        await recall.keep("a", HOLDS)
        await recall.keep("b", HOLDS)
        await recall.find(["a"])
        # When a third one comes
        await recall.keep("c", HOLDS)
        await recall.find(["a"])
        await recall.find(["c"])
        await recall.find(["b"])

    # Then only the other one has to be read
    assert run(scenario, size=2).finds == [["b"]]


def test_an_answer_that_could_not_be_stored_is_not_lost_to_this_process() -> None:
    async def scenario(recall: Recall, answers: MemoryAnswers) -> None:
        # Given a store that is away
        answers.before = away
        # When an answer is kept
        with pytest.raises(StoreUnavailable):
            await recall.keep("best", HOLDS)
        # Then the caller is told, and the answer is remembered
        assert await recall.find(["best"]) == {"best": HOLDS}

    def away(_method: str) -> None:
        raise StoreUnavailable("gone")

    assert run(scenario).finds == []


def test_nothing_is_looked_for_when_nothing_is_asked() -> None:
    async def scenario(recall: Recall, _answers: MemoryAnswers) -> None:
        # Given no keys
        # When they are looked for
        # Then nothing is found
        assert await recall.find([]) == {}

    assert run(scenario).finds == []
