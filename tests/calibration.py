"""Fits what the mock's understanding weighs by, and writes it beside the code that reads it.

Three steps, each on questions that the next one does not use:
1. `offline/sounds.json`: words of chat and of other subjects, from `tests/data/wordings.jsonl` and the catalogue's
   own questions.
2. `catalog/ranking.json`: signals of a topic, from the catalogue's own questions, each left out of the index while it
   is looked for, and from the questions of the split `tune`.
3. `offline/verdict.json`: probabilities, from the splits `seen` and `calibration`, on which neither of the others is
   fitted. Their mistakes were looked at all the same (`tests/labelled.py`), so the probabilities are on the high side.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from rapidfuzz import fuzz, process

import services.content.catalog
import services.content.offline
from services.content.catalog import Catalog, Topic, load_catalog, ranking
from services.content.catalog.ranking import Signals, values_of
from services.content.catalog.search import Candidate, TopicSearch
from services.content.catalog.words import content_words
from services.content.offline import sounds
from services.content.offline.sounds import features_of
from services.content.offline.verdict import Signs, signs_of
from tests.labelled import Question, load_questions
from tests.logistic import Choice, Vector, class_chances, fit_choices, fit_classes, fit_words

CATALOG_FILES = Path(services.content.catalog.__file__).parent
OFFLINE_FILES = Path(services.content.offline.__file__).parent
WORDINGS = Path(__file__).parent / "data" / "wordings.jsonl"

FOLDS = 4
"""So many times the index is built with a part of the catalogue's own questions left out."""

OWN_QUESTION_WEIGHT = 0.25
"""What a question of the catalogue counts next to one that a stranger has written."""

RARE_CLASS_WEIGHT = 3.0
"""What a message of chat or of another subject counts next to one of the many others."""

LEAST_WORD_WEIGHT = 0.15
"""Words that say less than this are left out of the file."""

ECHO = 85
"""From this similarity of their telling words (0 to 100) on a phrase of the catalogue says the same as a question."""

FEWEST_TEXTS = 3
"""Words and pairs that fewer texts have say nothing about other texts."""

CALIBRATED = ("seen", "calibration")
"""The splits whose questions the probabilities are fitted on."""

PARTS = 5
"""Cross-validation: every question is judged by weights that four of five parts gave, without its own."""

BANDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Where the bands of confidence begin and end."""

CLASSES = ("right", "off_topic", "unclear")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Of `questions` whose best topic has a probability from `low` to `high`, how many that topic is right for."""

    low: float
    high: float
    questions: int
    mean: float
    right: float


def reliability() -> list[Reliability]:
    """How often the confidence comes true, by bands; each question judged by weights that it did not help to fit."""
    rows, classes = verdict_examples(CALIBRATED)
    judged: list[tuple[float, bool]] = []
    for part in range(PARTS):
        weights = fit_classes(
            [row for place, row in enumerate(rows) if place % PARTS != part],
            [one for place, one in enumerate(classes) if place % PARTS != part],
            count=len(CLASSES),
        )
        for place in range(part, len(rows), PARTS):
            judged.append((class_chances(weights, rows[place])[0], classes[place] == 0))
    return [band for low, high in pairwise(BANDS) if (band := _band(judged, low, high))]


def _band(judged: Sequence[tuple[float, bool]], low: float, high: float) -> Reliability | None:
    inside = [(chance, right) for chance, right in judged if low <= chance < high or chance == high == 1.0]
    if not inside:
        return None
    return Reliability(
        low=low,
        high=high,
        questions=len(inside),
        mean=round(sum(chance for chance, _ in inside) / len(inside), 3),
        right=round(sum(right for _, right in inside) / len(inside), 3),
    )


def calibrate_sounds() -> None:
    """Step 1."""
    wordings = [json.loads(line) for line in WORDINGS.read_text(encoding="utf-8").splitlines()]
    school = [text for topic in load_catalog().topics.values() for text in own_questions(topic)]
    texts = [*(wording["text"] for wording in wordings), *school]
    kinds = [*(wording["kind"] for wording in wordings), *("school" for _ in school)]
    features = _common([features_of(text) for text in texts])
    weights = {
        name: fit_words(
            features,
            [one == kind for one in kinds],
            weights_of=[RARE_CLASS_WEIGHT if one == kind else 1.0 for one in kinds],
        )
        for name, kind in (("chat", "chat"), ("other_subject", "outside"))
    }
    _write(
        OFFLINE_FILES / "sounds.json",
        {
            name: {word: round(w, 2) for word, w in sorted(of.items()) if abs(w) >= LEAST_WORD_WEIGHT}
            for name, of in weights.items()
        },
    )


def calibrate_ranking() -> None:
    """Step 2."""
    choices = [*_own_choices(), *_labelled_choices()]
    weights = fit_choices([choice for choice in choices if any(choice.right)])
    names = [field.name for field in fields(Signals)]
    _write(CATALOG_FILES / "ranking.json", {n: round(w, 3) for n, w in zip(names, weights, strict=True)})


def calibrate_verdict() -> None:
    """Step 3."""
    rows, classes = verdict_examples(CALIBRATED)
    names = [field.name for field in fields(Signs)]
    weights = fit_classes(rows, classes, count=len(CLASSES))
    _write(
        OFFLINE_FILES / "verdict.json",
        {
            kind: {name: round(w, 3) for name, w in zip(names, of, strict=True)}
            for kind, of in zip(CLASSES, weights, strict=False)
        },
    )


def verdict_examples(splits: Sequence[str]) -> tuple[list[Vector], list[int]]:
    """Signs of the splits' questions, and for each the number of its class in `CLASSES`."""
    questions = [question for question in load_questions() if question.split in splits]
    search = TopicSearch(without_echoes(load_catalog(), [question.question for question in questions]))
    rows: list[Vector] = []
    classes = []
    for question in questions:
        found = search.candidates(question.question, grade_level=question.grade_level)
        rows.append(astuple(signs_of(question.question, found)))
        classes.append(CLASSES.index(_class_of(question, found)))
    return rows, classes


def _common(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The texts without features that hardly any of them has."""
    counts = Counter(feature for features in texts for feature in features)
    return [[f for f in features if counts[f] >= FEWEST_TEXTS] for features in texts]


def without_echoes(catalog: Catalog, questions: Sequence[str]) -> Catalog:
    """The catalogue without phrases that say the same as one of the questions: others will not be echoed either."""
    asked = [_content(question) for question in questions]
    asked = [content for content in asked if " " in content]

    def kept(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if not _echoes(_content(text), asked))

    topics = {
        topic.id: dataclasses.replace(
            topic,
            asked_as=kept(topic.asked_as),
            everyday=kept(topic.everyday),
            answers=tuple(dataclasses.replace(answer, asked=kept(answer.asked)) for answer in topic.answers),
        )
        for topic in catalog.topics.values()
    }
    return Catalog(topics=topics, interests=catalog.interests)


def _echoes(content: str, asked: Sequence[str]) -> bool:
    near = (
        process.extractOne(content, asked, scorer=fuzz.ratio, score_cutoff=ECHO) if " " in content else None
    )
    return near is not None


def _content(text: str) -> str:
    return " ".join(sorted(set(content_words(text))))


def own_questions(topic: Topic) -> list[str]:
    """The questions that the catalogue itself has about a topic."""
    return [*topic.asked_as, *(asked for answer in topic.answers for asked in answer.asked)]


def _class_of(question: Question, found: Sequence[Candidate]) -> str:
    if question.kind == "off_topic":
        return "off_topic"
    return "right" if found and found[0].topic.id in question.topics else "unclear"


def _own_choices() -> Iterator[Choice]:
    catalog = load_catalog()
    for fold in range(FOLDS):
        search = TopicSearch(_without(catalog, fold))
        for topic in catalog.topics.values():
            for place, asked in enumerate(topic.asked_as):
                if place % FOLDS == fold:
                    found = search.candidates(asked, grade_level=topic.grades[0], limit=24)
                    # Its own grades would make the grade look surer than it is.
                    options = [
                        values_of(dataclasses.replace(candidate.signals, grades_away=0))
                        for candidate in found
                    ]
                    right = [candidate.topic.id == topic.id for candidate in found]
                    yield Choice(options=options, right=right, weight=OWN_QUESTION_WEIGHT)


def _without(catalog: Catalog, fold: int) -> Catalog:
    topics = {
        topic.id: dataclasses.replace(
            topic,
            asked_as=tuple(asked for place, asked in enumerate(topic.asked_as) if place % FOLDS != fold),
        )
        for topic in catalog.topics.values()
    }
    return Catalog(topics=topics, interests=catalog.interests)


def _labelled_choices() -> Iterator[Choice]:
    search = TopicSearch(load_catalog())
    for question in load_questions():
        if question.split == "tune" and question.topics:
            found = search.candidates(question.question, grade_level=question.grade_level, limit=24)
            yield Choice(
                options=[values_of(candidate.signals) for candidate in found],
                right=[candidate.topic.id in question.topics for candidate in found],
            )


def _write(path: Path, data: Mapping[str, object]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """All three steps; the last one has to see what the others have written."""
    calibrate_sounds()
    calibrate_ranking()
    sounds._weights.cache_clear()
    ranking._weights.cache_clear()
    calibrate_verdict()


if __name__ == "__main__":
    main()
