"""Visits every await point of every scenario with every fault."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.conformance.injection.faults import PULL, Fault, Injection, Point, reason_to_skip
from tests.conformance.injection.network import Visit
from tests.conformance.injection.promises import Broken, broken_promises
from tests.conformance.injection.running import SEED, run_once
from tests.conformance.injection.scenarios import Scenario, scenarios

Told = Callable[[str], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A promise that was broken, with everything that it takes to see it again."""

    scenario: str
    injection: Injection | None
    broken: Broken
    seed: int

    @property
    def repeat(self) -> str:
        """The arguments of the command that repeat it."""
        if self.injection is None:
            return f"injection --scenario {self.scenario} --seed {self.seed}"
        return (
            f"injection --scenario {self.scenario} --fault {self.injection.fault} "
            f"--point {self.injection.point} --seed {self.seed}"
        )

    def __str__(self) -> str:
        what = self.injection or "no fault"
        return f"{self.scenario}, {what}: {self.broken.promise}: {self.broken.seen}"


@dataclass(kw_only=True, slots=True)
class Report:
    """What all visits came to: counts of await points by scenario, of faults by kind, of workers by exit code."""

    seed: int
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    exit_codes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def run_all(
    *,
    only_scenarios: Iterable[str] = (),
    only_faults: Iterable[Fault] = (),
    only_points: Iterable[str] = (),
    choose: Callable[[Scenario, Sequence[Injection]], Iterable[Injection]] = lambda _scenario, every: every,
    seed: int = SEED,
    tell: Told = lambda _line: None,
) -> Report:
    """Run the scenarios without a fault, then once for each point and fault that `choose` leaves; empty means all.

    `tell` hears a line for each scenario that is done.
    """
    report = Report(seed=seed)
    names = set(only_scenarios)
    faults, points = set(only_faults) or set(Fault), set(only_points)
    for scenario in scenarios().values():
        if names and scenario.name not in names:
            continue
        every = _injections(report, scenario)
        wanted = [one for one in every if one.fault in faults and (not points or str(one.point) in points)]
        for injection in choose(scenario, wanted):
            _visit(report, scenario, injection)
        tell(f"{scenario.name}: {report.points[scenario.name]} points, {len(report.findings)} broken so far")
    return report


def _injections(report: Report, scenario: Scenario) -> list[Injection]:
    """The reference run: every fault at every point of it."""
    reference = run_once(scenario, seed=report.seed)
    _note(report, scenario, None, broken_promises(reference))
    points = list(_points(reference.visits))
    report.points[scenario.name] = len(points)
    every = [Injection(point=point, fault=fault) for point in points for fault in Fault]
    for injection in every:
        if reason := reason_to_skip(injection):
            report.skipped[reason] += 1
    return [injection for injection in every if reason_to_skip(injection) is None]


def _points(visits: Sequence[Visit]) -> Iterator[Point]:
    """All of them; of pulls that bring nothing one after the other only the first and the last, for they are alike."""
    idle = [visit for visit in visits if visit.point.call == PULL]
    inner = {
        (before.point, visit.point)
        for before, visit in pairwise(idle)
        if before.was_empty and visit.was_empty and before.process is visit.process
    }
    has_alike_before = {after for _, after in inner}
    has_alike_after = {before for before, _ in inner}
    for visit in visits:
        if visit.point not in has_alike_before & has_alike_after:
            yield visit.point


def _visit(report: Report, scenario: Scenario, injection: Injection) -> None:
    run = run_once(scenario, injection, seed=report.seed)
    report.faults[injection.fault] += 1
    report.exit_codes.update("died" if one.exit_code is None else str(one.exit_code) for one in run.workers)
    broken = broken_promises(run)
    if run.hit_at is None:
        broken.append(Broken(promise="runs repeat", seen="the point was not reached this time"))
    _note(report, scenario, injection, broken)


def _note(report: Report, scenario: Scenario, injection: Injection | None, broken: Iterable[Broken]) -> None:
    report.findings.extend(
        Finding(scenario=scenario.name, injection=injection, broken=one, seed=report.seed) for one in broken
    )
