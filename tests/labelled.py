"""The labelled questions by which understanding is measured and calibrated.

`tests/data/questions.jsonl` has four splits:
- `tune` (300): written by people who had not seen the catalogue; may be looked at while improving things.
- `seen` (200): written like those after a first round of tuning, as a held-out part. Its figures and its mistakes have
  been looked at since, so it is called what it is; no phrase that only repeats one of its questions was added for it.
- `calibration` (173): written later, by somebody who had not seen the catalogue's everyday words but wrote phrases and
  answers for it afterwards. The probabilities are fitted on these three splits and on `typed.json`.
- `held_out` (600): written by two people who had seen neither the catalogue nor the code (ids from n001 and f001 on),
  each labelled by somebody else from the names and summaries of the topics. Nothing is fitted on them and nobody looks
  at the mistakes: their totals alone say how well a stranger's question is understood. Every look at them is noted in
  docs/decisions/0018. Whoever tunes on one of its questions moves it to `tune` and writes a new one.

`services/content/catalog/typed.json` has 5,000 more, each written for a given topic: too many for one, and too much
alike in kind, to measure by; the search learns from them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = Path(__file__).parent / "data" / "questions.jsonl"

SPLITS = ("tune", "seen", "calibration", "held_out")

LOOKED_AT = SPLITS[:3]
"""Those whose questions may be looked at, and whose figures flatter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A labelled question; `topics` are the ids of all topics that would be right, none for the other kinds."""

    id: str
    kind: str
    question: str
    grade_level: int
    about: str | None
    split: str
    topics: tuple[str, ...]


def load_questions() -> list[Question]:
    """All labelled questions."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [Question(**{**fields, "topics": tuple(fields["topics"])}) for fields in map(json.loads, lines)]
