"""Finding the topics a student's message may be about."""

import functools
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    telling each word is, that the topic has; `words` counts the different words behind it.
    """

    topic: Topic
    score: float
    share: float
    words: int


class TopicSearch:
    """Full-text search over the topics, ranked by BM25 as SQLite's FTS5 computes it.

    Building takes about a third of a second, a search less than a millisecond. The score of several words is the
    sum of their scores, so each word's scores are asked from SQLite once and remembered. May be shared by threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._topics = list(catalog.topics.values())
        self._vocabulary = Vocabulary()
        # Reads only after this constructor; SQLite itself serialises threads that share a connection.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        rows = [self._columns(topic) for topic in self._topics]
        self._fill(rows)
        self._columns_with = self._read_columns()
        words = (word for row in rows for text in row for word in text.split())
        self._vocabulary.learn(words, self._columns_with, len(self._topics))
        # Bounded by the words and pairs of words that the catalogue has, as only those are looked up.
        self._scores_of = functools.lru_cache(maxsize=16384)(self._look_up)

    def candidates(self, question: str, *, grade_level: int, limit: int = 8) -> list[Candidate]:
        """The topics that fit the question best, best first; none when no word of it is known."""
        terms = self._vocabulary.read(question)
        distinct = {term.stem: term for term in sorted(terms, key=lambda term: term.weight)}
        scores = self._sum_scores(distinct, terms)
        weights = {stem: self._vocabulary.weight(stem) for stem in distinct}
        best = sorted(scores, key=scores.__getitem__, reverse=True)[: 3 * limit]
        found = [self._candidate(number, scores[number], weights, grade_level) for number in best]
        return sorted(found, key=lambda candidate: candidate.score, reverse=True)[:limit]

    def _sum_scores(self, distinct: Mapping[str, Term], terms: Sequence[Term]) -> Mapping[int, float]:
        scores: dict[int, float] = defaultdict(float)
        known = [term for term in distinct.values() if term.known]
        known.sort(key=lambda term: self._vocabulary.weight(term.stem), reverse=True)
        for term in known[:MOST_TERMS]:
            for number, score in self._scores_of(term.word):
                scores[number] += term.weight * score
        for first, second in pairwise(terms):
            if first.known and second.known:
                for number, score in self._scores_of(f"{first.word} {second.word}"):
                    scores[number] += PHRASE_WEIGHT * min(first.weight, second.weight) * score
        return scores

    def _candidate(
        self, number: int, score: float, weights: Mapping[str, float], grade_level: int
    ) -> Candidate:
        had = {stem: self._columns_with.get(stem, {}).get(number) for stem in weights}
        matched = [
            weights[stem] * (1 if columns & TELLING_COLUMNS else PASSING_SHARE)
            for stem, columns in had.items()
            if columns
        ]
        share = sum(matched) / sum(weights.values())
        topic = self._topics[number]
        low, high = topic.grades
        grades_away = max(0, low - grade_level, grade_level - high)
        score *= (1 + SHARE_WEIGHT * share) * GRADE_PENALTY**grades_away
        return Candidate(topic=topic, score=score, share=share, words=len(matched))

    def _look_up(self, phrase: str) -> Sequence[tuple[int, float]]:
        # FTS5 gives better matches smaller (more negative) numbers. Words are [a-z0-9]+, so quoting is safe.
        weights = ", ".join(map(str, COLUMN_WEIGHTS.values()))
        query = f"SELECT rowid, -bm25(topics, {weights}) FROM topics WHERE topics MATCH ?"  # noqa: S608  # constants
        return self._db.execute(query, (f'"{phrase}"',)).fetchall()

    def _columns(self, topic: Topic) -> list[str]:
        columns = {
            "name": [topic.name],
            "keywords": topic.keywords,
            "asked_as": topic.asked_as,
            "everyday": topic.everyday,
            "facts": [topic.summary, *topic.key_facts],
            "example": [topic.example, topic.misconception, topic.try_it],
        }
        return [" ".join(self._vocabulary.index_words(" . ".join(columns[name]))) for name in COLUMN_WEIGHTS]

    def _fill(self, rows: Sequence[Sequence[str]]) -> None:
        names = ", ".join(COLUMN_WEIGHTS)
        self._db.execute(f"CREATE VIRTUAL TABLE topics USING fts5({names}, tokenize='porter unicode61')")
        self._db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(topics, instance)")
        places = ", ".join("?" * (1 + len(COLUMN_WEIGHTS)))
        statement = f"INSERT INTO topics(rowid, {names}) VALUES ({places})"  # noqa: S608  # constants
        self._db.executemany(statement, [(number, *row) for number, row in enumerate(rows)])

    def _read_columns(self) -> dict[str, dict[int, set[str]]]:
        """For each stem the topics that have it, and in which columns."""
        found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for stem, number, column in self._db.execute("SELECT DISTINCT term, doc, col FROM terms"):
            found[stem][number].add(column)
        return {stem: dict(topics) for stem, topics in found.items()}
