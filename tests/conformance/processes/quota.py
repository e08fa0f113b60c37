"""The model's quota is used up for some seconds (429), with either policy for outages."""

import time
from collections import Counter
from dataclasses import dataclass

from tests.conformance.processes.accounts import account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_faults import Faults, Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaStorm:
    """A quota far below what the worker wants, for `storm_seconds`; with `degrade` every message is answered."""

    messages: int = 400
    concurrency: int = 24
    quota_per_second: float = 8.0
    storm_seconds: float = 15.0
    latency_seconds: float = 0.3
    ended_within_seconds: float = 180.0
    name: str = "quota, degrade"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Let the storm pass over a worker, wait for its own end, and count."""
        report = Report(scenario=self.name, seed=seed)
        storm = Faults(rules=[Rule(quota_per_second=self.quota_per_second, burst=8)], seed=seed)
        with World(
            hosts,
            latency_seconds=self.latency_seconds,
            faults=storm,
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_ON_OUTAGE="degrade",
        ) as world:
            world.cloud.publish(questions(self.messages))
            worker = world.worker()
            worker.wait_until_pulling()
            time.sleep(self.storm_seconds)
            world.vertex.control.set_faults(Faults())
            worker.wait(self.ended_within_seconds)
            _account(world, report, self.messages)
            report.exit_codes(world.workers)
        return report


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaHold:
    """No model answers at all; with `hold` each run ends with 75, and a later one answers everything."""

    messages: int = 100
    runs_in_the_storm: int = 3
    concurrency: int = 24
    ended_within_seconds: float = 180.0
    name: str = "quota, hold"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Run in the storm, run after it, and count."""
        report = Report(scenario=self.name, seed=seed)
        with World(
            hosts,
            faults=Faults(rules=[Rule(error="quota")]),
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_ON_OUTAGE="hold",
            WORKER_MODELS="vertex:gemini-3.8-flash",
            # Longer than a message that was put off stays away.
            WORKER_IDLE_TIMEOUT_SECONDS="25",
        ) as world:
            world.cloud.publish(questions(self.messages))
            codes = [world.worker().wait(self.ended_within_seconds) for _ in range(self.runs_in_the_storm)]
            report.promise("runs without a model end with 75", set(codes) == {75}, codes)
            world.vertex.control.set_faults(Faults())
            last = world.worker().wait(self.ended_within_seconds)
            report.promise("the run after the storm ends with 0", last == 0, last)
            _account(world, report, self.messages)
            report.promise(
                "all answers are live", set(report.figures["modes"]) <= {"live"}, report.figures["modes"]
            )
        return report


def _account(world: World, report: Report, messages: int) -> None:
    results, dead = world.cloud.results(), world.cloud.dead()
    report.figures["refused calls"] = sum(call.status == "RESOURCE_EXHAUSTED" for call in world.calls())
    report.figures["modes"] = dict(Counter(one.mode or "none" for one in results.values()))
    report.nothing_is_lost(request_ids(messages), results, dead)
    # The mock knows less, and asks back where a model would have understood.
    report.all_are_answered(results, statuses=("completed", "needs_clarification"))
    report.promise("no dead letters", not dead, dead)
    report.nothing_is_written_twice(Ledger(), world.cloud.left_in_queue())
    report.nothing_is_paid_twice(account(world.calls()))
    report.no_bugs(world.events())
