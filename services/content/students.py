"""The use case of forgetting a student: what is stored under the student's handles is found and erased."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from services.content.results import student_ref
from services.storage.port import StudentData, StudentDocument

AT_ONCE = 100
"""How many documents are erased before it is told that they are."""

ROUNDS = 3
"""How often it is looked for what was stored while the rest was being erased."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """What is stored about a student. Results `in_work` must stay: a worker would only store them again."""

    erasable: Sequence[StudentDocument]
    in_work: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgetting:
    """Forgets one student, who is known by `refs`: one handle for each key that results were ever stored under."""

    students: StudentData
    refs: Sequence[str]

    async def find(self) -> Records:
        """What is stored. Raises `StoreUnavailable` and `ConfigurationError`, as `erase` does."""
        return records_of(await self.students.find(self.refs))

    async def erase(
        self, records: Records, *, on_erased: Callable[[Sequence[StudentDocument]], None]
    ) -> Records:
        """Erase what was found, and what is found thereafter; returns what is left.

        `on_erased` is told of every part as soon as it is gone, so that it is known when the rest fails. It may be run
        again then. Whoever owns one of the documents at the moment (a debt that is being repaid) loses the claim.
        """
        for _ in range(ROUNDS):
            for begin in range(0, len(records.erasable), AT_ONCE):
                part = records.erasable[begin : begin + AT_ONCE]
                await self.students.erase(part)
                on_erased(part)
            # What was in work may be done by now, and somebody may have given feedback.
            records = await self.find()
            if not records.erasable:
                break
        return records


def student_refs(student_id: str, keys: Iterable[bytes]) -> list[str]:
    """The student's handles under these keys, each once."""
    return list(dict.fromkeys(student_ref(student_id, key) for key in keys))


def records_of(documents: Iterable[StudentDocument]) -> Records:
    """Documents by whether they may be erased."""
    found = list(documents)
    erasable = [document for document in found if document.status != "processing"]
    return Records(erasable=erasable, in_work=len(found) - len(erasable))
