"""Dead letters on a screen. Nothing in them can do anything to the terminal that shows them."""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from pydantic_core import from_json

from worker.dead_letters.groups import Group, Letter
from worker.dead_letters.redriving import Redrive
from worker.drawing import printable, show, to_json
from worker.tables import Column, print_table

ROWS = 50
"""How many messages a table lists before it says how many more there are."""


GROUP_COLUMNS = (
    Column(heading="fingerprint"),
    Column(heading="count"),
    Column(heading="first seen", weight=2),
    Column(heading="last seen", weight=5),
    Column(heading="stage", weight=1),
    Column(heading="kind", least=8, wanted=20),
    Column(heading="attempts", weight=3),
    Column(heading="spent", weight=4),
    Column(heading="cause", least=20, wanted=40),
)

REDRIVE_COLUMNS = (
    Column(heading="message"),
    Column(heading="request", weight=3, least=10, wanted=20),
    Column(heading="fingerprint", weight=2),
    Column(heading="redriven before", weight=1),
    Column(heading="what", least=20, wanted=20),
)


def print_groups(groups: Iterable[Group]) -> None:
    """A table with a row for each cause; times are UTC."""
    rows = [
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
    ]
    print_table(GROUP_COLUMNS, rows)


def print_redrives(redrives: Sequence[Redrive]) -> None:
    """A table of what is to be done with each message; of many only the first."""
    rows = [
        (
            redrive.letter.source_message_id,
            redrive.letter.request_id or "",
            redrive.letter.cause.fingerprint,
            str(redrive.letter.redrives),
            f"leave: {redrive.obstacle}" if redrive.obstacle else "redrive",
        )
        for redrive in redrives[:ROWS]
    ]
    print_table(REDRIVE_COLUMNS, rows)
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
