"""The Firestore emulator stops, forgets everything and starts again: a store that was restored from an old backup."""

import random
import signal
import time
from dataclasses import dataclass

from tests.conformance.processes.kills import SETTLE_SECONDS
from tests.conformance.processes.proxy import TcpProxy
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.waiting import until
from tests.conformance.processes.workers import WorkerProcess
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts, GoogleEmulators, firestore_command

MOST_RUNS = 4
"""A run that meets the outage may end with 75; so often the worker is started again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """Messages that were not settled before the restart are all answered after it."""

    messages: int = 300
    concurrency: int = 8
    away_seconds: float = 5.0
    latency_seconds: float = 0.3
    lease_seconds: int = 60
    ended_within_seconds: float = 240.0
    name: str = "restart"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Restart the emulator in the middle of work, wait for the worker's own end, and count."""
        chance, report = random.Random(seed), Report(scenario=self.name, seed=seed)
        first = _Firestore()
        with first as started, TcpProxy(started.firestore) as way:
            seen = EmulatorHosts(pubsub=hosts.pubsub, firestore=way.host)
            with World(
                seen,
                latency_seconds=self.latency_seconds,
                lease_seconds=self.lease_seconds,
                WORKER_CONCURRENCY=str(self.concurrency),
            ) as world:
                world.cloud.publish(questions(self.messages))
                worker = world.worker()
                until(lambda: len(world.cloud.finished()) >= self.messages // 5, 60, "a fifth of the results")
                time.sleep(chance.uniform(0, 1))
                settled = self._take_away(world, worker, way)
                first.stop()
                time.sleep(self.away_seconds)
                with _Firestore() as second:
                    way.target = second.firestore
                    way.open()
                    codes = self._run_to_the_end(world, worker)
                    self._account(world, report, settled, codes)
        return report

    def _take_away(self, world: World, worker: WorkerProcess, way: TcpProxy) -> set[str]:
        """Cut the worker off; returns what it had finished."""
        worker.send(signal.SIGSTOP)
        time.sleep(SETTLE_SECONDS)
        settled = set(world.cloud.finished())
        way.cut()
        worker.send(signal.SIGCONT)
        return settled

    def _run_to_the_end(self, world: World, worker: WorkerProcess) -> list[int]:
        codes = [worker.wait(self.ended_within_seconds)]
        while codes[-1] == 75 and len(codes) < MOST_RUNS:
            codes.append(world.worker().wait(self.ended_within_seconds))
        return codes

    def _account(self, world: World, report: Report, settled: set[str], codes: list[int]) -> None:
        results = world.cloud.results()
        report.figures |= {"settled before": len(settled), "runs": len(codes)}
        report.nothing_is_lost(set(request_ids(self.messages)) - settled, results, world.cloud.dead())
        report.all_are_answered(results)
        report.promise("the last run ends with 0", codes[-1] == 0, codes)
        report.exit_codes(world.workers, allowed=(0, 75))
        report.no_bugs(world.events())


class _Firestore(GoogleEmulators):
    """A Firestore emulator that nobody else uses, so that it can be stopped."""

    def start(self) -> EmulatorHosts:
        host = self._start(firestore_command)
        self._wait_until_ready(host)
        return EmulatorHosts(pubsub="", firestore=host)
