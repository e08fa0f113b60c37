"""An outage of the store is waited out, and told once."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ClaimLost, StoreUnavailable
from services.storage.patience import Patience, PatientAnswers


class Store:
    """Unreachable for some calls."""

    def __init__(self, *, down_for: int) -> None:
        self.down_for = down_for
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.down_for:
            raise StoreUnavailable("The store does not answer.")
        return "stored"

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {key: {"found": await self()} for key in keys}

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        await self()


def patience() -> tuple[Patience, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return Patience(sleep=sleep, uniform=lambda _low, high: high, clock=lambda: sum(slept)), slept


def test_work_is_repeated_with_growing_pauses_until_the_store_is_back() -> None:
    # Given a store that is away for six calls
    subject, slept = patience()
    store = Store(down_for=6)
    # When something is to be stored
    with capture_logs() as logs:
        assert asyncio.run(subject(store)) == "stored"
    # Then the pauses grow up to five seconds, and the outage is told once, and its end
    assert slept == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert [(entry["event"], entry.get("after_seconds")) for entry in logs] == [
        ("store.away", None),
        ("store.back", 17.5),
    ]
    assert not subject.is_waiting


def test_it_is_known_while_the_store_is_away() -> None:
    async def scenario() -> None:
        subject = Patience(sleep=lambda _seconds: asyncio.Event().wait())
        waiting = asyncio.create_task(subject(Store(down_for=1)))
        await asyncio.sleep(0)
        assert subject.is_waiting
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_an_answer_that_is_no_outage_ends_the_wait() -> None:
    async def scenario() -> None:
        subject, slept = patience()
        calls = []

        async def lost() -> None:
            calls.append(1)
            raise StoreUnavailable("down") if len(calls) == 1 else ClaimLost("taken")

        with pytest.raises(ClaimLost):
            await subject(lost)
        assert (len(slept), subject.is_waiting) == (1, False)

    asyncio.run(scenario())


def test_paid_answers_wait_for_their_store() -> None:
    async def scenario() -> None:
        subject, slept = patience()
        answers = PatientAnswers(Store(down_for=2), subject)
        assert await answers.find(["k"]) == {"k": {"found": "stored"}}
        await answers.keep("k", {})
        assert len(slept) == 2

    asyncio.run(scenario())
