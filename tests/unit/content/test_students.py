"""Forgetting a student: what may be erased, and what is found only while the rest is being erased."""

import asyncio
from collections.abc import Sequence

import pytest

from services.content.results import student_ref
from services.content.students import AT_ONCE, ROUNDS, Forgetting, Records, records_of, student_refs
from services.errors import StoreUnavailable
from services.storage.port import StudentDocument


def result(request_id: str, status: str = "completed") -> StudentDocument:
    return StudentDocument(kind="result", request_id=request_id, status=status)


FEEDBACK = StudentDocument(kind="feedback", request_id="r-1", status=None)


class ScriptedStudents:
    """Finds one answer of the script after the other, the last one ever again; breaks off at the erasure named."""

    def __init__(self, *script: Sequence[StudentDocument], breaks_at: int = 0) -> None:
        self.script = list(script)
        self.breaks_at = breaks_at
        self.asked_for: list[Sequence[str]] = []
        self.erased: list[Sequence[StudentDocument]] = []
        self.told: list[Sequence[StudentDocument]] = []

    async def find(self, student_refs: Sequence[str]) -> Sequence[StudentDocument]:
        self.asked_for.append(student_refs)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def erase(self, documents: Sequence[StudentDocument]) -> None:
        if len(self.erased) + 1 == self.breaks_at:
            raise StoreUnavailable("The fake store is away.")
        self.erased.append(documents)


def forget(students: ScriptedStudents) -> Records:
    forgetting = Forgetting(students=students, refs=["a1b2"])

    async def run() -> Records:
        return await forgetting.erase(await forgetting.find(), on_erased=students.told.append)

    return asyncio.run(run())


def test_a_student_has_one_handle_for_each_key() -> None:
    refs = student_refs("student-1", [b"new", b"old", b"new"])
    assert refs == [student_ref("student-1", b"new"), student_ref("student-1", b"old")]


@pytest.mark.parametrize("status", ["completed", "needs_clarification", "out_of_scope", "blocked", "failed"])
def test_what_is_finished_may_be_erased(status: str) -> None:
    assert records_of([result("r-1", status)]) == Records(erasable=[result("r-1", status)], in_work=0)


def test_results_in_work_stay_and_feedback_on_them_does_not() -> None:
    found = records_of([result("r-1", "processing"), result("r-2", "processing"), FEEDBACK])
    assert found == Records(erasable=[FEEDBACK], in_work=2)


def test_everything_is_erased_a_part_at_a_time_and_told_part_by_part() -> None:
    # Given
    documents = [result(f"r-{number}") for number in range(2 * AT_ONCE + 1)]
    students = ScriptedStudents(documents, [])
    # When
    left = forget(students)
    # Then
    assert [len(part) for part in students.erased] == [AT_ONCE, AT_ONCE, 1]
    assert students.erased == students.told
    assert left == Records(erasable=[], in_work=0)
    assert students.asked_for == [["a1b2"], ["a1b2"]]


def test_what_is_stored_meanwhile_is_erased_too_and_what_is_still_in_work_is_told() -> None:
    # Given two results in work, of which one is stored while the others are being erased
    begun, done = result("r-2", "processing"), result("r-2")
    later = result("r-3", "processing")
    students = ScriptedStudents([result("r-1"), begun, later], [done, later, FEEDBACK], [later])
    # When
    left = forget(students)
    # Then
    assert students.erased == students.told == [[result("r-1")], [done, FEEDBACK]]
    assert left == Records(erasable=[], in_work=1)


def test_a_student_who_never_stops_asking_does_not_keep_it_from_ending() -> None:
    students = ScriptedStudents([FEEDBACK])
    forget(students)
    assert len(students.told) == ROUNDS


def test_when_the_store_goes_away_it_is_known_what_was_erased() -> None:
    # Given
    documents = [result(f"r-{number}") for number in range(AT_ONCE + 1)]
    students = ScriptedStudents(documents, breaks_at=2)
    # When
    with pytest.raises(StoreUnavailable):
        forget(students)
    # Then
    assert students.told == [documents[:AT_ONCE]]
