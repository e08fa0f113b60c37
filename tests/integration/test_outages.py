"""Outages of every shape: the worker as it is wired, embedded, with an emulated model in this process."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.content.healing import Settled
from services.errors import NoModelAnswered
from services.messaging.port import Delivery, Message
from services.storage.patience import Patience
from services.storage.port import Document
from tests.builders import message_bytes
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_server import VertexEmulator
from worker.settings import Settings, load_settings
from worker.summary import RunSummary
from worker.wiring.backends import connect
from worker.wiring.models import language_models
from worker.wiring.work import consumer, healer

LADDER = "vertex:gemini-3.8-flash, vertex:gemini-3.5-flash-lite, mock"


class School:
    """An embedded queue whose retry delays a test can skip, with models that are emulated."""

    def __init__(self, folder: Path, vertex: VertexEmulator) -> None:
        self._path = folder / "worker.db"
        self._vertex = vertex

    def faults(self, *rules: Rule) -> None:
        self._vertex.set_faults(Faults(rules=list(rules)))

    async def publish(self, *ids: str, question: str = "explain how volcanoes erupt") -> None:
        async with connect(self._settings()) as backend:
            messages = [
                Message(data=message_bytes(request_id=name, student_query=f"{question} {name}?"))
                for name in ids
            ]
            await backend.publisher.publish(self._settings().worker_topic, messages)

    async def run(self, **changes: Any) -> RunSummary:
        """One run with connections of its own, as long after the last one as any message was put off."""
        settings = self._settings(**changes)
        self._sql("update messages set available_at = '2000-01-01T00:00:00.000000+00:00'")
        patience = Patience()
        with capture_logs():
            async with (
                connect(settings) as backend,
                language_models(settings, backend, patience) as models,
            ):
                return await consumer(settings, backend, models=models, patience=patience).run()

    async def heal(self) -> list[Settled]:
        settings = self._settings()
        with capture_logs():
            async with connect(settings) as backend, healer(settings, backend) as (healing, probe):
                await probe()
                return [
                    await healing.heal(debt, on_claim=lambda _: None)
                    for debt in await backend.debts.debts(10)
                ]

    async def result(self, request_id: str) -> Document:
        async with connect(self._settings()) as backend:
            found = await backend.results.get(request_id)
        assert found is not None
        return found

    async def dead_letters(self) -> list[Delivery]:
        async with connect(self._settings()) as backend:
            return list(await backend.dead_letters.pull(10, wait_seconds=0))

    def deliveries(self) -> int:
        """The most deliveries that any message has had."""
        return int(self._sql("select coalesce(max(attempt), 0) from messages")[0][0])

    def messages(self) -> int:
        return int(self._sql("select count(*) from messages")[0][0])

    def calls(self) -> Counter[str]:
        return Counter(seen.stage for seen in self._vertex.requests)

    def _settings(self, **changes: Any) -> Settings:
        return load_settings(
            **{
                "worker_backend": "embedded",
                "worker_database": self._path,
                "worker_models": LADDER,
                "worker_on_outage": "hold",
                "worker_idle_timeout_seconds": 0,
                "worker_student_key": "0123456789abcdef0123",
                "google_cloud_project": None,
                "vertex_emulator_host": self._vertex.host,
                **changes,
            }
        )

    def _sql(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(statement).fetchall()


def at_school(folder: Path, scenario: Callable[[School], Awaitable[None]]) -> None:
    async def play() -> None:
        async with VertexEmulator() as vertex:
            await scenario(School(folder, vertex))

    asyncio.run(play())


OUTAGES = {
    "no text": Rule(answer="empty_text"),
    "no candidate": Rule(answer="no_candidates"),
    "prose": Rule(answer="not_json"),
    "another object": Rule(answer="schema_invalid"),
    "half an answer": Rule(answer="truncated"),
    "cut off": Rule(finish_reason="MAX_TOKENS"),
    "blocked without a reason": Rule(block_reason="OTHER"),
    "no billing": Rule(error="billing_disabled"),
    "overloaded": Rule(status="UNAVAILABLE", retry_after_seconds=0),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_while_no_model_answers_nothing_is_pulled_and_nothing_is_lost(tmp_path: Path, outage: Rule) -> None:
    async def scenario(school: School) -> None:
        # Given questions, and models that answer nobody
        school.faults(outage)
        await school.publish("q-1", "q-2")
        # When there are more runs than a request may fail
        runs = [await school.run() for _ in range(6)]
        # Then all end with 75, say since when, and have delivered nothing
        assert {(run.ending, run.exit_code, run.pulled) for run in runs} == {("outage", 75, 0)}
        assert len({run.outage_since for run in runs} - {None}) == 1
        assert (school.deliveries(), school.messages()) == (0, 2)
        assert set(school.calls()) == {"Sign"}
        # And when the models are back all are answered
        school.faults()
        assert (await school.run()).modes == {"live": 2}

    at_school(tmp_path, scenario)


@pytest.mark.parametrize(
    ("stage", "answer"),
    [("nlu", "empty_text"), ("interest", "not_json"), ("script", "empty_text"), ("script", "schema_invalid")],
)
def test_an_outage_of_one_stage_is_met_once_and_then_looked_for(
    tmp_path: Path, stage: str, answer: Any
) -> None:
    async def scenario(school: School) -> None:
        # Given models that answer the smallest call, and nothing usable at one stage
        school.faults(Rule(stage=stage, answer=answer))
        await school.publish("q-1")
        # When one message is all there is, over more runs than a request may fail
        runs = [await school.run() for _ in range(7)]
        # Then none of it is counted, and all but the first run find out without it
        assert [(run.exit_code, run.pulled) for run in runs] == [(75, 1)] + 6 * [(75, 0)]
        assert school.deliveries() == 1
        document = await school.result("q-1")
        assert (document["status"], document.get("failures", [])) == ("processing", [])
        # And it is answered when that stage is back
        school.faults()
        assert (await school.run()).modes == {"live": 1}

    at_school(tmp_path, scenario)


def test_a_question_that_every_model_fails_at_is_counted_and_becomes_a_dead_letter(tmp_path: Path) -> None:
    async def scenario(school: School) -> None:
        await school.publish("q-bad")
        for attempt in range(1, 6):
            # Given models that fail at one script, at each of four calls, and not at what they are asked after it
            school.faults(Rule(stage="script", times=4, answer="not_json"))
            # When it comes
            run = await school.run(worker_max_runtime_seconds=0.5)
            # Then its failures are counted, the canary's call on its bill, and the others go on
            assert run.exit_code == 0
            (failure,) = (await school.result("q-bad"))["failures"]
            assert (failure["kind"], failure["count"]) == ("invalid_json", attempt)
        assert (await school.result("q-bad"))["status"] == "failed"
        assert len(await school.dead_letters()) == 1
        await school.publish("q-good")
        school.faults()
        assert (await school.run()).modes == {"live": 1}

    at_school(tmp_path, scenario)


def test_with_degrade_the_mock_answers_an_empty_outage_and_the_debt_is_repaid_later(tmp_path: Path) -> None:
    async def scenario(school: School) -> None:
        school.faults(Rule(answer="empty_text"))
        await school.publish("q-1")
        assert (await school.run(worker_on_outage="degrade")).modes == {"mock": 1}
        document = await school.result("q-1")
        assert (document["degraded"], "debt" in document) == (True, True)
        assert document["stages"]["nlu"]["error"]["kind"] == "empty"
        # When it is to be repaid in the outage, or in one of a stage
        for outage in (Rule(answer="empty_text"), Rule(stage="script", answer="empty_text")):
            school.faults(outage)
            with pytest.raises(NoModelAnswered):
                await school.heal()
        # Then no failure is counted, and it is repaid when all is well
        assert (await school.result("q-1"))["failures"] == []
        school.faults()
        assert [settled.outcome for settled in await school.heal()] == ["healed"]

    at_school(tmp_path, scenario)


@pytest.mark.parametrize(
    ("stage", "verdict"),
    [
        ("nlu", {"finish_reason": "SAFETY"}),
        ("nlu", {"block_reason": "OTHER"}),
        ("interest", {"finish_reason": "SPII"}),
        ("interest", {"block_reason": "SAFETY"}),
        ("script", {"finish_reason": "PROHIBITED_CONTENT"}),
        ("script", {"block_reason": "OTHER"}),
    ],
)
def test_one_false_alarm_of_a_filter_blocks_nobody(
    tmp_path: Path, stage: str, verdict: dict[str, Any]
) -> None:
    async def scenario(school: School) -> None:
        school.faults(Rule(stage=stage, times=1, **verdict))
        await school.publish("q-1")
        assert (await school.run()).modes == {"live": 1}
        document = await school.result("q-1")
        assert (document["status"], document["stages"][stage]["attempts"]) == ("completed", 2)

    at_school(tmp_path, scenario)


def test_a_block_is_the_answer_of_one_request_and_heal_looks_at_it_again(tmp_path: Path) -> None:
    async def scenario(school: School) -> None:
        # Given a filter that blocks a shared lesson twice, and not again
        school.faults(Rule(stage="script", times=2, finish_reason="SAFETY"))
        await school.publish("q-1", question="explain photosynthesis using soccer")
        await school.run()
        blocked = await school.result("q-1")
        assert (blocked["status"], blocked["degraded"], "debt" in blocked) == ("blocked", False, True)
        # When another student asks for the lesson, then it is written
        await school.publish("q-2", question="can you explain photosynthesis using soccer")
        await school.run()
        assert (await school.result("q-2"))["status"] == "completed"
        # And the first one has it, once debts are repaid
        assert [settled.outcome for settled in await school.heal()] == ["healed"]
        repaired = await school.result("q-1")
        assert (repaired["status"], repaired["earlier"][0]["status"]) == ("completed", "blocked")

    at_school(tmp_path, scenario)
