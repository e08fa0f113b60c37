"""Dead letters on a screen. Nothing in them can do anything to the terminal that shows them."""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from pydantic_core import from_json

from worker.dead_letters.groups import Group, Letter
from worker.dead_letters.redriving import Redrive
from worker.drawing import console, printable, show, to_json

ROWS = 50
"""How many messages a table lists before it says how many more there are."""


def print_groups(groups: Iterable[Group]) -> None:
    """A table with a row for each cause; times are UTC."""
    headings = (
        "fingerprint",
        "count",
        "first seen",
        "last seen",
        "stage",
        "kind",
        "attempts",
        "spent",
        "cause",
    )
    rows = (
        (
            group.cause.fingerprint,
            str(len(group.letters)),
            _short(group.first_seen),
            _short(group.last_seen),
            group.cause.stage,
            group.cause.kind,
            "" if group.attempts is None else str(group.attempts),
            _spent(group),
            group.cause.text,
        )
        for group in groups
    )
    _print_table(headings, rows)


def print_redrives(redrives: Sequence[Redrive]) -> None:
    """A table of what is to be done with each message; of many only the first."""
    rows = (
        (
            redrive.letter.source_message_id,
            redrive.letter.request_id or "",
            redrive.letter.cause.fingerprint,
            str(redrive.letter.redrives),
            f"leave: {redrive.obstacle}" if redrive.obstacle else "redrive",
        )
        for redrive in redrives[:ROWS]
    )
    _print_table(("message", "request", "fingerprint", "redriven before", "what"), rows)
    if len(redrives) > ROWS:
        show(f"and {len(redrives) - ROWS} more; --json lists all")


def print_group(group: Group) -> None:
    """What the letters of a group have in common."""
    cause = group.cause
    show(click.style(f"{len(group.letters)} with fingerprint {printable(cause.fingerprint)}", bold=True))
    show(f"  {printable(cause.stage)}: {printable(cause.kind)}: {printable(cause.text)}")
    show(f"  from {_short(group.first_seen)} to {_short(group.last_seen)} UTC; spent: {_spent(group)}\n")


def print_letter(letter: Letter) -> None:
    """A whole letter: where it comes from, its attributes, its body."""
    request = f", request {letter.request_id}" if letter.request_id else ""
    show(click.style(printable(f"message {letter.source_message_id}{request}"), bold=True))
    copies = f", {len(letter.copies)} copies" if len(letter.copies) > 1 else ""
    show(f"dead-lettered {_short(letter.seen_at)} UTC{copies}")
    attributes = letter.newest.attributes
    if not attributes:
        show("  (no attributes)")
    width = max(map(len, attributes), default=0)
    for name, value in sorted(attributes.items()):
        show(f"  {printable(name):{width}}  {printable(value, kept='')}")
    show(f"{_body(letter.newest.data)}\n")


def _body(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return f"The body is not UTF-8; in base64: {base64.b64encode(data).decode()}"
    try:
        return to_json(from_json(text), indent=2)
    except ValueError:
        return f"The body is not JSON:\n{printable(text)}" if text.strip() else "The body is empty."


def _spent(group: Group) -> str:
    if group.cost_is_complete:
        return f"${group.cost_usd:.4f}"
    return f"at least ${group.cost_usd:.4f}" if group.cost_usd else "unknown"


def _short(moment: datetime) -> str:
    # Without the year: no subscription keeps messages for longer than 31 days.
    return f"{moment:%m-%d %H:%M}"


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("fingerprint", "count"))
    for row in rows:
        table.add_row(*(escape(printable(cell, kept="")) for cell in row))
    console().print(table)
