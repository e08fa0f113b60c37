"""`scripts/conformance soak`: an hour's work in minutes, on models that take no time: does memory stay flat?"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.acceptance.running import command as worker_command
from tests.bench.measuring import Rig, provisioned, publish
from tests.emulators.google import GoogleEmulators
from tests.emulators.vertex_process import VertexProcess

TENTHS = 10
MOST_GROWTH = 1.10
SAMPLE_SECONDS = 0.5
SETTLED = b'"message.settled"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """How many messages were settled, and the memory of the worker then."""

    settled: int
    resident_mb: float


@click.command("soak")
@click.option("--messages", default=50_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def soak(messages: int, as_json: bool) -> None:
    """Many messages on a model without latency: memory must stay flat after the first tenth."""
    with (
        GoogleEmulators() as google,
        VertexProcess(latency_seconds=0.0) as vertex,
        TemporaryDirectory() as folder,
    ):
        rig = Rig(google=google, vertex_host=vertex.host, in_flight=64)
        click.echo(f"conformance: soak, {messages} messages ...", err=True)
        project = provisioned(rig)
        publish(rig, project, messages)
        code, seconds, samples = _run(rig, project, Path(folder) / "worker.log", total=messages)
    tenths = by_tenths(samples, messages)
    growth = max(tenths[1:]) / tenths[0]
    figures = {
        "messages": messages,
        "settled": samples[-1].settled,
        "seconds": round(seconds),
        "exit_code": code,
        "resident_mb_by_tenths": tenths,
        "growth_after_first_tenth": round(growth, 3),
    }
    kept = code == 0 and samples[-1].settled >= messages and growth <= MOST_GROWTH
    click.echo(json.dumps(figures) if as_json else _told(figures, kept=kept))
    sys.exit(0 if kept else 1)


def by_tenths(samples: Sequence[Sample], messages: int) -> list[float]:
    """The largest memory seen by the end of each tenth of the messages."""
    bounds = [messages * tenth // TENTHS for tenth in range(1, TENTHS + 1)]
    return [
        round(max(sample.resident_mb for sample in samples if sample.settled <= bound), 1) for bound in bounds
    ]


def _run(rig: Rig, project: str, log: Path, *, total: int) -> tuple[int, float, list[Sample]]:
    environment = rig.environment(project) | {"WORKER_MAX_RUNTIME_SECONDS": "7200"}
    samples, settled, begun = [], 0, time.monotonic()
    with log.open("wb") as stderr, log.open("rb") as written:
        process = subprocess.Popen(
            worker_command(["run", "--json"]), env=environment, stdout=subprocess.DEVNULL, stderr=stderr
        )
        while process.poll() is None:
            settled += sum(SETTLED in line for line in written.readlines())
            samples.append(Sample(settled=settled, resident_mb=_resident_mb(process.pid)))
            _show(settled, total)
            time.sleep(SAMPLE_SECONDS)
    settled = log.read_bytes().count(SETTLED)  # exactly: a line may have been read in two halves
    samples.append(Sample(settled=settled, resident_mb=samples[-1].resident_mb))
    return process.returncode, time.monotonic() - begun, [one for one in samples if one.resident_mb]


def _resident_mb(pid: int) -> float:
    """Of a process; 0 when it is gone. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def _show(settled: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{settled} of {total}", nl=False, err=True)


def _told(figures: dict[str, object], *, kept: bool) -> str:
    lines = [f"  {name:28}{value}" for name, value in figures.items()]
    return "\n".join(["soak", *lines, f"  promises{'':20}{'kept' if kept else 'BROKEN'}"])
