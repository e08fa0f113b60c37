"""Every scenario of `scripts/conformance` with real processes once more, small enough for every run of the tests."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance.processes.kills import Kills
from tests.conformance.processes.outage import Outage
from tests.conformance.processes.poison import POISON, Poison
from tests.conformance.processes.quota import QuotaHold, QuotaStorm
from tests.conformance.processes.redelivery import Redelivery
from tests.conformance.processes.report import Report
from tests.conformance.processes.restart import Restart
from tests.conformance.processes.scenarios import SCENARIOS, Scenario
from tests.conformance.processes.tasks import Overlap, Tasks
from tests.conformance.processes.terminate import Terminate
from tests.emulators.google import EmulatorHosts

pytestmark = pytest.mark.emulators

SEED = 1

AT_ONCE = 4
"""Scenarios mostly wait, for leases to end and queues to be empty; so several of them run side by side."""

SMALL: list[Scenario] = [
    Kills(messages=60, workers=2, kills=3, lease_seconds=10),
    Terminate(messages=24, workers=2, terminated=1, script_seconds=10, lease_seconds=10),
    Outage(of="firestore", messages=60, outage_seconds=5, lease_seconds=10),
    Outage(of="pubsub", how="freeze", messages=60, outage_seconds=5, lease_seconds=10),
    Restart(messages=60, away_seconds=2, lease_seconds=10),
    QuotaStorm(messages=60, storm_seconds=3),
    QuotaHold(messages=30, runs_in_the_storm=1),
    Poison(messages=len(POISON)),
    Redelivery(messages=20),
    Tasks(messages=80, executions=(4,), concurrency=4, latency_seconds=0.2, least_growth=None),
    Overlap(messages=60, tasks=1, concurrency=4, latency_seconds=0.5),
]


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, google_emulators: EmulatorHosts
) -> Iterator[dict[str, Future[Report]]]:
    """What becomes of the scenarios that this run of the tests asks for."""
    asked_for = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {one.name: pool.submit(one.run, google_emulators, seed=SEED) for one in asked_for}


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept(scenario: Scenario, reports: dict[str, Future[Report]]) -> None:
    # Given, when: what the scenario says
    report = reports[scenario.name].result()
    # Then no promise is broken
    print(f"seed {SEED}", report.figures)
    assert report.is_kept, f"seed {SEED}: {report.broken()}"


def test_the_small_scenarios_are_of_all_the_kinds_there_are() -> None:
    # Given the scenarios of the command line and those of this file
    full = {type(scenario) for _, scenarios in SCENARIOS.values() for scenario in scenarios}
    # When they are compared, then none is left out here
    assert {type(scenario) for scenario in SMALL} == full
