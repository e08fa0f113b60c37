"""Finding the topics a student's message may be about."""

import functools
import sqlite3
import weakref
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.content.catalog import Catalog, Topic
from services.content.catalog.vocabulary import Term, Vocabulary

COLUMN_WEIGHTS = {
    "name": 5.0,
    "keywords": 4.0,
    "asked_as": 3.0,
    "everyday": 3.0,
    "facts": 0.7,
    "example": 0.4,
}
"""How much a word counts by where a topic has it: most where it names the topic, least in passing."""

TELLING_COLUMNS = frozenset({"name", "keywords", "asked_as", "everyday"})
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

SHARE_WEIGHT = 0.5
"""How much a topic gains that has all of the question's words over one that has some of them often."""

GRADE_PENALTY = 0.92
"""For every grade between the student and the grades in which a topic is taught."""

MOST_TERMS = 40
"""Only the most telling words of a rambling message are looked up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A topic that a message may be about.

    `score` is comparable within one message only; `share` is the part of the message's content, weighted by how
    telling each word is, that the topic has; `words` counts the different words behind it, and `named` says whether one
    of them belongs to its name or keywords, rather than only to situations in which it is met.
    """

    topic: Topic
    score: float
    share: float
    words: int
    named: bool = True


class TopicSearch:
    """Full-text search over the topics, ranked by BM25 as SQLite's FTS5 computes it.

    Building takes a tenth of a second of CPU time and 13 MB, a search half a millisecond. The score of several words
    is the sum of their scores, so each word's scores are asked from SQLite once and remembered. May be shared by
    threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._topics = list(catalog.topics.values())
        self._vocabulary = Vocabulary()
        # Reads only after this constructor; SQLite itself serialises threads that share a connection.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._db.close)
        self._fill(self._vocabulary.learn([_columns(topic) for topic in self._topics]))
        # Bounded by the words and pairs of words that the catalogue has, as only those are looked up.
        self._scores_of = functools.lru_cache(maxsize=16384)(self._look_up)

    def candidates(self, question: str, *, grade_level: int, limit: int = 8) -> list[Candidate]:
        """The topics that fit the question best, best first; none when no word of it is known."""
        terms = self._vocabulary.read(question)
        distinct = {term.stem: term for term in sorted(terms, key=lambda term: term.weight)}
        scores = self._sum_scores(distinct.values(), terms)
        best = sorted(scores, key=scores.__getitem__, reverse=True)[: 3 * limit]
        weighed = [(term.readings, self._vocabulary.weight(term.stem)) for term in distinct.values()]
        found = [self._candidate(number, scores[number], weighed, grade_level) for number in best]
        return sorted(found, key=lambda candidate: candidate.score, reverse=True)[:limit]

    def _sum_scores(self, distinct: Iterable[Term], terms: Sequence[Term]) -> Mapping[int, float]:
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

    def _candidate(
        self, number: int, score: float, weighed: Sequence[tuple[Sequence[Term], float]], grade_level: int
    ) -> Candidate:
        columns_with = self._vocabulary.columns_with
        matched = []
        everywhere = 0
        for readings, weight in weighed:
            columns = 0
            for reading in readings:
                columns |= columns_with[reading.stem].get(number, 0)
            everywhere |= columns
            if columns:
                matched.append(weight * (1 if columns & _TELLING else PASSING_SHARE))
        share = sum(matched) / sum(weight for _, weight in weighed)
        topic = self._topics[number]
        low, high = topic.grades
        grades_away = max(0, low - grade_level, grade_level - high)
        score *= (1 + SHARE_WEIGHT * share) * GRADE_PENALTY**grades_away
        return Candidate(
            topic=topic, score=score, share=share, words=len(matched), named=bool(everywhere & _NAMING)
        )

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


def _pairs(first: Term, second: Term) -> Iterator[tuple[str, float]]:
    for one in first.readings:
        for other in second.readings:
            yield f"{one.word} {other.word}", min(one.weight, other.weight)


def _columns(topic: Topic) -> list[str]:
    columns = {
        "name": [topic.name],
        "keywords": topic.keywords,
        "asked_as": topic.asked_as,
        "everyday": topic.everyday,
        "facts": [topic.summary, *topic.key_facts],
        "example": [topic.example, topic.misconception, topic.try_it],
    }
    return [" . ".join(columns[name]) for name in COLUMN_WEIGHTS]
