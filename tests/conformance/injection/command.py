"""`scripts/conformance injection`: every await of a message's life, with every fault."""

import json
import sys
from collections import Counter
from typing import Any

import click

from tests.conformance.injection.faults import Fault
from tests.conformance.injection.running import SEED
from tests.conformance.injection.scenarios import scenarios
from tests.conformance.injection.visiting import Finding, Report, run_all


@click.command()
@click.option(
    "--scenario",
    "only",
    multiple=True,
    type=click.Choice(list(scenarios())),
    help="Only this one; repeatable.",
)
@click.option(
    "--fault",
    multiple=True,
    type=click.Choice([one.value for one in Fault]),
    help="Only this one; repeatable.",
)
@click.option(
    "--point", multiple=True, metavar="CALL#N", help="Only this await point, such as store.claim#1."
)
@click.option("--seed", default=SEED, show_default=True, help="Of all jitter; the same seed repeats a run.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def injection(
    only: tuple[str, ...], fault: tuple[str, ...], point: tuple[str, ...], seed: int, as_json: bool
) -> None:
    """Drive one fault at a time through every await between worker, queue, store and model, in virtual time.

    Exit code 1 when a promise was broken. Example: injection --scenario ordinary --fault crash_after
    """
    report = run_all(
        only_scenarios=only,
        only_faults=map(Fault, fault),
        only_points=point,
        seed=seed,
        tell=lambda line: click.echo(f"injection: {line}", err=True),
    )
    click.echo(json.dumps(_as_json(report)) if as_json else _as_text(report))
    sys.exit(1 if report.findings else 0)


def _as_text(report: Report) -> str:
    lines = [
        f"seed {report.seed}",
        f"await points visited: {report.points.total()} ({_listed(report.points)})",
        f"faults injected: {report.faults.total()} ({_listed(report.faults)})",
        *(f"left out: {count} × {reason}" for reason, count in report.skipped.items()),
        f"workers ended with: {_listed(report.exit_codes)}",
        f"broken promises: {len(report.findings)}",
    ]
    for finding in report.findings:
        lines += [f"  {finding}", f"    again: {finding.repeat}"]
    return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "seed": report.seed,
        "points": dict(report.points),
        "faults": dict(report.faults),
        "skipped": dict(report.skipped),
        "exit_codes": dict(report.exit_codes),
        "broken": [_finding(finding) for finding in report.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    injection = finding.injection
    return {
        "scenario": finding.scenario,
        "fault": str(injection.fault) if injection else None,
        "point": str(injection.point) if injection else None,
        "promise": finding.broken.promise,
        "seen": finding.broken.seen,
        "repeat": finding.repeat,
    }
