"""The command `dead-letters redrive`: shows what would be sent again, and with `--execute` sends it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from pydantic_core import from_json

from services.content.models import ContentRequest
from worker.dead_letters.commands import say_missing, say_what_was_seen, settings_of_command
from worker.dead_letters.groups import letters_of
from worker.dead_letters.records import redrive_record_of
from worker.dead_letters.redriving import Choice, Redrive, Redriver, plans_of
from worker.dead_letters.review import LOOK_AT_MOST, leased
from worker.dead_letters.showing import print_redrives
from worker.drawing import progress_bar, tell, to_json
from worker.rate import RateLimit
from worker.wiring.backends import connect


async def redrive_letters(
    choice: Choice,
    *,
    changes: Mapping[str, Any],
    execute: bool,
    rate: float,
    limit: int | None,
    as_json: bool,
) -> int:
    """Redrive the chosen letters, the oldest first and at most `limit` of them; returns the exit code."""
    settings = settings_of_command()
    topic = settings.worker_topic
    async with connect(settings) as backend, leased(backend.dead_letters, LOOK_AT_MOST) as review:
        say_what_was_seen(len(review.deliveries), limit=LOOK_AT_MOST, settings=settings)
        letters = letters_of(review.deliveries)
        missing = choice.missing(letters)
        plans = plans_of(choice.of(letters), changes=changes, limit=limit)
        _refuse_to_merge(plans, changes)
        if execute:
            redriver = Redriver(review=review, publisher=backend.publisher, topic=topic, rate=RateLimit(rate))
            redrives = await _send(redriver, plans, topic=topic, as_json=as_json)
        else:
            redrives = plans
            _tell_plans(plans, topic=topic, rate=rate, as_json=as_json)
    if letters and missing:
        say_missing(*missing)
    return 1 if missing or any(redrive.obstacle for redrive in redrives) else 0


def changes_from(texts: Iterable[str]) -> dict[str, Any]:
    """What `--set FIELD=VALUE` says: a value that is JSON is taken as such, any other is text."""
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--set {text}: give FIELD=VALUE, as in --set grade_level=7.")
        if name not in ContentRequest.model_fields:
            raise click.UsageError(f"--set {text}: a message has no field {name}. {_fields_like(name)}")
        changes[name] = _json_or_text(value)
    return changes


async def _send(
    redriver: Redriver, plans: Sequence[Redrive], *, topic: str, as_json: bool
) -> Sequence[Redrive]:
    redrives: list[Redrive] = []
    try:
        with progress_bar("redriving", total=len(plans)) as advance:
            for planned in plans:
                redrives.append(await redriver.redrive(planned))
                advance(1)
    finally:
        # Also when the queue fails in the middle: what was sent was sent.
        _tell_redrives(redrives, of=len(plans), topic=topic, as_json=as_json)
    return redrives


def _tell_plans(plans: Sequence[Redrive], *, topic: str, rate: float, as_json: bool) -> None:
    if as_json:
        _print_json(plans)
    elif plans:
        print_redrives(plans)
        to_send = sum(not planned.obstacle for planned in plans)
        how = (
            f"To send {_messages(to_send)} to {topic}, at most {rate:g} a second, add --execute."
            if to_send
            else "There is nothing to send as it is; mend fields with --set FIELD=VALUE."
        )
        tell(f"\nThis was a dry run, nothing has changed. {how}")


def _tell_redrives(redrives: Sequence[Redrive], *, of: int, topic: str, as_json: bool) -> None:
    if as_json:
        _print_json(redrives)
    elif of:
        left = [redrive for redrive in redrives if redrive.obstacle]
        if left:
            print_redrives(left)
        sent = sum(redrive.message_id is not None for redrive in redrives)
        follow_up = " Next: content-worker run" if sent else ""
        tell(f"sent {_messages(sent)} to {topic}; {of - sent} of {of} left as they were.{follow_up}")


def _print_json(redrives: Iterable[Redrive]) -> None:
    for redrive in redrives:
        tell(to_json(redrive_record_of(redrive)))


def _refuse_to_merge(plans: Sequence[Redrive], changes: Mapping[str, Any]) -> None:
    if "request_id" in changes and len(plans) > 1:
        raise click.UsageError(
            f"--set request_id would make {len(plans)} messages one: only the first of them would be answered. "
            "Choose a single message with --id."
        )


def _fields_like(name: str) -> str:
    fields = list(ContentRequest.model_fields)
    nearest = difflib.get_close_matches(name, fields, n=1)
    return f"Did you mean {nearest[0]}?" if nearest else f"It has {', '.join(fields)}."


def _json_or_text(value: str) -> Any:
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError:
        return value


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
