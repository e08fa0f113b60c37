"""Workers get SIGTERM, as Cloud Run sends it, in the middle of calls that take longer than they may still live."""

import random
import signal
import time
from dataclasses import dataclass

from tests.conformance.processes.accounts import Cut, account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.waiting import until
from tests.conformance.processes.workers import WorkerProcess
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_faults import Faults, Rule

CLOUD_RUN_SECONDS = 10.0
"""What Cloud Run leaves a container between SIGTERM and SIGKILL (docs/architecture.md)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminate:
    """`terminated` of the workers are told to stop; the others finish what they give back."""

    messages: int = 90
    workers: int = 4
    terminated: int = 2
    concurrency: int = 6
    script_seconds: float = 12.0
    lease_seconds: int = 60
    ended_within_seconds: float = 120.0
    name: str = "terminate"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Tell some to stop, let the others finish, and count."""
        chance, report = random.Random(seed), Report(scenario=self.name, seed=seed)
        with World(
            hosts,
            latency_seconds=0.3,
            faults=Faults(rules=[Rule(stage="script", latency_seconds=self.script_seconds)]),
            lease_seconds=self.lease_seconds,
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_IDLE_TIMEOUT_SECONDS="12",
        ) as world:
            world.cloud.publish(questions(self.messages))
            fleet = [world.worker() for _ in range(self.workers)]
            chance.shuffle(fleet)
            leaving, staying = fleet[: self.terminated], fleet[self.terminated :]
            until(lambda: self._all_write_scripts(world, fleet), 60, "a script in work everywhere")
            time.sleep(chance.uniform(0, 2))
            seconds = _terminate(leaving)
            world.vertex.control.set_faults(Faults())
            for worker in staying:
                worker.wait(self.ended_within_seconds)
            self._account(world, report, leaving, seconds)
        return report

    def _all_write_scripts(self, world: World, fleet: list[WorkerProcess]) -> bool:
        writing = {call.peer for call in world.calls() if call.stage == "script"}
        return all(worker.peers & writing for worker in fleet)

    def _account(
        self, world: World, report: Report, leaving: list[WorkerProcess], seconds: list[float]
    ) -> None:
        accounts = account(world.calls(), [Cut(peers=worker.peers, stopped_at=None) for worker in leaving])
        given_back = [worker.summary().get("given_back", 0) for worker in leaving]
        report.figures |= {"terminated": len(leaving), "slowest end s": round(max(seconds), 1)}
        report.figures["given back"] = sum(given_back)
        report.promise("ended within 10 s of SIGTERM", max(seconds) <= CLOUD_RUN_SECONDS, seconds)
        report.promise("unfinished messages are given back", all(given_back), given_back)
        results = world.cloud.results()
        report.nothing_is_lost(request_ids(self.messages), results, world.cloud.dead())
        report.all_are_answered(results)
        report.nothing_is_written_twice(Ledger(), world.cloud.left_in_queue())
        report.nothing_is_paid_twice(accounts)
        report.all_stages_were_asked(accounts, self.messages)
        report.exit_codes(world.workers)
        report.no_bugs(world.events())


def _terminate(leaving: list[WorkerProcess]) -> list[float]:
    """All at once; returns the seconds that each took."""
    begun = time.monotonic()
    for worker in leaving:
        worker.send(signal.SIGTERM)
    seconds = []
    for worker in leaving:
        worker.wait(2 * CLOUD_RUN_SECONDS)
        seconds.append(round(time.monotonic() - begun, 2))
    return seconds
