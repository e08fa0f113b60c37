"""Questions that share no work, and whose model calls are known by a mark that stands in every prompt of theirs."""

import json
import re
from collections.abc import Iterator
from typing import Any

_SUBJECTS = (
    "quantum entanglement",
    "photosynthesis",
    "the water cycle",
    "the theorem of Pythagoras",
    "binary numbers",
    "the phases of the moon",
)
_INTERESTS = ("soccer", "baking", "chess", "drums")
_MARK = re.compile(r"\bq\d{6}\b")


def question(index: int, **changes: Any) -> dict[str, Any]:
    """A valid message. Its request id is its mark, and no other message has its question or its interest."""
    mark = f"q{index:06}"
    subject, interest = _SUBJECTS[index % len(_SUBJECTS)], _INTERESTS[index % len(_INTERESTS)]
    return {
        "request_id": mark,
        "student_id": f"student-{index % 50}",
        "student_query": f"Please explain {subject} with {interest} ({mark})",
        "interest": f"{interest} of club {mark}",
        "grade_level": 6 + index % 4,  # all of the subjects are taught then
        **changes,
    }


def questions(number: int) -> Iterator[bytes]:
    """That many different messages, as they are published."""
    return (json.dumps(question(index)).encode() for index in range(number))


def request_ids(number: int) -> list[str]:
    """The ids of those messages."""
    return [question(index)["request_id"] for index in range(number)]


def mark_in(prompt: str) -> str:
    """The request id of the message that a prompt belongs to; empty when there is none."""
    found = _MARK.search(prompt)
    return found.group() if found else ""
