"""What people type about dead letters. Imports of what a command needs stand inside it, as in `worker.cli`."""

import asyncio
from pathlib import Path

import click

MOST = 1_000_000

limit_option = click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=10_000,
    show_default=True,
    help="Look at this many dead letters at most.",
)


@click.group(
    "dead-letters",
    epilog="""\b
Examples:
  content-worker dead-letters list                                what failed, by cause
  content-worker dead-letters show FINGERPRINT                    the newest messages with this cause
  content-worker dead-letters redrive --fingerprint FINGERPRINT   what sending them again would do
""",
)
def dead_letters() -> None:
    """Look at messages that could not be answered, mend them, send them again.

    While a command looks at dead letters nobody else sees them; it gives them back when it ends.
    """


@dead_letters.command(
    "list",
    epilog="""\b
Examples:
  content-worker dead-letters list
  content-worker dead-letters list --json | jq -r 'select(.kind == "invalid_fields") | .fingerprint'
""",
)
@limit_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each cause.")
def list_(*, limit: int, as_json: bool) -> None:
    """Show what failed, by cause: how many messages, since when, after how many attempts, at what cost.

    A message that was dead-lettered twice counts once. Times are UTC.
    """
    from worker.dead_letters.commands import list_groups

    asyncio.run(list_groups(limit=limit, as_json=as_json))


@dead_letters.command(
    epilog="""\b
Examples:
  content-worker dead-letters show 3f1c0a9be2d4     a fingerprint: the newest messages with this cause
  content-worker dead-letters show my-request-17    a request id, or the id of a message
  content-worker dead-letters show 3f1c0a9be2d4 --json | jq -r '.body | fromjson.grade_level'
"""
)
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print all that were found, one JSON object a line.")
@click.pass_context
def show(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Show messages whole: their attributes and their bodies, with what students wrote."""
    from worker.dead_letters.commands import show_letters

    ctx.exit(asyncio.run(show_letters(name, as_json=as_json)))


@dead_letters.command(
    epilog="""\b
Examples:
  content-worker dead-letters redrive --all
  content-worker dead-letters redrive --fingerprint 3f1c0a9be2d4 --set grade_level=7
  content-worker dead-letters redrive --fingerprint 3f1c0a9be2d4 --set grade_level=7 --execute --limit 1
  content-worker dead-letters redrive --id my-request-17 --set 'student_query="1984"' --execute

\b
Each message goes to WORKER_TOPIC with its own bytes and attributes and with redrive_count, redriven_from,
first_message_id and redriven_at; then its dead letter is removed. What it has paid for is not paid for again.

\b
Exit codes: 0 all of them can be, or were, sent; 1 some would fail again and stay, or do not exist; 75 the queue
is unreachable, what was not sent stays; 78 a setting that only a person can mend.
"""
)
@click.option("--fingerprint", help="Those with this cause; see `dead-letters list`.")
@click.option(
    "--id",
    "names",
    multiple=True,
    help="The one with this request id or message id; may be given several times.",
)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of every message: VALUE is JSON, or else text. May be given several times.",
)
@click.option("--execute", is_flag=True, help="Do it; without this nothing is changed.")
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    default=10,
    show_default=True,
    help="Messages a second, at most.",
)
@click.option(
    "--limit", type=click.IntRange(1, MOST), help="Send this many messages at most, the oldest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each message.")
@click.pass_context
def redrive(
    ctx: click.Context,
    *,
    fingerprint: str | None,
    names: tuple[str, ...],
    everything: bool,
    changes: tuple[str, ...],
    execute: bool,
    rate: float,
    limit: int | None,
    as_json: bool,
) -> None:
    """Send messages to the worker again, mended where --set says so. Without --execute only show what would be done.

    Messages that the worker would refuse again stay where they are.
    """
    from worker.dead_letters.redrive_command import changes_from, redrive_letters
    from worker.dead_letters.redriving import Choice

    if [fingerprint is not None, bool(names), everything].count(True) != 1:
        raise click.UsageError("Give one of --fingerprint, --id and --all, as in the examples of --help.")
    ctx.exit(
        asyncio.run(
            redrive_letters(
                Choice(fingerprint=fingerprint, names=names),
                changes=changes_from(changes),
                execute=execute,
                rate=rate,
                limit=limit,
                as_json=as_json,
            )
        )
    )


@dead_letters.command(
    epilog="""\b
Examples:
  content-worker dead-letters export --output dead-letters.jsonl
  content-worker dead-letters export | jq -r '.attributes.error_kind' | sort | uniq -c
"""
)
@click.option(
    "--output",
    type=click.Path(allow_dash=True, dir_okay=False, path_type=Path),
    default="-",
    help="A file, which is overwritten. Default: standard output.",
)
@limit_option
def export(*, output: Path, limit: int) -> None:
    """Write dead letters as JSON Lines, with what students wrote. They stay where they are.

    Each line has message_id, publish_time, attributes, and body, or body_base64 where it is no UTF-8 text.
    """
    from worker.dead_letters.commands import export_letters

    asyncio.run(export_letters(output, limit=limit))
