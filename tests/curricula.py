"""How much of public school curricula the catalogue's topics cover.

`tests/data/curricula.json` lists headings in our own short wording, with the grades (0 is the year before grade 1) and
the topics a lesson on which would teach them. A heading with no topic is a gap. Compared were the Next Generation
Science Standards, the Common Core State Standards for Mathematics, the National Curriculum in England, the standards
of the Computer Science Teachers Association (CSTA), and the unit headings of Advanced Placement courses.
History, languages and the arts are outside the catalogue and not listed.

`python -m tests.curricula` prints the share covered and the gaps.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CURRICULA = Path(__file__).parent / "data" / "curricula.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """One heading of a curriculum; `topics` are the ids of the topics that teach it, none where it is a gap."""

    curriculum: str
    grades: tuple[int, int]
    heading: str
    topics: tuple[str, ...]


def load_headings() -> list[Heading]:
    """All headings that were compared."""
    listed = json.loads(CURRICULA.read_text(encoding="utf-8"))
    return [
        Heading(**{**fields, "grades": tuple(fields["grades"]), "topics": tuple(fields["topics"])})
        for fields in listed
    ]


def by_curriculum(headings: Sequence[Heading]) -> dict[str, list[Heading]]:
    """The headings of each curriculum, in the order of the file."""
    groups: dict[str, list[Heading]] = {}
    for heading in headings:
        groups.setdefault(heading.curriculum, []).append(heading)
    return groups


def covered(headings: Sequence[Heading]) -> float:
    """The share of headings that some topic teaches, from 0 to 1."""
    return sum(bool(heading.topics) for heading in headings) / len(headings)


def main() -> int:
    """Print the share covered of each curriculum and the headings that are not."""
    headings = load_headings()
    for name, group in {**by_curriculum(headings), "all": headings}.items():
        print(f"{name:24} {len(group):4} headings {covered(group):7.1%} covered")
    for heading in headings:
        if not heading.topics:
            print(
                f"no topic: {heading.curriculum}, grades {heading.grades[0]} to {heading.grades[1]}: {heading.heading}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
