"""The queue delivers everything several times, and again while it is being worked on."""

import random
from dataclasses import dataclass

from tests.conformance.processes.accounts import account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.waiting import until
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts

SHORTEST_LEASE_SECONDS = 2
"""Real subscriptions start at 10 s; the emulator grants less, so that leases end before any worker renews them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redelivery:
    """Every message is published `copies` times, and its lease ends before its work does."""

    messages: int = 200
    copies: int = 3
    workers: int = 4
    concurrency: int = 12
    latency_seconds: float = 1.5
    ended_within_seconds: float = 240.0
    name: str = "redelivery"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Publish all copies shuffled, let the workers drain them, and count."""
        report, ledger = Report(scenario=self.name, seed=seed), Ledger()
        bodies = list(questions(self.messages)) * self.copies
        random.Random(seed).shuffle(bodies)
        with World(
            hosts,
            latency_seconds=self.latency_seconds,
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_IDLE_TIMEOUT_SECONDS="8",
        ) as world:
            world.cloud.shorten_leases(SHORTEST_LEASE_SECONDS)
            world.cloud.publish(bodies)
            fleet = [world.worker() for _ in range(self.workers)]

            def all_ended() -> bool:
                ledger.see(world.cloud.finished())
                return not any(worker.is_running for worker in fleet)

            until(all_ended, self.ended_within_seconds, "an end of the work", every=0.5)
            self._account(world, report, ledger)
        return report

    def _account(self, world: World, report: Report, ledger: Ledger) -> None:
        results, accounts = world.cloud.results(), account(world.calls())
        report.figures["deliveries"] = sum(worker.summary().get("pulled", 0) for worker in world.workers)
        report.nothing_is_lost(request_ids(self.messages), results, world.cloud.dead())
        report.all_are_answered(results)
        report.nothing_is_written_twice(ledger, world.cloud.left_in_queue())
        report.nothing_is_paid_twice(accounts)
        report.all_stages_were_asked(accounts, self.messages)
        report.exit_codes(world.workers)
        report.no_bugs(world.events())
