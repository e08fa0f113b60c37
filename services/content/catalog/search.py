"""Finding the topics a student's message may be about."""

import functools
import math
import sqlite3
import weakref
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.content.catalog import Answer, Catalog, Topic, load_catalog
from services.content.catalog.learned import Learned, features_of, load_learned
from services.content.catalog.phrases import PhraseIndex
from services.content.catalog.ranking import MOST_WORDS, Signals, rank_score
from services.content.catalog.vocabulary import Term, Vocabulary

COLUMN_WEIGHTS = {
    "name": 5.0,
    "keywords": 4.0,
    "asked_as": 3.0,
    "typed": 3.0,
    "everyday": 3.0,
    "facts": 0.7,
    "example": 0.4,
}
"""How much a word counts by where a topic has it: most where it names the topic, least in passing."""

TELLING_COLUMNS = frozenset({"name", "keywords", "asked_as", "typed", "everyday"})
"""Where a topic's own words stand; `facts` and `example` have many that belong to other topics."""

NAMING_COLUMNS = frozenset({"name", "keywords"})
"""Where a topic is called by its terms."""


def _bits(names: Collection[str]) -> int:
    return sum(1 << column for column, name in enumerate(COLUMN_WEIGHTS) if name in names)


_TELLING, _NAMING = _bits(TELLING_COLUMNS), _bits(NAMING_COLUMNS)

PASSING_SHARE = 0.5
"""What a word adds to a candidate's share when it stands outside the telling columns."""

PHRASE_WEIGHT = 0.5
"""What two words in a row add when a topic has them in a row, next to what each adds by itself."""

WEIGHED = 24
"""So many topics, best by BM25, are looked at closely."""

WEIGHED_BY_WORDING = 8
"""And so many, best by what students' wording says, whatever words they share with the message."""

LEAST_SCORE = 0.01
"""Below this a BM25 score is as good as none; the logarithm needs one."""

MOST_TERMS = 40
"""Only the most telling words of a rambling message are looked up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A topic that a message may be about.

    `score` is comparable within one message only: one point more makes a topic e times as likely. `answer` is the
    catalogue's to the very question that was asked, where it has one.
    """

    topic: Topic
    score: float
    signals: Signals
    answer: Answer | None = None


class TopicSearch:
    """Full-text search over the topics, ranked by BM25 as SQLite's FTS5 computes it.

    Building takes half a second of CPU time and 30 MB, a search two to three milliseconds. BM25 and what students'
    wording says (`learned.py`) find the topics that are weighed by more signals then (`ranking.py`). The score of
    several words is the sum of their scores, so each word's scores are asked from SQLite once and remembered. May be
    shared by threads.
    """

    def __init__(self, catalog: Catalog, *, learned: Learned | None = None) -> None:
        self._topics = list(catalog.topics.values())
        self._numbers = {topic.id: number for number, topic in enumerate(self._topics)}
        self._learned = learned or load_learned()
        self._vocabulary = Vocabulary()
        # Reads only after this constructor; SQLite itself serialises threads that share a connection.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._db.close)
        rows = [_columns(topic) for topic in self._topics]
        self._fill(self._vocabulary.learn(rows, as_typed=list(COLUMN_WEIGHTS).index("typed")))
        # Bounded by the words and pairs of words that the catalogue has, as only those are looked up.
        self._phrases = PhraseIndex(self._vocabulary)
        self._scores_of = functools.lru_cache(maxsize=16384)(self._look_up)

    def candidates(self, question: str, *, grade_level: int, limit: int = 8) -> list[Candidate]:
        """The topics that fit the question best, best first; none when no word of it is known."""
        terms = self._vocabulary.read(question)
        distinct = {term.stem: term for term in sorted(terms, key=lambda term: term.weight)}
        scores = self._sum_scores(distinct.values(), terms)
        wording = self._wording(question, terms) if scores else {}
        best = dict.fromkeys(sorted(scores, key=scores.__getitem__, reverse=True)[:WEIGHED])
        best |= dict.fromkeys(sorted(wording, key=wording.__getitem__, reverse=True)[:WEIGHED_BY_WORDING])
        message = _Message(
            readings=[
                [(reading.stem, reading.weight) for reading in term.readings] for term in distinct.values()
            ],
            lengths=[self._vocabulary.weight(stem) for stem in distinct],
            weights=[self._vocabulary.weight(stem) * term.weight for stem, term in distinct.items()],
            grade_level=grade_level,
        )
        found = [self._candidate(number, scores[number], wording[number], message) for number in best]
        return sorted(found, key=lambda candidate: candidate.score, reverse=True)[:limit]

    def features(self, message: str) -> list[str]:
        """What `learned.py` looks at in a message."""
        return features_of(message, self._vocabulary.read(message))

    def _wording(self, question: str, terms: Sequence[Term]) -> Mapping[int, float]:
        scores = self._learned.scores(features_of(question, terms))
        return {number: scores[topic] for topic, number in self._numbers.items()}

    def _sum_scores(self, distinct: Iterable[Term], terms: Sequence[Term]) -> dict[int, float]:
        scores: dict[int, float] = defaultdict(float)
        known = [term for term in distinct if term.known]
        known.sort(key=lambda term: self._vocabulary.weight(term.stem), reverse=True)
        for term in known[:MOST_TERMS]:
            for number, score in self._best_scores(
                (reading.word, reading.weight) for reading in term.readings
            ):
                scores[number] += score
        for first, second in pairwise(terms):
            for number, score in self._best_scores(_pairs(first, second)):
                scores[number] += PHRASE_WEIGHT * score
        return scores

    def _best_scores(self, readings: Iterable[tuple[str, float]]) -> Iterable[tuple[int, float]]:
        """Each topic's score by that reading of a word or a phrase which fits it best."""
        best: dict[int, float] = {}
        for phrase, weight in readings:
            for number, score in self._scores_of(phrase):
                best[number] = max(best.get(number, 0.0), weight * score)
        return best.items()

    def _candidate(self, number: int, score: float, wording: float, message: "_Message") -> Candidate:
        topic = self._topics[number]
        matched, naming = self._matching(number, message)
        likeness = self._phrases.likeness(topic, message.readings, message.lengths)
        low, high = topic.grades
        signals = Signals(
            bm25=math.log(max(score, LEAST_SCORE)),
            share=sum(matched) / message.total,
            named_share=sum(naming) / message.total,
            telling_name=max(naming, default=0.0),
            likeness=likeness.best,
            next_likeness=likeness.next_best,
            together=likeness.together,
            words=min(len(matched), MOST_WORDS),
            grades_away=max(0, low - message.grade_level, message.grade_level - high),
            learned=wording,
        )
        return Candidate(topic=topic, score=rank_score(signals), signals=signals, answer=likeness.answer)

    def _matching(self, number: int, message: "_Message") -> tuple[list[float], list[float]]:
        """The weights of the message's words that the topic has: all of them, and those that name it."""
        columns_with = self._vocabulary.columns_with
        matched, naming = [], []
        for readings, weight in zip(message.readings, message.weights, strict=True):
            columns = 0
            for stem, _ in readings:
                columns |= columns_with[stem].get(number, 0)
            if columns:
                matched.append(weight * (1 if columns & _TELLING else PASSING_SHARE))
            if columns & _NAMING:
                naming.append(weight)
        return matched, naming

    def _look_up(self, phrase: str) -> Sequence[tuple[int, float]]:
        # FTS5 gives better matches smaller (more negative) numbers. Words are [a-z0-9]+, so quoting is safe.
        weights = ", ".join(map(str, COLUMN_WEIGHTS.values()))
        query = f"SELECT rowid, -bm25(topics, {weights}) FROM topics WHERE topics MATCH ?"  # noqa: S608  # constants
        return self._db.execute(query, (f'"{phrase}"',)).fetchall()

    def _fill(self, rows: Sequence[Sequence[str]]) -> None:
        names = ", ".join(COLUMN_WEIGHTS)
        self._db.execute(
            f"CREATE VIRTUAL TABLE topics USING fts5({names}, content='', tokenize='porter unicode61')"
        )
        places = ", ".join("?" * (1 + len(COLUMN_WEIGHTS)))
        statement = f"INSERT INTO topics(rowid, {names}) VALUES ({places})"  # noqa: S608  # constants
        self._db.execute("BEGIN")
        self._db.executemany(statement, [(number, *row) for number, row in enumerate(rows)])
        self._db.execute("COMMIT")


@functools.cache
def load_search() -> TopicSearch:
    """The search over the catalogue; built once per process, for all who need it."""
    return TopicSearch(load_catalog())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Message:
    """A message's distinct words, and its student's grade.

    `readings` are the stems that each word may stand for, with how likely each is; `lengths` say how telling the words
    are, and `weights` also how much their place in the message counts.
    """

    readings: Sequence[Sequence[tuple[str, float]]]
    lengths: Sequence[float]
    weights: Sequence[float]
    grade_level: int

    @property
    def total(self) -> float:
        return sum(self.weights)


def _pairs(first: Term, second: Term) -> Iterator[tuple[str, float]]:
    for one in first.readings:
        for other in second.readings:
            yield f"{one.word} {other.word}", min(one.weight, other.weight)


def _columns(topic: Topic) -> list[str]:
    columns = {
        "name": [topic.name],
        "keywords": topic.keywords,
        "asked_as": [*topic.asked_as, *(asked for answer in topic.answers for asked in answer.asked)],
        "typed": topic.typed,
        "everyday": topic.everyday,
        "facts": [topic.summary, *topic.key_facts],
        "example": [topic.example, topic.misconception, topic.try_it],
    }
    return [" . ".join(columns[name]) for name in COLUMN_WEIGHTS]
