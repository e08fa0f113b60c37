"""When models are looked at, how thoroughly, and what one run tells the next."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.errors import ConfigurationError, NoModelAnswered
from services.generation.outage_notes import OutageNotes
from services.generation.probe import Look
from services.generation.spend import Spend
from tests.builders import NOON
from tests.unit.generation.doubles import BEST, SECOND, MemoryAnswers
from worker.outage_watch import MAX_PAUSE_SECONDS, OutageWatch, pause_after

AWAY = NoModelAnswered("No model of the ladder for nlu answers.")


class Models:
    """Models that answer or do not, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.obstacle: NoModelAnswered | ConfigurationError | None = AWAY
        self.looks: list[bool] = []
        self.seconds = 0.0

    async def look(self, *, thoroughly: bool) -> Look:
        self.looks.append(thoroughly)
        await asyncio.sleep(0)
        return Look(obstacle=self.obstacle, spend=Spend(calls=1, cost_usd=0.01))


def watch(models: Models, answers: MemoryAnswers) -> OutageWatch:
    """What a process that starts at this moment has."""

    def now() -> object:
        return NOON + timedelta(seconds=models.seconds)

    notes = OutageNotes(Expiring(answers, now), [BEST, SECOND], now=now)  # type: ignore[arg-type]  # a clock
    return OutageWatch(models.look, notes, clock=lambda: models.seconds, now=now)  # type: ignore[arg-type]


class Expiring:
    """Answers that are not found any more once they have expired, as the stores have it."""

    def __init__(self, answers: MemoryAnswers, now: object) -> None:
        self._answers, self._now = answers, now

    async def find(self, keys: object) -> object:
        found = await self._answers.find(keys)  # type: ignore[arg-type]
        return {key: one for key, one in found.items() if one["expires_at"] > self._now()}  # type: ignore[operator]

    async def keep(self, key: str, document: object) -> None:
        await self._answers.keep(key, document)  # type: ignore[arg-type]


def test_models_that_answer_are_looked_at_once() -> None:
    async def scenario() -> None:
        models = Models()
        models.obstacle = None
        watching = watch(models, MemoryAnswers())
        assert [await watching.outage() for _ in range(3)] == [None, None, None]
        assert models.looks == [False]

    asyncio.run(scenario())


def test_every_run_of_an_outage_says_since_when_until_the_models_are_back() -> None:
    async def scenario() -> None:
        models, answers = Models(), MemoryAnswers()
        # Given an outage over many runs, each a process of its own, ten minutes apart
        for _ in range(100):
            found = await watch(models, answers).outage()
            assert found is not None
            assert (found.since, found.cause) == (NOON, AWAY.message)
            models.seconds += 600
        # When the models are back for one run
        models.obstacle = None
        with capture_logs() as logs:
            assert await watch(models, answers).outage() is None
        (line,) = logs
        assert (line["event"], line["since"], line["after_seconds"]) == (
            "models.back",
            NOON.isoformat(),
            60_000,
        )
        # Then the next outage begins anew
        models.seconds += 600
        models.obstacle = AWAY
        found = await watch(models, answers).outage()
        assert found is not None
        assert found.since == NOON + timedelta(seconds=60_600)

    asyncio.run(scenario())


def test_other_ladders_have_an_outage_of_their_own() -> None:
    async def scenario() -> None:
        models, answers = Models(), MemoryAnswers()
        await watch(models, answers).outage()
        assert await OutageNotes(answers, [SECOND]).find() is None
        assert await OutageNotes(answers, [SECOND, BEST, BEST]).find() is not None

    asyncio.run(scenario())


def test_looks_are_not_repeated_before_their_time_and_pauses_grow_to_a_bound() -> None:
    async def scenario() -> None:
        models = Models()
        watching = watch(models, MemoryAnswers())
        pauses = []
        for looks in range(1, 9):
            # When somebody asks again and again in the pause
            for _ in range(3):
                assert await watching.outage() is not None
                pause = watching.seconds_to_next_look
                if looks == 1:
                    break
            # Then nobody looks
            assert len(models.looks) == looks
            pauses.append(pause)
            models.seconds += pause
        assert pauses == [0, 5, 15, 35, 75, 120, 120, 120]
        assert pause_after(10_000) == MAX_PAUSE_SECONDS

    asyncio.run(scenario())


def test_many_who_ask_at_once_share_a_look() -> None:
    async def scenario() -> None:
        models = Models()
        watching = watch(models, MemoryAnswers())
        await watching.outage()
        found = await asyncio.gather(*(watching.outage() for _ in range(30)))
        assert all(found)
        assert len(models.looks) == 2

    asyncio.run(scenario())


def test_what_a_message_has_met_is_looked_for_thoroughly_also_by_the_next_process() -> None:
    async def scenario() -> None:
        models, answers = Models(), MemoryAnswers()
        # Given models that answer the smallest call, and no message
        models.obstacle = None
        watching = watch(models, answers)
        assert await watching.outage() is None
        met = await watching.met("No model answers anybody for script.")
        assert met.since == NOON
        # When this process looks again, and then another one
        models.seconds += 5
        models.obstacle = AWAY
        assert await watching.outage() is not None
        found = await watch(models, answers).outage()
        # Then both ask as messages do, and know since when
        assert models.looks == [False, True, True]
        assert found is not None
        assert (found.since, found.met_by_message) == (NOON, True)
        # And once it is over the smallest call will do again
        models.obstacle = None
        assert await watch(models, answers).outage() is None
        assert await watch(models, answers).outage() is None
        assert models.looks[3:] == [True, False]

    asyncio.run(scenario())


def test_after_a_message_has_met_an_outage_nobody_looks_at_once() -> None:
    async def scenario() -> None:
        models = Models()
        models.obstacle = None
        watching = watch(models, MemoryAnswers())
        await watching.met("nobody")
        assert await watching.outage() is not None
        assert (models.looks, watching.seconds_to_next_look) == ([], 5.0)

    asyncio.run(scenario())


def test_a_model_that_does_not_exist_is_no_outage() -> None:
    async def scenario() -> None:
        models, answers = Models(), MemoryAnswers()
        models.obstacle = ConfigurationError("No model exists.", fix="Set WORKER_MODELS.")
        with pytest.raises(ConfigurationError, match="No model exists"):
            await watch(models, answers).outage()
        assert answers.documents == {}

    asyncio.run(scenario())


def test_what_the_looks_cost_is_added_up() -> None:
    async def scenario() -> None:
        models = Models()
        watching = watch(models, MemoryAnswers())
        await watching.outage()
        await watching.outage()
        assert (watching.spend.calls, watching.spend.cost_usd) == (2, 0.02)

    asyncio.run(scenario())
