"""`scripts/conformance inputs`: bad input at scale through the worker, and what became of it."""

import json
import sys
import time
from collections.abc import Iterable, Iterator

import click

from tests.conformance.inputs.drawing import batches
from tests.conformance.inputs.embedded import LADDERS, drain
from tests.conformance.inputs.emulated import drain_on_emulators, publishable
from tests.conformance.inputs.promises import check
from tests.conformance.inputs.sample import Input
from tests.conformance.inputs.sizes import largest
from tests.conformance.inputs.tally import PROMISES, Tally
from tests.emulators.google import EmulatorHosts, GoogleEmulators

IN_PROCESSES = "process on Google's emulators"

LARGEST = 5
"""So many messages as large as Pub/Sub carries them go through the processes, too."""


@click.command(
    epilog="""\b
Examples:
  scripts/conformance inputs
  scripts/conformance inputs --count 500 --emulated 0 --seed 7
"""
)
@click.option("--count", default=10_000, show_default=True, help="How many inputs.")
@click.option(
    "--emulated", default=500, show_default=True, help="So many of them also go through real processes."
)
@click.option(
    "--seed", default=1, show_default=True, help="Decides the inputs and the answers of the models."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inputs(count: int, emulated: int, seed: int, as_json: bool) -> None:
    """Hostile bytes, JSON, text, sizes and models: nothing crashes, is lost, is refused without a reason, or leaks."""
    started = time.monotonic()
    tallies = {name: Tally() for name in LADDERS}
    for number, batch in enumerate(_told(batches(count, seed=seed), count)):
        check_embedded(batch, tallies, seed=seed + number)
    if emulated:
        with GoogleEmulators() as hosts:
            tallies[IN_PROCESSES] = check_processes(emulated, hosts, seed=seed)
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        runs = {name: tally.as_json() for name, tally in tallies.items()}
        click.echo(json.dumps({"seed": seed, "seconds": seconds, "runs": runs}))
    else:
        _print(tallies, seconds)
    sys.exit(0 if all(tally.is_kept for tally in tallies.values()) else 1)


def check_embedded(batch: list[Input], tallies: dict[str, Tally], *, seed: int) -> None:
    """Drain one batch with each of the ladders, in this process."""
    for name, ladder in LADDERS.items():
        drained = drain(batch, ladder=ladder, seed=seed)
        check(batch, drained, tallies[name], always_answers="mock" in ladder)


def check_processes(count: int, hosts: EmulatorHosts, *, seed: int) -> Tally:
    """Drain as many inputs, and the largest ones there can be, with processes on the emulators."""
    tally = Tally()
    for batch in batches(count, seed=seed):
        sent = publishable([*batch, *largest(LARGEST)])
        check(sent, drain_on_emulators(sent, hosts, seed=seed), tally, always_answers=True)
    return tally


def _told(drawn: Iterable[list[Input]], count: int) -> Iterator[list[Input]]:
    done = 0
    for batch in drawn:
        done += len(batch)
        click.echo(f"inputs: {done} of {count} ...", err=True)
        yield batch


def _print(tallies: dict[str, Tally], seconds: float) -> None:
    for name, tally in tallies.items():
        found = tally.as_json()
        click.echo(f"\n{name}")
        for figure in ("inputs", "accepted", "answers", "given up", "refused", "calls"):
            click.echo(f"  {figure:16}{_text(found[figure])}")
        for promise, broken in found["broken"].items():
            click.echo(f"  {promise:16}{broken}")
    for name, tally in tallies.items():
        for promise, examples in tally.examples.items():
            click.echo(f"\nBROKEN with {name}: {promise}: {PROMISES[promise]}, for example")
            for example in examples:
                click.echo(f"  {example!a}")
    broken = sum(not tally.is_kept for tally in tallies.values())
    click.echo(f"\n{len(tallies)} kinds of runs in {seconds} s, {len(tallies) - broken} kept every promise")


def _text(value: object) -> str:
    if isinstance(value, dict):
        total = sum(value.values())
        return f"{total}" + (
            f" ({', '.join(f'{number} {name}' for name, number in value.items())})" if total else ""
        )
    return str(value)
