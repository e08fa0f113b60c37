"""`scripts/bench`: what the worker costs, beside the floor: the same calls with no safety around them.

Throughput is a share of what latency allows, CPU a multiple of the floor's in the same run on the same machine: both
hold on any machine. Exit code 1 when a goal is missed.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from tests.bench.measuring import Figures, Rig, run_floor, run_worker
from tests.emulators.google import GoogleEmulators
from tests.emulators.vertex_process import VertexProcess

CRITICAL_PATH_CALLS = 2
"""nlu and interest run side by side, then the script: two model calls follow each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """One figure, what it must keep, and whether it does."""

    name: str
    value: float
    unit: str
    bound: str
    kept: bool


@click.command()
@click.option("--messages", default=1000, show_default=True, help="How many messages each side gets.")
@click.option("--latency", default=1.0, show_default=True, help="Seconds that every model call takes.")
@click.option("--in-flight", default=100, show_default=True, help="Messages in flight at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(messages: int, latency: float, in_flight: int, as_json: bool) -> None:
    """Measure throughput, CPU, memory and start of the worker on the emulators."""
    with GoogleEmulators() as google, VertexProcess(latency_seconds=latency) as vertex:
        rig = Rig(google=google, vertex_host=vertex.host, in_flight=in_flight)
        floor = _measured("floor", rig, messages, run_floor)
        worker = _measured("worker", rig, messages, run_worker)
    goals = _goals(worker, floor, ideal_per_second=in_flight / (CRITICAL_PATH_CALLS * latency))
    if as_json:
        click.echo(
            json.dumps({"worker": asdict(worker), "floor": asdict(floor), "goals": list(map(asdict, goals))})
        )
    else:
        _print(worker, floor, goals)
    sys.exit(0 if all(goal.kept for goal in goals) else 1)


def _measured(name: str, rig: Rig, messages: int, run: Callable[[Rig, int], Figures]) -> Figures:
    click.echo(f"bench: {name}, {messages} messages ...", err=True)
    return run(rig, messages)


def _goals(worker: Figures, floor: Figures, *, ideal_per_second: float) -> list[Goal]:
    share = worker.per_second / ideal_per_second
    ratio = worker.cpu_ms_per_message / floor.cpu_ms_per_message
    return [
        Goal(
            name="throughput, of what latency allows",
            value=share * 100,
            unit="%",
            bound="≥ 85",
            kept=share >= 0.85,
        ),
        Goal(name="CPU a message, of the floor's", value=ratio, unit="×", bound="≤ 2.5", kept=ratio <= 2.5),
        Goal(name="peak memory", value=worker.peak_mb, unit="MB", bound="≤ 200", kept=worker.peak_mb <= 200),
    ]


def _print(worker: Figures, floor: Figures, goals: list[Goal]) -> None:
    click.echo(f"{'':12}{'messages/s':>12}{'CPU ms/message':>17}{'peak MB':>10}{'CPU s to first pull':>21}")
    for name, figures in (("worker", worker), ("floor", floor)):
        click.echo(
            f"{name:12}{figures.per_second:>12.1f}{figures.cpu_ms_per_message:>17.2f}{figures.peak_mb:>10.0f}"
            f"{figures.start_cpu_seconds:>21.2f}"
        )
    for goal in goals:
        verdict = "kept" if goal.kept else "MISSED"
        click.echo(f"{goal.name:38}{goal.value:>8.2f} {goal.unit:3} goal {goal.bound:7} {verdict}")


if __name__ == "__main__":
    main()
