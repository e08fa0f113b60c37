"""What the command `forget` found and erased, in numbers: they are all that it tells."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.storage.port import StudentDocument
from worker.dead_letters.review import LOOK_AT_MOST


@dataclass(kw_only=True, slots=True)
class Tally:
    """What is there to be erased, or was erased; and what stays.

    `in_work` counts results that workers will store, `unreadable` dead letters that do not say whose they are.
    `saw_all` is False where there may be more dead letters than were looked at, `broken_off` is True where not all was
    done that there was to do.
    """

    results: int = 0
    feedback: int = 0
    dead_letters: int = 0
    in_work: int = 0
    unreadable: int = 0
    saw_all: bool = True
    broken_off: bool = False

    @property
    def total(self) -> int:
        """How much there is to be erased, or was erased."""
        return self.results + self.feedback + self.dead_letters

    @property
    def is_complete(self) -> bool:
        """Whether nothing stays that another run could erase."""
        return self.saw_all and not self.in_work and not self.broken_off

    def add(self, documents: Sequence[StudentDocument]) -> None:
        """Count these documents."""
        results = sum(document.kind == "result" for document in documents)
        self.results += results
        self.feedback += len(documents) - results

    def as_json(self, *, dry_run: bool) -> str:
        """The counts for programs."""
        counts = {name: getattr(self, name) for name in ("results", "feedback", "dead_letters", "in_work")}
        rest = {"unreadable_dead_letters": self.unreadable, "complete": self.is_complete}
        return json.dumps({"dry_run": dry_run, **counts, **rest})

    def line(self, *, dry_run: bool) -> str:
        """The counts for people."""
        parts = [self._what("would erase" if dry_run else "erased")]
        if self.in_work:
            verb = "is" if self.in_work == 1 else "are"
            parts.append(f"{self.in_work} {verb} being worked on: run this again when they are done")
        if self.unreadable:
            parts.append(f"left alone: {_counted(self.unreadable, 'dead letter')} that could not be read")
        if not self.saw_all:
            parts.append(
                f"only {LOOK_AT_MOST} dead letters were looked at: run this again when there are fewer"
            )
        if self.broken_off:
            parts.append("it ended in the middle: run this again")
        return "; ".join(parts)

    def _what(self, verb: str) -> str:
        if not self.total and not self.broken_off:
            return "nothing else to erase" if self.in_work else "nothing is stored about this student"
        return (
            f"{verb} {_counted(self.results, 'result')}, {_counted(self.feedback, 'piece')} of feedback, "
            f"{_counted(self.dead_letters, 'dead letter')}"
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
