"""How well questions are understood offline: the search and `understand_offline`, against labelled questions."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.models import Understanding
from services.content.offline.understand import understand_offline
from services.content.offline.verdict import judge, signs_of
from tests.labelled import SPLITS, Question, load_questions

RIGHT_GOAL, WRONG_GOAL, TOLD_APART_GOAL = 0.88, 0.04, 0.88

BANDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Where the bands of confidence begin and end."""

JUDGED_BY = "held_out"
"""The split that says how often the confidence comes true: no weight is fitted on it."""

_EXPECTED: dict[str, Literal["unclear", "off_topic"]] = {"vague": "unclear", "off_topic": "off_topic"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What was made of a question.

    `found` are the candidates' ids, best first, `chance` is the probability that the first is right, whatever was
    decided; `seconds` is CPU time.
    """

    question: Question
    found: tuple[str, ...]
    chance: float
    understanding: Understanding
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether a lesson about an acceptable topic would be written."""
        return self.is_lesson and self.understanding.topic_id in self.question.topics

    @property
    def is_wrong(self) -> bool:
        """Whether a lesson about a wrong topic would be written, however sure or unsure it is."""
        return self.is_lesson and not self.is_right

    @property
    def is_lesson(self) -> bool:
        """Whether a lesson would be written."""
        return self.understanding.kind == "learning"

    @property
    def is_asked_back(self) -> bool:
        """Whether the student would be asked what is meant."""
        return self.understanding.kind == "unclear"

    @property
    def is_told_apart(self) -> bool:
        """Whether a vague or off-topic message was taken for what it is."""
        return self.understanding.kind == _EXPECTED.get(self.question.kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Shares from 0 to 1, None where there was nothing to measure; `microseconds` is CPU time per question.

    `right`, `wrong` (a lesson about a wrong topic) and `asks` are shares of the questions with a topic; what is missing
    from 1 was taken for chat. `needless` is the share of lessons among the messages without a topic.
    """

    questions: int
    right: float | None
    wrong: float | None
    asks: float | None
    recall_at_8: float | None
    told_apart: float | None
    vague: float | None
    off_topic: float | None
    needless: float | None
    microseconds: float

    @property
    def reaches_goals(self) -> bool:
        """Whether all three goals are reached."""
        return (
            (self.right or 0) >= RIGHT_GOAL
            and (self.wrong or 0) <= WRONG_GOAL
            and (self.told_apart or 0) >= TOLD_APART_GOAL
        )


def evaluate(questions: Sequence[Question]) -> list[Outcome]:
    """Understand every question twice and keep the second time, when words and scores are remembered."""
    search = TopicSearch(load_catalog())
    for question in questions:
        _understand(search, question)
    return [_understand(search, question) for question in questions]


def measure(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of some outcomes."""
    teachable = [outcome for outcome in outcomes if outcome.question.topics]
    others = [outcome for outcome in outcomes if not outcome.question.topics]
    apart = [outcome for outcome in others if outcome.question.kind in _EXPECTED]
    return Figures(
        questions=len(outcomes),
        right=_share(teachable, lambda outcome: outcome.is_right),
        wrong=_share(teachable, lambda outcome: outcome.is_wrong),
        asks=_share(teachable, lambda outcome: outcome.is_asked_back),
        recall_at_8=_share(
            teachable, lambda outcome: bool(set(outcome.found) & set(outcome.question.topics))
        ),
        told_apart=_share(apart, lambda outcome: outcome.is_told_apart),
        vague=_share([o for o in apart if o.question.kind == "vague"], lambda outcome: outcome.is_told_apart),
        off_topic=_share(
            [o for o in apart if o.question.kind == "off_topic"], lambda outcome: outcome.is_told_apart
        ),
        needless=_share(others, lambda outcome: outcome.is_lesson),
        microseconds=round(1e6 * sum(outcome.seconds for outcome in outcomes) / max(1, len(outcomes)), 1),
    )


def grouped(outcomes: Sequence[Outcome]) -> dict[str, Figures]:
    """Figures of everything, of each split, and of each kind of question within each split."""
    groups = {"all": measure(outcomes)}
    for split in SPLITS:
        part = [outcome for outcome in outcomes if outcome.question.split == split]
        groups[split] = measure(part)
        for kind in dict.fromkeys(outcome.question.kind for outcome in outcomes):
            groups[f"{split} {kind}"] = measure(
                [outcome for outcome in part if outcome.question.kind == kind]
            )
    return groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Of `questions` whose best topic has a probability from `low` to `high`, how many that topic is right for."""

    low: float
    high: float
    questions: int
    mean: float
    right: float


def reliability(outcomes: Sequence[Outcome]) -> list[Reliability]:
    """How often the confidence comes true, by bands."""
    return [band for low, high in pairwise(BANDS) if (band := _band(outcomes, low, high))]


def _band(outcomes: Sequence[Outcome], low: float, high: float) -> Reliability | None:
    inside = [one for one in outcomes if low <= one.chance < high or one.chance == high == 1.0]
    if not inside:
        return None
    return Reliability(
        low=low,
        high=high,
        questions=len(inside),
        mean=round(sum(one.chance for one in inside) / len(inside), 3),
        right=round(
            sum(bool(one.found) and one.found[0] in one.question.topics for one in inside) / len(inside), 3
        ),
    )


def _understand(search: TopicSearch, question: Question) -> Outcome:
    started = time.process_time()
    candidates = search.candidates(question.question, grade_level=question.grade_level)
    understanding = understand_offline(
        question.question, grade_level=question.grade_level, candidates=candidates
    )
    seconds = time.process_time() - started
    return Outcome(
        question=question,
        found=tuple(candidate.topic.id for candidate in candidates),
        chance=judge(signs_of(question.question, candidates)).right,
        understanding=understanding,
        seconds=seconds,
    )


def _share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> float | None:
    return round(sum(map(holds, outcomes)) / len(outcomes), 4) if outcomes else None


def _table(groups: dict[str, Figures]) -> Table:
    table = Table(title="Understanding questions without a model")
    table.add_column("questions of")
    for column in (
        "n",
        "right",
        "wrong",
        "asks",
        "recall@8",
        "told apart",
        "vague",
        "off-topic",
        "needless",
        "µs",
    ):
        table.add_column(column, justify="right")
    for name, figures in groups.items():
        shares = (figures.right, figures.wrong, figures.asks, figures.recall_at_8)
        apart = (figures.told_apart, figures.vague, figures.off_topic, figures.needless)
        cells = ["" if share is None else f"{share:.1%}" for share in (*shares, *apart)]
        style = "bold" if " " not in name else None
        table.add_row(name, str(figures.questions), *cells, f"{figures.microseconds:.0f}", style=style)
    return table


def _reliability_table(bands: Sequence[Reliability]) -> Table:
    table = Table(title=f"How often the confidence comes true ({JUDGED_BY})")
    for column in ("confidence", "n", "mean confidence", "best topic right"):
        table.add_column(column, justify="right")
    for band in bands:
        table.add_row(
            f"{band.low:.2f}–{band.high:.2f}", str(band.questions), f"{band.mean:.2f}", f"{band.right:.1%}"
        )
    return table


def _wrong(outcomes: Iterable[Outcome]) -> Table:
    table = Table(title="Mistakes (tune only)")
    for column in ("id", "question", "expected", "answered", "confidence"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        question, answer = outcome.question, outcome.understanding
        if question.split == "tune" and _is_mistake(outcome):
            expected = ", ".join(question.topics) or _EXPECTED.get(question.kind, "no topic")
            answered = answer.topic_id or answer.kind
            table.add_row(question.id, question.question, expected, answered, f"{answer.confidence:.2f}")
    return table


def _is_mistake(outcome: Outcome) -> bool:
    if outcome.question.topics:
        return not outcome.is_right
    return outcome.is_wrong or (outcome.question.kind in _EXPECTED and not outcome.is_told_apart)


def _as_json(groups: dict[str, Figures], bands: Sequence[Reliability]) -> str:
    figures: dict[str, Any] = {name: asdict(of) for name, of in groups.items()}
    return json.dumps({**figures, "reliability": [asdict(band) for band in bands]}, indent=2)


def main() -> int:
    """Print the figures; 0 when all questions together reach the goals, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="scripts/evaluate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--wrong", action="store_true", help="also print the mistakes of the tune split")
    arguments = parser.parse_args()
    outcomes = evaluate(load_questions())
    groups = grouped(outcomes)
    bands = reliability([outcome for outcome in outcomes if outcome.question.split == JUDGED_BY])
    if arguments.json:
        print(_as_json(groups, bands))
    else:
        _print(groups, bands, outcomes, wrong=arguments.wrong)
    return 0 if groups["all"].reaches_goals else 1


def _print(
    groups: dict[str, Figures], bands: Sequence[Reliability], outcomes: Sequence[Outcome], *, wrong: bool
) -> None:
    # A fixed width keeps the table whole where there is no terminal.
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(_table(groups))
    console.print(_reliability_table(bands))
    if wrong:
        console.print(_wrong(outcomes))
    console.print(
        f"Goals: right at least {RIGHT_GOAL:.0%}, wrong at most {WRONG_GOAL:.0%}, told apart at least "
        f"{TOLD_APART_GOAL:.0%}."
    )
    for name in ("all", *SPLITS):
        console.print(f"{name}: {'reached' if groups[name].reaches_goals else 'not reached'}")


if __name__ == "__main__":
    sys.exit(main())
