"""One run: a scenario, perhaps with one fault, until a healthy worker has drained what is left."""

import asyncio
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import capture_logs

from services.messaging.port import Message
from services.messaging.sqlite import SqlitePublisher
from services.messaging.sqlite_provisioner import SqliteProvisioner
from services.storage.sqlite import SqliteResultStore
from services.storage.sqlite_answers import SqlitePaidAnswers
from tests.conformance import virtual_time
from tests.conformance.injection.audit import DEAD_SUBSCRIPTION, SUBSCRIPTION, Audit, AuditedFile
from tests.conformance.injection.faults import CRASHES, PULL, SLOW, Fault, Injection
from tests.conformance.injection.models import CRASHED, ENDED, FROZEN, FunctionModel, PaidCall, Till
from tests.conformance.injection.network import RUNNING, Network, Visit
from tests.conformance.injection.scenarios import Scenario
from tests.conformance.injection.workers import (
    DEAD_TOPIC,
    LEASE_SECONDS,
    TOPIC,
    Site,
    Worker,
    seeded,
)
from tests.conformance.virtual_time import VirtualTimeLoop

SEED = 20261120

MOST_WORKERS = 20
MOST_SECONDS = 7200.0
"""A run that takes more of either does not end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How one worker came out; `exit_code` is None when it died. `stopped_after` counts seconds from its SIGTERM."""

    name: str
    exit_code: int | None
    line: str
    stopped_after: float | None
    events: list[MutableMapping[str, Any]]


@dataclass(kw_only=True, slots=True)
class Run:
    """All that was seen of one run. `complaints` are what asyncio had to complain of, or that the run did not end."""

    scenario: Scenario
    injection: Injection | None
    seed: int
    message_ids: list[str] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    hit_at: float | None = None
    workers: list[Ended] = field(default_factory=list)
    calls: list[PaidCall] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0
    audit: Audit | None = None


def run_once(scenario: Scenario, injection: Injection | None = None, *, seed: int = SEED) -> Run:
    """Live the scenario through on a fresh file, in virtual time; the same arguments give the same run."""
    run = Run(scenario=scenario, injection=injection, seed=seed)
    with _fresh_file() as path, _captured_logs() as events:
        virtual_time.run(lambda loop: _Life(run, loop, path, events).live())
    return run


class _Life:
    """The course of one run."""

    def __init__(
        self, run: Run, loop: VirtualTimeLoop, path: Path, events: list[MutableMapping[str, Any]]
    ) -> None:
        self._run = run
        self._loop = loop
        self._events = events
        self._till = Till()
        self._workers: list[Worker] = []
        loop.set_exception_handler(self._complain)
        scenario, file = run.scenario, AuditedFile(path)
        self._site = Site(
            loop=loop,
            path=path,
            file=file,
            network=Network(loop, run.injection),
            model=FunctionModel(
                scenario.respond, self._till, latency=scenario.latency, kept=file.answer_keys
            ),
            scenario=scenario,
            uniform=seeded(run.seed),
        )

    async def live(self) -> None:
        await self._publish()
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await self._work()
        except TimeoutError:
            self._run.complaints.append(f"The run did not end within {MOST_SECONDS:.0f} virtual seconds.")
        self._take_down()
        await self._close()

    async def _work(self) -> None:
        reinforcement = asyncio.create_task(self._reinforce())
        await asyncio.gather(*(self._start_worker() for _ in range(self._run.scenario.workers)))
        if self._site.network.hit.is_set():
            await reinforcement
        reinforcement.cancel()
        await self._site.network.settle()
        while (again_at := self._site.file.comes_again_at()) is not None:
            if len(self._workers) == MOST_WORKERS:
                self._run.complaints.append(f"{MOST_WORKERS} workers have not drained the queue.")
                return
            await asyncio.sleep(max(0.0, (again_at - self._loop.now()).total_seconds()))
            await self._start_worker()

    async def _reinforce(self) -> None:
        """Start the worker that comes in where the fault leaves a gap."""
        await self._site.network.hit.wait()
        injection = self._run.injection
        hit = self._site.network.hit_process
        assert injection is not None
        assert hit is not None
        if injection.fault is Fault.FREEZE:
            self._lose(hit.name, FROZEN)
        if injection.fault in SLOW:
            await asyncio.sleep(LEASE_SECONDS + 1)
        elif injection.fault in CRASHES:
            await hit.died.wait()
        elif not (injection.fault is Fault.DUPLICATE and injection.point.call == PULL):
            return
        await self._start_worker()

    async def _start_worker(self) -> None:
        """Start one and see it through."""
        worker = Worker(self._site, f"worker-{len(self._workers) + 1}")
        self._workers.append(worker)
        await worker.end()
        self._lose(worker.process.name, CRASHED if worker.has_died else ENDED)

    def _lose(self, process: str, how: str) -> None:
        self._till.lose(process, kept=self._site.file.answer_keys(), how=how)

    async def _publish(self) -> None:
        publisher = SqlitePublisher(path=self._site.path, now=self._loop.now)
        self._site.closings.append(publisher.close)
        messages = [Message(data=data) for data in self._run.scenario.messages]
        self._run.message_ids.extend(await publisher.publish(TOPIC, messages))

    def _take_down(self) -> None:
        """Write down what was seen; what still moves afterwards is only cleared away."""
        run = self._run
        run.visits = self._site.network.visits
        run.hit_at = self._site.network.hit_at
        run.workers = [self._ended(worker) for worker in self._workers]
        run.calls = self._till.calls
        run.stale = [found for worker in self._workers for found in worker.store.stale]
        run.virtual_seconds = self._loop.time()
        run.audit = self._site.file.audit()

    def _ended(self, worker: Worker) -> Ended:
        name, summary, stopped_at = worker.process.name, worker.summary, worker.process.stopped_at
        return Ended(
            name=name,
            exit_code=summary.exit_code if summary else None,
            line=summary.line() if summary else "died",
            stopped_after=None if stopped_at is None or summary is None else worker.ended_at - stopped_at,
            events=[event for event in self._events if event.get("worker") == name],
        )

    async def _close(self) -> None:
        self._site.network.end()
        for worker in self._workers:
            if worker.has_died:
                await worker.bury()
        for close in self._site.closings:
            await close()

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._run.complaints.append(f"{context['message']}: {context.get('exception')!r}")


@contextmanager
def _captured_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    def by_the_living(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        process = RUNNING.get()
        if process is not None and process.died.is_set():
            raise structlog.DropEvent
        return {**event, "worker": process.name if process else None}

    with capture_logs(processors=[structlog.contextvars.merge_contextvars, by_the_living]) as events:
        yield events


@contextmanager
def _fresh_file() -> Iterator[Path]:
    """A database with everything that is provisioned, and the audit's triggers; in memory where that is possible."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "worker.db"
        path.write_bytes(_template())
        yield path


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "worker.db"
        virtual_time.run(lambda _loop: _provision(path))
        AuditedFile(path).install()
        return path.read_bytes()


async def _provision(path: Path) -> None:
    provisioner = SqliteProvisioner(
        path=path,
        topic=TOPIC,
        subscription=SUBSCRIPTION,
        dead_letter_topic=DEAD_TOPIC,
        dead_letter_subscription=DEAD_SUBSCRIPTION,
    )
    store, answers = SqliteResultStore(path=path), SqlitePaidAnswers(path=path)
    await provisioner.provision()
    # Looking for something makes the tables.
    await store.debts(1)
    await answers.find(["none"])
    for part in (provisioner, store, answers):
        await part.close()
