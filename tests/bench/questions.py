"""The benchmark's questions: all different, so that no two requests could share work."""

from collections.abc import Iterator
from typing import Any

_SUBJECTS = (
    "quantum entanglement",
    "photosynthesis",
    "the water cycle",
    "Pythagoras",
    "binary numbers",
    "acids",
)
_INTERESTS = ("soccer", "baking", "chess", "drums")


def questions(number: int) -> Iterator[dict[str, Any]]:
    """That many valid messages."""
    for index in range(number):
        subject, interest = _SUBJECTS[index % len(_SUBJECTS)], _INTERESTS[index % len(_INTERESTS)]
        yield {
            "request_id": f"bench-{index:06}",
            "student_id": f"student-{index % 50}",
            "student_query": f"Explain {subject} using {interest}, my question number {index}",
            "interest": interest,
            "grade_level": 1 + index % 12,
        }
