"""The catalogue's words: reading a student's message in terms of them."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.content.catalog.spelling import SpellingMender
from services.content.catalog.stems import Stemmer
from services.content.catalog.synonyms import synonyms
from services.content.catalog.words import (
    content_words,
    is_content,
    other_words,
    small_words,
    spelled_out,
    tokens,
)

MENDED_WEIGHT = 0.85
"""A mended word counts less than one that was spelled right."""

LIKELY_ENOUGH = 0.6
"""A misspelled word that is likeliest a small one counts only when another correction has at least this weight."""

TYPED_OFTEN = 5
"""A word that so many questions have as they were typed is no slip."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?:['’]s)?")
"""A capital inside a sentence: a person or a place. Names are neither mended nor telling."""

TOLD_WEIGHT = 0.6
"""In a message of three sentences or more, what is told counts less than what is asked."""

COMMON_WORD_FREQUENCY = 5
"""How often chatter and synonyms count as occurring, for choosing between corrections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word of a message. `known` says whether any topic has it; `word` and `stem` are the catalogue's then.

    `weight` (0 to 1) is how much it counts: less where it was mended or stands in the story around a question.
    `others` are further words that a misspelled one may stand for, less likely than this one.
    """

    word: str
    stem: str
    weight: float
    known: bool
    others: tuple["Term", ...] = ()

    @property
    def readings(self) -> tuple["Term", ...]:
        """All words of the catalogue that it may stand for."""
        return tuple(term for term in (self, *self.others) if term.known)


class Vocabulary:
    """What words the catalogue knows and how telling each of them is."""

    def __init__(self) -> None:
        self._stemmer = Stemmer()
        same = synonyms()
        stems = self._stemmer.stems(list(same))
        self._heads = dict(zip(stems, same.values(), strict=True))
        self._weights: dict[str, float] = {}
        self.columns_with: Mapping[str, Mapping[int, int]] = {}
        """For each stem the numbers of the topics that have it, with the columns it stands in: bit 0 for the first."""

    def learn(self, topics: Sequence[Sequence[str]], *, as_typed: int) -> list[list[str]]:
        """Take over the catalogue's words; each topic is given by its texts, one a column.

        The column `as_typed` has mistakes in it: what stands there alone, and seldom, is not taken for a word. Returns
        the same texts as they are to be indexed.
        """
        texts = [[spelled_out(tokens(text)) for text in columns] for columns in topics]
        _drop_mistakes(texts, as_typed)
        words = list(dict.fromkeys(word for columns in texts for text in columns for word in text))
        heads = dict(zip(words, self._united(words), strict=True))
        united = [[[heads[word] for word in text] for text in columns] for columns in texts]
        self._mender = SpellingMender(_frequencies(text for columns in texts for text in columns))
        self.columns_with = self._find_columns(united)
        self._weights = {
            stem: _weight(len(having), len(topics)) for stem, having in self.columns_with.items()
        }
        self._weight_of_unknown = _weight(0, len(topics))
        return [[" ".join(text) for text in columns] for columns in united]

    def _find_columns(self, topics: Sequence[Sequence[Sequence[str]]]) -> Mapping[str, Mapping[int, int]]:
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for number, columns in enumerate(topics):
            for column, text in enumerate(columns):
                for stem in self._stemmer.stems(list(set(text))):
                    having = found[stem]
                    having[number] = having.get(number, 0) | 1 << column
        return dict(found)

    def read(self, message: str) -> list[Term]:
        """The words of a message that may say what it is about, misspelled ones mended."""
        names = set(tokens(" ".join(_NAME.findall(message))))
        return [term for part, emphasis in _parts(message) for term in self._read(part, names, emphasis)]

    def content_stems(self, text: str) -> list[str]:
        """The stems of the words of a catalogue's text that may say what it is about."""
        return self._stemmer.stems(self._united(content_words(text)))

    def weight(self, stem: str) -> float:
        """How telling a stem is: words of few topics weigh most (inverse document frequency)."""
        return self._weights.get(stem, self._weight_of_unknown)

    def _read(self, text: str, names: Collection[str], emphasis: float) -> Iterator[Term]:
        words = self._united(content_words(text))
        for word, stem in zip(words, self._stemmer.stems(words), strict=True):
            if stem in self.columns_with:
                yield Term(word=word, stem=stem, weight=emphasis, known=True)
            elif word not in names:
                yield from self._mended(word, stem, emphasis)

    def _mended(self, word: str, stem: str, emphasis: float) -> Iterator[Term]:
        meant = self._mender.corrections(word)
        if not meant:
            yield Term(word=word, stem=stem, weight=emphasis, known=False)
            return
        likely = {c.word: c.weight for c in meant if is_content(c.word)}
        if meant[0].word in likely or max(likely.values(), default=0) >= LIKELY_ENOUGH:
            best, *others = self._readings(likely, emphasis * MENDED_WEIGHT)
            yield replace(best, others=tuple(others))

    def _readings(self, likely: Mapping[str, float], emphasis: float) -> list[Term]:
        """The corrections, likeliest first, as terms; of those that mean the same only the likeliest."""
        heads = self._united(list(likely))
        weights: dict[str, float] = {}
        for head, weight in zip(heads, likely.values(), strict=True):
            weights.setdefault(head, weight * emphasis)
        stems = zip(weights.items(), self._stemmer.stems(list(weights)), strict=True)
        return [
            Term(word=head, stem=stem, weight=weight, known=stem in self.columns_with)
            for (head, weight), stem in stems
        ]

    def _united(self, words: Sequence[str]) -> list[str]:
        """The words with each synonym replaced by the word that stands for its group."""
        stems = self._stemmer.stems(words)
        return [self._heads.get(stem, word) for word, stem in zip(words, stems, strict=True)]


def _drop_mistakes(topics: Sequence[list[list[str]]], as_typed: int) -> None:
    right = {word for columns in topics for n, text in enumerate(columns) if n != as_typed for word in text}
    times = Counter(word for columns in topics for word in columns[as_typed])
    for columns in topics:
        columns[as_typed] = [
            word for word in columns[as_typed] if word in right or times[word] >= TYPED_OFTEN
        ]


def _frequencies(texts: Iterable[Sequence[str]]) -> Counter[str]:
    """How often each word occurs, for choosing between corrections."""
    frequencies: Counter[str] = Counter()
    for text in texts:
        frequencies.update(text)
    for word in sorted(
        {*small_words(), *other_words(), *synonyms()}
    ):  # sorted: the order decides between equals
        frequencies[word] += COMMON_WORD_FREQUENCY
    return frequencies


def _weight(having: int, topic_count: int) -> float:
    return math.log(1 + (topic_count + 0.5) / (having + 0.5))


def _parts(message: str) -> list[tuple[str, float]]:
    """The message's sentences with their weights: questions and the last sentence count fully."""
    sentences = _SENTENCE_END.split(message.strip())
    if len(sentences) < 3:
        return [(message, 1.0)]
    told = [(sentence, 1.0 if "?" in sentence else TOLD_WEIGHT) for sentence in sentences[:-1]]
    return [*told, (sentences[-1], 1.0)]
