"""One worker process: all its real parts, put together as `worker/wiring/` does, on connections of its own."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.fulfilment import Fulfilment
from services.content.pipeline import ContentPipeline
from services.content.results import ResultPolicy
from services.generation.allowance import Allowance
from services.generation.ladder import Ladder
from services.generation.port import ModelRef, Provider
from services.generation.providers.mock import MockProvider
from services.generation.recall import Recall
from services.generation.refusals import Refusals
from services.generation.retry import Retry, RetrySettings
from services.generation.rung import Rung
from services.generation.shared_calls import SharedCalls
from services.messaging.sqlite import SqlitePublisher, SqliteQueue
from services.storage.patience import Patience, PatientAnswers
from services.storage.sqlite import SqliteResultStore
from services.storage.sqlite_answers import SqlitePaidAnswers
from tests.conformance.injection.audit import SUBSCRIPTION, AuditedFile
from tests.conformance.injection.models import FunctionModel
from tests.conformance.injection.network import RUNNING, Network, Process
from tests.conformance.injection.ports import (
    DistantAnswers,
    DistantModel,
    DistantPublisher,
    DistantQueue,
    DistantStore,
    Line,
)
from tests.conformance.injection.scenarios import Scenario
from tests.conformance.virtual_time import VirtualTimeLoop
from worker.consumer import Consumer, Limits
from worker.handler import MessageHandler
from worker.lease import LeaseKeeper
from worker.puller import PULL_WAIT_SECONDS, Puller
from worker.settler import Settler
from worker.summary import RunSummary

TOPIC, DEAD_TOPIC = "requests", "requests-dead"

LEASE_SECONDS = 60
IDLE_SECONDS = 3.0
MAX_RUNTIME_SECONDS = 540.0

LOOKS_SLOWER = 20
"""The embedded queue looks for messages every 50 ms; here once in a second, which is enough and costs little."""

Closing = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What all workers of one run share, the world outside them."""

    loop: VirtualTimeLoop
    path: Path
    file: AuditedFile
    network: Network
    model: FunctionModel
    scenario: Scenario
    uniform: Callable[[float, float], float]
    closings: list[Closing] = field(default_factory=list)


class Worker:
    """A process that runs until its consumer ends or the network says that it has died."""

    def __init__(self, site: Site, name: str) -> None:
        self.process = Process(name=name)
        self._site = site
        self._line = Line(network=site.network, process=self.process)
        self.store = self._store()
        self._patience = Patience(uniform=site.uniform, clock=site.loop.time)
        self._consumer = self._put_together()
        self.process.stop = self._consumer.stop
        self.ended_at = 0.0
        self._task = asyncio.create_task(self._run())

    @property
    def summary(self) -> RunSummary | None:
        """What the run came to; None when its process died."""
        return self._task.result() if self._task.done() and not self.has_died else None

    @property
    def has_died(self) -> bool:
        """Whether it crashed."""
        return self.process.died.is_set()

    async def end(self) -> None:
        """Wait until the run has ended or the process has died."""
        death = asyncio.create_task(self.process.died.wait())
        await asyncio.wait({self._task, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()

    async def bury(self) -> None:
        """Cancel what is left of a dead process."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> RunSummary:
        RUNNING.set(self.process)
        summary = await self._consumer.run()
        self.ended_at = self._site.loop.time()
        return summary

    def _put_together(self) -> Consumer:
        site, loop = self._site, self._site.loop
        queue = self._queue()
        return Consumer(
            queue=queue,
            puller=Puller(queue, wait_seconds=PULL_WAIT_SECONDS / LOOKS_SLOWER, clock=loop.time),
            handler=MessageHandler(self._fulfilment(), now=loop.now),
            leases=LeaseKeeper(queue, lease_seconds=LEASE_SECONDS),
            settler=Settler(
                queue=queue,
                publisher=self._publisher(),
                dead_letter_topic=DEAD_TOPIC,
                uniform=site.uniform,
            ),
            limits=Limits(
                lease_seconds=LEASE_SECONDS,
                concurrency=site.scenario.concurrency,
                idle_timeout_seconds=IDLE_SECONDS,
                max_runtime_seconds=MAX_RUNTIME_SECONDS,
            ),
            patience=self._patience,
            clock=loop.time,
        )

    def _fulfilment(self) -> Fulfilment:
        loop = self._site.loop
        return Fulfilment(
            store=self.store,
            pipeline=ContentPipeline(model=self._language_model(), catalog=load_catalog(), search=_search()),
            policy=ResultPolicy(student_key=b"k" * 16, ttl=timedelta(days=30), image_digest=None),
            owner=self.process.name,
            claim_lifetime=timedelta(seconds=LEASE_SECONDS),
            allowance=lambda _request, guard: Allowance(
                guard=guard, max_calls=15, seconds=300.0, clock=loop.time
            ),
            patience=self._patience,
            now=loop.now,
        )

    def _language_model(self) -> SharedCalls:
        site, loop = self._site, self._site.loop
        models: Provider = DistantModel(line=self._line, model=site.model)
        retry = Retry(RetrySettings(), uniform=site.uniform)
        refusals: dict[ModelRef, Refusals] = {}

        def rung(ref: ModelRef) -> Rung:
            provider = MockProvider() if ref.provider == "mock" else models
            known = refusals.setdefault(ref, Refusals(ref, now=loop.now, uniform=site.uniform))
            return Rung(provider, ref, refusals=known, retry=retry, now=loop.now)

        return SharedCalls(
            Ladder(
                {
                    stage: [rung(ref) for ref in site.scenario.ladder]
                    for stage in ("nlu", "interest", "script")
                },
                paid=Recall(PatientAnswers(self._answers(), self._patience), now=loop.now),
                answer_lifetime=timedelta(days=30),
                now=loop.now,
                clock=loop.time,
            )
        )

    def _queue(self) -> DistantQueue:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds * LOOKS_SLOWER)

        queue = SqliteQueue(
            path=self._site.path, subscription=SUBSCRIPTION, now=self._site.loop.now, sleep=sleep
        )
        self._site.closings.append(queue.close)
        return DistantQueue(line=self._line, queue=queue)

    def _publisher(self) -> DistantPublisher:
        publisher = SqlitePublisher(path=self._site.path, now=self._site.loop.now)
        self._site.closings.append(publisher.close)
        return DistantPublisher(line=self._line, publisher=publisher)

    def _store(self) -> DistantStore:
        store = SqliteResultStore(path=self._site.path, now=self._site.loop.now)
        self._site.closings.append(store.close)
        return DistantStore(line=self._line, store=store, file=self._site.file)

    def _answers(self) -> DistantAnswers:
        answers = SqlitePaidAnswers(path=self._site.path, now=self._site.loop.now)
        self._site.closings.append(answers.close)
        return DistantAnswers(line=self._line, answers=answers)


def seeded(seed: int) -> Callable[[float, float], float]:
    """The jitter of one run."""
    return random.Random(seed).uniform


@cache
def _search() -> TopicSearch:
    return TopicSearch(load_catalog())
