"""The commands `dead-letters list`, `show` and `export`: look at dead letters and leave them where they are."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from services.messaging.port import Delivery
from worker import logs
from worker.dead_letters.groups import Group, Letter, groups_of, letters_of
from worker.dead_letters.records import group_record_of, record_of
from worker.dead_letters.review import LOOK_AT_MOST, look
from worker.dead_letters.showing import print_group, print_groups, print_letter
from worker.drawing import progress_bar, show, to_json
from worker.settings import Settings, load_settings
from worker.wiring.backends import connect

NEWEST = 3
"""How many letters of a group are shown whole."""


async def list_groups(*, limit: int, as_json: bool) -> None:
    """Print what failed, by cause."""
    groups = groups_of(letters_of(await _look(limit)))
    if as_json:
        for group in groups:
            show(to_json(group_record_of(group)))
    elif groups:
        print_groups(groups)
        say_next("show FINGERPRINT", "redrive --fingerprint FINGERPRINT")


async def show_letters(name: str, *, as_json: bool) -> int:
    """Print the letters that `name` (a fingerprint or an id) stands for; returns the exit code."""
    letters = letters_of(await _look(LOOK_AT_MOST))
    group = next((group for group in groups_of(letters) if group.cause.fingerprint == name), None)
    found = group.letters if group else [letter for letter in letters if letter.is_named(name)]
    if as_json:
        for letter in found:
            show(to_json(record_of(letter.newest)))
    else:
        _print_newest(found, group)
    if letters and not found:
        say_missing(name)
    return 0 if found else 1


async def export_letters(output: Path, *, limit: int) -> None:
    """Write dead letters as JSON Lines to a file, readable by its owner only if new, or (`-`) to stdout."""
    letters = await _look(limit)
    if str(output) == "-":
        for letter in letters:
            show(to_json(record_of(letter)))
    elif letters:
        try:
            _write(output, letters)
        except OSError as error:
            raise click.ClickException(
                f"{output} cannot be written: {error.strerror}. All dead letters are still in the queue."
            ) from error
        click.echo(f"wrote {len(letters)} dead letters to {output}; they are still in the queue", err=True)


def settings_of_command() -> Settings:
    """The settings, with warnings going to standard error."""
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    return settings


def say_what_was_seen(seen: int, *, limit: int, settings: Settings) -> None:
    """Say when there is nothing, and when there may be more."""
    if not seen:
        click.echo(
            f"No dead letters are waiting in {settings.worker_dead_letter_subscription}. "
            "Those that another command has in hand come back within a minute.",
            err=True,
        )
    elif seen == limit:
        click.echo(f"Only {limit} dead letters were looked at; there may be more.", err=True)


def say_missing(*names: str) -> None:
    """Say what was asked for and is not there."""
    click.echo(f"No dead letter has the fingerprint or id {', '.join(names)}.", err=True)
    say_next("list")


def say_next(*commands: str) -> None:
    """Tell what one can do now."""
    click.echo(
        f"Next: {', or '.join(f'content-worker dead-letters {command}' for command in commands)}", err=True
    )


async def _look(limit: int) -> Sequence[Delivery]:
    settings = settings_of_command()
    async with connect(settings) as backend:
        letters = await look(backend.dead_letters, limit)
    say_what_was_seen(len(letters), limit=limit, settings=settings)
    return letters


def _print_newest(letters: Sequence[Letter], group: Group | None) -> None:
    if group:
        print_group(group)
    for letter in letters[-NEWEST:]:
        print_letter(letter)
    if len(letters) > NEWEST:
        click.echo(f"The newest {NEWEST} of {len(letters)}; --json prints all of them.", err=True)


def _write(output: Path, letters: Sequence[Delivery]) -> None:
    # The letters hold what students wrote.
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        os.fdopen(descriptor, "w", encoding="utf-8") as stream,
        progress_bar("exporting", total=len(letters)) as advance,
    ):
        for letter in letters:
            stream.write(f"{to_json(record_of(letter))}\n")
            advance(1)
