"""The command `forget`: erases what is stored about a student. Neither the id nor anything it led to is ever told."""

import asyncio
import sys
from collections.abc import Callable, Sequence

import click

from services.content.students import Forgetting, Records, student_refs
from services.errors import ConfigurationError
from services.messaging.port import Delivery
from services.storage.port import StudentDocument
from worker.dead_letters.commands import settings_of_command
from worker.dead_letters.review import LOOK_AT_MOST, Review, leased
from worker.dead_letters.whose import student_id_of
from worker.drawing import progress_bar, tell
from worker.forgotten import Tally
from worker.settings import Settings
from worker.summary import EXIT_OK, EXIT_OUTAGE
from worker.wiring.backends import connect

MAX_ID_LENGTH = 128

HINT = (
    "Results are found by the keys in WORKER_STUDENT_KEY and WORKER_FORMER_STUDENT_KEYS. If the key was ever another "
    "one, add it to the former ones and run this again."
)

Advance = Callable[[int], None]


def forget(student: str, *, dry_run: bool, assume_yes: bool, as_json: bool) -> int:
    """Forget the student with this id, or with the one on standard input (`-`); returns the exit code.

    On a terminal it asks before it erases. Raises `TransientError` and `ConfigurationError`.
    """
    student_id = id_from(student)
    settings = settings_of_command()
    refs = student_refs(student_id, keys_of(settings))
    asks = sys.stdin.isatty() and not assume_yes
    if dry_run or asks:
        found = asyncio.run(_look(settings, student_id, refs))
        if dry_run or not found.total:
            _tell(found, dry_run=dry_run, as_json=as_json)
            return _ended(found, dry_run=dry_run)
        # Nothing is kept from others while a person thinks: all is looked for again afterwards.
        click.confirm(f"This {found.line(dry_run=True)}. Erase it for good?", abort=True, err=True)
    return _ended(asyncio.run(_erase(settings, student_id, refs, as_json=as_json)), dry_run=False)


def id_from(student: str) -> str:
    """The id that was given, or for `-` the one on standard input. Raises `UsageError`, which does not quote it."""
    student_id = _id_on_stdin() if student == "-" else student
    if not (1 <= len(student_id) <= MAX_ID_LENGTH and _can_be_hashed(student_id)):
        raise click.UsageError(
            f"A student's id has 1 to {MAX_ID_LENGTH} characters, in UTF-8, as messages have it."
        )
    return student_id


def keys_of(settings: Settings) -> list[bytes]:
    """The key of the student hash and the former ones. Raises `ConfigurationError` without a key."""
    if settings.worker_student_key is None:
        raise ConfigurationError(
            "WORKER_STUDENT_KEY is not set, and results are found by a hash with that key only.",
            fix="Set it to the key that the workers have, and WORKER_FORMER_STUDENT_KEYS to those they had before.",
        )
    former = settings.worker_former_student_keys
    listed = former.get_secret_value().split(",") if former else []
    keys = [settings.worker_student_key.get_secret_value(), *listed]
    return list(dict.fromkeys(key.strip().encode() for key in keys if key.strip()))


async def _look(settings: Settings, student_id: str, refs: Sequence[str]) -> Tally:
    async with connect(settings) as backend, leased(backend.dead_letters, LOOK_AT_MOST) as review:
        letters, tally = _letters(review, student_id)
        records = await Forgetting(students=backend.students, refs=refs).find()
    tally.add(records.erasable)
    tally.dead_letters, tally.in_work = len(letters), records.in_work
    return tally


async def _erase(settings: Settings, student_id: str, refs: Sequence[str], *, as_json: bool) -> Tally:
    # The dead letters stay under lease to the end: nobody can send them again meanwhile.
    async with connect(settings) as backend, leased(backend.dead_letters, LOOK_AT_MOST) as review:
        forgetting = Forgetting(students=backend.students, refs=refs)
        records = await forgetting.find()
        letters, tally = _letters(review, student_id)
        tally.in_work, tally.broken_off = records.in_work, True
        try:
            with progress_bar("erasing", total=len(letters) + len(records.erasable)) as advance:
                await _take_away(review, letters, tally, advance)
                await _erase_records(forgetting, records, tally, advance)
            tally.broken_off = False
        finally:
            # Also when it ends in the middle: what was erased was erased.
            _tell(tally, dry_run=False, as_json=as_json)
    return tally


def _letters(review: Review, student_id: str) -> tuple[list[Delivery], Tally]:
    """The student's letters among those in hand, and a tally of what was seen on the way."""
    students = [(delivery, student_id_of(delivery.data)) for delivery in review.deliveries]
    unreadable = sum(found is None for _, found in students)
    tally = Tally(unreadable=unreadable, saw_all=len(students) < LOOK_AT_MOST)
    return [delivery for delivery, found in students if found == student_id], tally


async def _take_away(review: Review, letters: Sequence[Delivery], tally: Tally, advance: Advance) -> None:
    for letter in letters:
        await review.take_away(letter)
        tally.dead_letters += 1
        advance(1)


async def _erase_records(forgetting: Forgetting, records: Records, tally: Tally, advance: Advance) -> None:
    def on_erased(documents: Sequence[StudentDocument]) -> None:
        tally.add(documents)
        advance(len(documents))

    tally.in_work = (await forgetting.erase(records, on_erased=on_erased)).in_work


def _ended(tally: Tally, *, dry_run: bool) -> int:
    if not (tally.results or tally.feedback or tally.in_work):
        click.echo(HINT, err=True)
    return EXIT_OK if dry_run or tally.is_complete else EXIT_OUTAGE


def _tell(tally: Tally, *, dry_run: bool, as_json: bool) -> None:
    tell(tally.as_json(dry_run=dry_run) if as_json else tally.line(dry_run=dry_run))


def _id_on_stdin() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("The student's id", hide_input=True, err=True))
    text = sys.stdin.buffer.read().decode("utf-8-sig", errors="surrogateescape")
    student_id = text.removesuffix("\n").removesuffix("\r")
    if "\n" in student_id:
        raise click.UsageError("Standard input has more than one line; give the ids one by one.")
    return student_id


def _can_be_hashed(student_id: str) -> bool:
    try:
        student_id.encode()
    except UnicodeEncodeError:
        return False
    return True
