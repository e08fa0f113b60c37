"""Firestore or Pub/Sub cannot be reached for a while in the middle of work; what they hold is kept."""

import random
import time
from dataclasses import dataclass
from typing import Literal

from tests.conformance.processes.accounts import account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.proxy import TcpProxy
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.waiting import until
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts

Service = Literal["firestore", "pubsub"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """One worker loses its way to one service: connections are refused, or (`how="freeze"`) nobody answers."""

    of: Service
    how: Literal["cut", "freeze"] = "cut"
    messages: int = 400
    concurrency: int = 8
    outage_seconds: float = 20.0
    latency_seconds: float = 0.3
    lease_seconds: int = 60
    ended_within_seconds: float = 240.0

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"outage of {self.of}, {'refused' if self.how == 'cut' else 'frozen'}"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Cut the worker off, let it back, wait for its own end, and count."""
        chance, report = random.Random(seed), Report(scenario=self.name, seed=seed)
        with (
            TcpProxy(getattr(hosts, self.of)) as way,
            World(
                hosts,
                latency_seconds=self.latency_seconds,
                lease_seconds=self.lease_seconds,
                WORKER_CONCURRENCY=str(self.concurrency),
                # Shorter than a lease: an answer to a pull that is lost on its way leaves messages leased to nobody,
                # and the worker must still be there when they come back.
                WORKER_IDLE_TIMEOUT_SECONDS="5",
            ) as world,
        ):
            world.cloud.publish(questions(self.messages))
            worker = world.worker(**{f"{self.of.upper()}_EMULATOR_HOST": way.host})
            until(lambda: len(world.cloud.finished()) >= self.messages // 10, 60, "a tenth of the results")
            time.sleep(chance.uniform(0, 1))
            ledger = Ledger()
            ledger.see(world.cloud.finished())
            self._interrupt(way)
            worker.wait(self.ended_within_seconds)
            ledger.see(world.cloud.finished())
            self._account(world, report, ledger)
        return report

    def _interrupt(self, way: TcpProxy) -> None:
        if self.how == "cut":
            way.cut()
        else:
            way.freeze()
        time.sleep(self.outage_seconds)
        way.open()

    def _account(self, world: World, report: Report, ledger: Ledger) -> None:
        results, accounts = world.cloud.results(), account(world.calls())
        dead = world.cloud.dead()
        report.nothing_is_lost(request_ids(self.messages), results, dead)
        report.all_are_answered(results)
        report.promise("no dead letters", not dead, dead)
        report.nothing_is_written_twice(ledger, world.cloud.left_in_queue())
        report.nothing_is_paid_twice(accounts)
        report.all_stages_were_asked(accounts, self.messages)
        report.exit_codes(world.workers)
        report.no_bugs(world.events())
