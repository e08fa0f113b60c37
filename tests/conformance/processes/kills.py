"""Workers are killed at random, again and again, in the middle of work; others take their place at once.

A victim is stopped (SIGSTOP), left alone until everything that it had sent has landed, and then killed (SIGKILL).
So it is known for certain which of its writes count, and its open calls break at one moment.
"""

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

SETTLE_SECONDS = 0.05
"""What a request needs to land on the loopback interface, many times over."""

LOOK_EVERY_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kills:
    """`kills` kills, one every `every_seconds`; afterwards the workers go on until everything is settled."""

    messages: int = 2000
    workers: int = 4
    concurrency: int = 6
    kills: int = 30
    every_seconds: float = 2.0
    latency_seconds: float = 0.3
    lease_seconds: int = 60
    settled_within_seconds: float = 300.0
    name: str = "kills"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Kill, wait until the rest is answered, and count."""
        with World(
            hosts,
            latency_seconds=self.latency_seconds,
            lease_seconds=self.lease_seconds,
            WORKER_CONCURRENCY=str(self.concurrency),
        ) as world:
            return _Run(self, world, seed).report()


class _Run:
    def __init__(self, plan: Kills, world: World, seed: int) -> None:
        self._plan = plan
        self._world = world
        self._random = random.Random(seed)
        self._ledger = Ledger()
        self._cuts: list[Cut] = []
        self._report = Report(scenario=plan.name, seed=seed)

    def report(self) -> Report:
        plan, world = self._plan, self._world
        world.cloud.publish(questions(plan.messages))
        fleet = [world.worker("--continuous") for _ in range(plan.workers)]
        for worker in fleet:
            worker.wait_until_pulling()
        self._kill_again_and_again(fleet)
        answered_at_last_kill = len(world.cloud.finished())
        self._wait_until_settled()
        for worker in fleet:
            worker.terminate()
        self._account(fleet, answered_at_last_kill)
        return self._report

    def _kill_again_and_again(self, fleet: list[WorkerProcess]) -> None:
        next_kill = next_look = time.monotonic()
        for _ in range(self._plan.kills):
            next_kill += self._plan.every_seconds
            time.sleep(max(0.0, next_kill - time.monotonic()))
            place = self._random.randrange(len(fleet))
            self._cuts.append(kill(fleet[place]))
            fleet[place] = self._world.worker("--continuous")
            if time.monotonic() > next_look:
                next_look = time.monotonic() + LOOK_EVERY_SECONDS
                self._ledger.see(self._world.cloud.finished())

    def _wait_until_settled(self) -> None:
        """Until everything has a result, and the leases of the last victim are over: its messages come back."""
        leases_end = time.time() + self._plan.lease_seconds + 5

        def settled() -> bool:
            finished = self._world.cloud.finished()
            self._ledger.see(finished)
            return len(finished) >= self._plan.messages and time.time() > leases_end

        try:
            until(settled, self._plan.settled_within_seconds, "an end of the work", every=1.0)
        except TimeoutError as error:
            self._report.promise("it comes to an end", False, error)

    def _account(self, fleet: list[WorkerProcess], answered_at_last_kill: int) -> None:
        report, world, plan = self._report, self._world, self._plan
        results = world.cloud.results()
        self._ledger.see(world.cloud.finished())
        left = world.cloud.left_in_queue()
        accounts = account(world.calls(), self._cuts)
        report.figures |= {"kills": len(self._cuts), "that hit calls": accounts.cuts_that_hit}
        report.figures["answered at the last"] = answered_at_last_kill
        report.nothing_is_lost(request_ids(plan.messages), results, world.cloud.dead())
        report.all_are_answered(results)
        report.nothing_is_written_twice(self._ledger, left)
        report.nothing_is_paid_twice(accounts)
        report.all_stages_were_asked(accounts, plan.messages)
        report.exit_codes(fleet)
        report.no_bugs(world.events())


def kill(victim: WorkerProcess) -> Cut:
    """Kill a worker at a moment that is known for certain."""
    stopped_at = time.time()
    victim.send(signal.SIGSTOP)
    time.sleep(SETTLE_SECONDS)
    peers = victim.peers
    victim.end()
    return Cut(peers=peers, stopped_at=stopped_at)
