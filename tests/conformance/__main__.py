"""`scripts/conformance`: does the worker keep its promises while its processes and services fail?

Nothing is lost; nothing is paid for or written twice; it always answers. Every scenario runs real worker processes
on the emulators. The seed decides what is left to chance, and is printed, so that a run can be repeated. Exit code 1
when a promise was broken.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import click

from tests.conformance.injection.command import injection
from tests.conformance.inputs.command import inputs
from tests.conformance.processes.report import Report
from tests.conformance.processes.scenarios import SCENARIOS, Scenario, with_messages
from tests.conformance.soak import soak
from tests.emulators.google import EmulatorHosts, GoogleEmulators

EXAMPLES = """\b
Examples:
  scripts/conformance kills
  scripts/conformance kills --seeds 10
  scripts/conformance outage --messages 100 --json
  scripts/conformance all
"""


@click.group(epilog=EXAMPLES)
def main() -> None:
    """Kill, cut off and flood real workers, and count what that loses or costs."""


def _command(name: str, scenarios: Sequence[Scenario], what: str) -> click.Command:
    @click.command(name, help=what)
    @click.option("--seed", default=1, show_default=True, help="The first seed.")
    @click.option("--seeds", default=1, show_default=True, help="How many seeds, one after the other.")
    @click.option("--messages", type=int, help="How many messages, instead of each scenario's own number.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each run.")
    def command(seed: int, seeds: int, messages: int | None, as_json: bool) -> None:
        sized = [with_messages(scenario, messages) for scenario in scenarios]
        reports = list(_run(sized, range(seed, seed + seeds), as_json=as_json))
        if not as_json:
            _print(reports)
        sys.exit(0 if all(report.is_kept for report in reports) else 1)

    return command


def _run(scenarios: Sequence[Scenario], seeds: Sequence[int], *, as_json: bool) -> Iterator[Report]:
    with GoogleEmulators() as hosts:
        for scenario in scenarios:
            for seed in seeds:
                click.echo(
                    f"conformance: {scenario.name}, {scenario.messages} messages, seed {seed} ...", err=True
                )
                report = _attempt(scenario, hosts, seed)
                if as_json:
                    click.echo(json.dumps(asdict(report)))
                yield report


def _attempt(scenario: Scenario, hosts: EmulatorHosts, seed: int) -> Report:
    try:
        return scenario.run(hosts, seed=seed)
    except TimeoutError as error:
        report = Report(scenario=scenario.name, seed=seed)
        report.promise("everything ends in its time", False, error)
        return report


def _print(reports: Sequence[Report]) -> None:
    """For each scenario a table with a column for each seed, and then what was broken."""
    for name, same in groupby(reports, key=lambda report: report.scenario):
        columns = list(same)
        click.echo(f"\n{name}")
        _row("seed", [report.seed for report in columns])
        for figure in dict.fromkeys(figure for report in columns for figure in report.figures):
            _row(figure, [report.figures.get(figure, "") for report in columns])
        _row("promises", ["kept" if report.is_kept else "BROKEN" for report in columns])
    broken = [report for report in reports if not report.is_kept]
    for report in broken:
        click.echo(f"\nBROKEN in {report.scenario}, seed {report.seed}: {report.broken()}")
    click.echo(f"\n{len(reports)} runs, {len(reports) - len(broken)} kept every promise")


def _row(name: str, values: Sequence[Any]) -> None:
    click.echo(f"  {name:24}" + "".join(f"{_text(value):>12}" for value in values))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)


for _name, (_what, _scenarios) in SCENARIOS.items():
    main.add_command(_command(_name, _scenarios, _what))
main.add_command(
    _command("all", [one for _, scenarios in SCENARIOS.values() for one in scenarios], "All of these.")
)
main.add_command(injection)
main.add_command(inputs)
main.add_command(soak)

if __name__ == "__main__":
    main()
