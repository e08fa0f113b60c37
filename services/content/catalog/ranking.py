"""Which of the topics that share words with a message is meant: signals of different kinds, weighed together.

The weights are data (`ranking.json`), fitted by `scripts/calibrate` on labelled questions and on the catalogue's own
ones, each left out while it is looked for.
"""

import functools
import json
import math
import operator
from dataclasses import dataclass, fields
from importlib import resources


@dataclass(frozen=True, kw_only=True, slots=True)
class Signals:
    """What speaks for a topic; each of them grows with it, but for `grades_away`.

    `bm25` is the logarithm of FTS5's score; `share` and `named_share` (0 to 1) are the parts of the message's content,
    weighted by how telling each word is, that the topic has anywhere and in its name and keywords; `telling_name` is
    the weight of the most telling word among the latter. `likeness`, `next_likeness` (0 to 1) and `together` say how
    near single phrases of the topic come, see `phrases.Likeness`. `words` counts matching words, up to `MOST_WORDS`;
    `grades_away` is the distance from the student's grade to those in which the topic is taught; `learned` is what
    students' wording says (`learned.py`).
    """

    bm25: float
    share: float
    named_share: float
    telling_name: float
    likeness: float
    next_likeness: float
    together: float
    words: int
    grades_away: int
    learned: float


MOST_WORDS = 6
"""More matching words than this say no more about which topic is meant."""


def rank_score(signals: Signals) -> float:
    """How much speaks for the topic, on a logarithmic scale: one point more makes it e times as likely."""
    return math.fsum(map(operator.mul, _weights(), values_of(signals)))


def values_of(signals: Signals) -> tuple[float, ...]:
    """The signals in the order of their fields."""
    return _VALUES(signals)


_VALUES = operator.attrgetter(*(field.name for field in fields(Signals)))
"""Much quicker than `dataclasses.astuple`, which copies deeply; this runs for two dozen topics a question."""


@functools.cache
def _weights() -> tuple[float, ...]:
    text = resources.files("services.content.catalog").joinpath("ranking.json").read_text(encoding="utf-8")
    return values_of(Signals(**json.loads(text)))
