"""What `forget` is given, reads in dead letters, and says."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import click
import pytest

from services.errors import ConfigurationError, QueueUnavailable, StoreUnavailable
from services.storage.port import StudentDocument
from tests.builders import delivery, message_bytes
from tests.fakes import ScriptedQueue
from worker import forgetting
from worker.dead_letters.whose import student_id_of
from worker.forgotten import Tally
from worker.settings import load_settings

RESULT = StudentDocument(kind="result", request_id="r-1", status="completed")
FEEDBACK = StudentDocument(kind="feedback", request_id="r-1", status=None)
STUDENT = "student-1"
KEY = "a key of 16 chars"


@pytest.mark.parametrize(
    ("data", "student_id"),
    [
        (message_bytes(student_id=STUDENT), STUDENT),
        (message_bytes(student_id=STUDENT, grade_level="seven"), STUDENT),
        (message_bytes(student_id=" student-1"), " student-1"),
        (b"\xef\xbb\xbf" + message_bytes(student_id=STUDENT), STUDENT),
        (b'{"student_id": "student-1", "student_query": "\xff\xfe"}', STUDENT),
        (b'{"student_id": "student-1", "student_query": "Why do', STUDENT),
        (b'{"student_id": "student-1"} and more', STUDENT),
        (b'{"student_id": 17}', "17"),
        (b'{"padding": "' + b"x" * 300_000 + b'", "student_id": "student-1"}', STUDENT),
    ],
    ids=[
        "valid",
        "invalid",
        "with a space",
        "BOM",
        "not UTF-8",
        "cut off",
        "too much",
        "a number",
        "too large",
    ],
)
def test_a_dead_letter_says_whose_it_is_also_where_it_is_no_valid_message(
    data: bytes, student_id: str
) -> None:
    assert student_id_of(data) == student_id


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON",
        b'["student-1"]',
        b"null",
        b'{"student_query": "Why?"}',
        b'{"student_id": null}',
        b'{"student_id": true}',
        b'{"student_id": ["student-1"]}',
        b'{"student_id": "stud\xff"}',
        b'{"student_id": "student-1',
        b'{"student_id": 17',
        b"[" * 100_000,
    ],
)
def test_where_it_does_not_say_so_nothing_is_guessed(data: bytes) -> None:
    assert student_id_of(data) is None


@pytest.mark.parametrize(
    ("former", "keys"),
    [
        (None, {KEY}),
        ("", {KEY}),
        (f" former 1 ,, former 2,{KEY}\n, ", {KEY, "former 1", "former 2"}),
    ],
)
def test_the_keys_are_the_present_one_and_the_former_ones_each_once(
    former: str | None, keys: set[str]
) -> None:
    settings = load_settings(worker_student_key=f"{KEY}\n", worker_former_student_keys=former)
    found = [key.decode() for key in forgetting.keys_of(settings)]
    assert len(found) == len(set(found))
    assert set(found) == keys


def test_former_keys_alone_will_not_do() -> None:
    with pytest.raises(ConfigurationError) as caught:
        forgetting.keys_of(load_settings(worker_former_student_keys="former"))
    assert "WORKER_STUDENT_KEY" in caught.value.message
    assert "WORKER_FORMER_STUDENT_KEYS" in caught.value.fix


@pytest.mark.parametrize("student", ["x", "a student", "ß" * 128, "--", "one\ntwo"])
def test_any_id_that_a_message_can_have_is_taken(student: str) -> None:
    assert forgetting.id_from(student) == student


@pytest.mark.parametrize("student", ["", "x" * 129, "MARKER \udcff"])
def test_what_no_message_can_have_is_refused_unquoted(student: str) -> None:
    with pytest.raises(click.UsageError, match="1 to 128 characters") as caught:
        forgetting.id_from(student)
    assert "MARKER" not in caught.value.message


@pytest.mark.parametrize(
    ("tally", "line", "is_complete"),
    [
        (Tally(), "nothing is stored about this student", True),
        (
            Tally(results=1, feedback=2, dead_letters=1),
            "erased 1 result, 2 pieces of feedback, 1 dead letter",
            True,
        ),
        (
            Tally(in_work=2),
            "nothing else to erase; 2 are being worked on: run this again when they are done",
            False,
        ),
        (
            Tally(unreadable=1),
            "nothing is stored about this student; left alone: 1 dead letter that could not be read",
            True,
        ),
        (
            Tally(results=2, saw_all=False),
            "erased 2 results, 0 pieces of feedback, 0 dead letters; "
            "only 10000 dead letters were looked at: run this again when there are fewer",
            False,
        ),
        (
            Tally(broken_off=True),
            "erased 0 results, 0 pieces of feedback, 0 dead letters; it ended in the middle: run this again",
            False,
        ),
    ],
)
def test_what_was_done_is_told_in_one_line(tally: Tally, line: str, is_complete: bool) -> None:
    assert tally.line(dry_run=False) == line
    assert json.loads(tally.as_json(dry_run=False))["complete"] is is_complete


def test_a_dry_run_says_what_would_be_done() -> None:
    tally = Tally(results=1)
    assert tally.line(dry_run=True) == "would erase 1 result, 0 pieces of feedback, 0 dead letters"
    assert json.loads(tally.as_json(dry_run=True))["dry_run"] is True


class Students:
    """What a store finds; it may be away when something is to be erased."""

    def __init__(self, *documents: StudentDocument, away: bool = False) -> None:
        self.documents = list(documents)
        self.away = away

    async def find(self, student_refs: Sequence[str]) -> Sequence[StudentDocument]:
        return list(self.documents)

    async def erase(self, documents: Sequence[StudentDocument]) -> None:
        if self.away:
            raise StoreUnavailable("The fake store is away.")
        self.documents = [document for document in self.documents if document not in documents]


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on this queue of dead letters and these students, with nobody to ask."""

    def run(queue: ScriptedQueue, students: Students) -> int:
        @asynccontextmanager
        async def connect(_settings: object) -> AsyncIterator[Any]:
            yield SimpleNamespace(dead_letters=queue, students=students)

        monkeypatch.setenv("WORKER_STUDENT_KEY", KEY)
        monkeypatch.setattr(forgetting, "connect", connect)
        monkeypatch.setattr(forgetting, "settings_of_command", load_settings)
        return forgetting.forget(STUDENT, dry_run=False, assume_yes=True, as_json=False)

    return run


def letter_of(student: str, number: int) -> Any:
    return delivery(message_bytes(student_id=student), message_id=f"d-{number}", lease_id=f"lease-{number}")


def test_the_students_letters_are_taken_away_and_the_others_given_back(
    forget: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    queue = ScriptedQueue([[letter_of(STUDENT, 1), letter_of("student-10", 2), letter_of(STUDENT, 3)]])
    students = Students(RESULT, FEEDBACK)
    # When
    code = forget(queue, students)
    # Then
    assert (code, queue.acked, queue.extended) == (0, ["d-1", "d-3"], [("d-2", 0)])
    assert students.documents == []
    assert capsys.readouterr().out == "erased 1 result, 1 piece of feedback, 2 dead letters\n"


def test_when_the_store_goes_away_in_the_middle_it_is_told_what_was_erased(
    forget: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    queue = ScriptedQueue([[letter_of(STUDENT, 1)]])
    # When
    with pytest.raises(StoreUnavailable):
        forget(queue, Students(RESULT, away=True))
    # Then
    told = "erased 0 results, 0 pieces of feedback, 1 dead letter; it ended in the middle: run this again\n"
    assert capsys.readouterr().out == told


def test_when_the_queue_goes_away_in_the_middle_nothing_in_hand_is_lost(
    forget: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    queue = ScriptedQueue([[letter_of(STUDENT, 1)]])
    queue.fail_on_ack = True
    # When
    with pytest.raises(QueueUnavailable):
        forget(queue, Students(RESULT))
    # Then
    assert queue.extended == [("d-1", 0)]
    assert "it ended in the middle" in capsys.readouterr().out


def test_where_there_may_be_more_letters_than_were_looked_at_it_is_not_done(
    forget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(forgetting, "LOOK_AT_MOST", 2)
    queue = ScriptedQueue([[letter_of(STUDENT, 1), letter_of(STUDENT, 2)]])
    # When / Then
    assert forget(queue, Students()) == 75
    assert queue.acked == ["d-1", "d-2"]
