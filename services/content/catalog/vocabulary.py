"""The catalogue's words: reading a student's message in terms of them."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.content.catalog.spelling import SpellingMender
from services.content.catalog.stems import Stemmer
from services.content.catalog.synonyms import synonyms
from services.content.catalog.words import CHATTER, STOP_WORDS, content_words, is_content, spelled_out, tokens

MENDED_WEIGHT = 0.7
"""A mended word counts less than one that was spelled right."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
"""A capital inside a sentence: a person or a place. Names are neither mended nor telling."""

TOLD_WEIGHT = 0.6
"""In a message of three sentences or more, what is told counts less than what is asked."""

COMMON_WORD_FREQUENCY = 5
"""How often chatter and synonyms count as occurring, for choosing between corrections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word of a message. `known` says whether any topic has it; `word` and `stem` are the catalogue's then.

    `weight` (0 to 1) is how much it counts: less where it was mended or stands in the story around a question.
    """

    word: str
    stem: str
    weight: float
    known: bool


class Vocabulary:
    """What words the catalogue knows and how telling each of them is."""

    def __init__(self) -> None:
        self._stemmer = Stemmer()
        same = synonyms()
        stems = self._stemmer.stems(list(same))
        self._heads = dict(zip(stems, same.values(), strict=True))
        self._topics_with: Mapping[str, Collection[int]] = {}
        self._topic_count = 0

    def index_words(self, text: str) -> list[str]:
        """All words of a text of the catalogue, as they are written into the index."""
        return self._united(spelled_out(tokens(text)))

    def learn(
        self, words: Iterable[str], topics_with: Mapping[str, Collection[int]], topic_count: int
    ) -> None:
        """Take over the index's words and, for each stem, the topics that have it."""
        frequencies = Counter(words)
        for word in sorted({*STOP_WORDS, *CHATTER, *synonyms()}):  # sorted: the order decides between equals
            frequencies[word] += COMMON_WORD_FREQUENCY
        self._mender = SpellingMender(frequencies)
        self._topics_with = topics_with
        self._topic_count = topic_count

    def read(self, message: str) -> list[Term]:
        """The words of a message that may say what it is about, misspelled ones mended."""
        names = set(tokens(" ".join(_NAME.findall(message))))
        return [term for part, emphasis in _parts(message) for term in self._read(part, names, emphasis)]

    def weight(self, stem: str) -> float:
        """How telling a stem is: words of few topics weigh most (inverse document frequency)."""
        having = len(self._topics_with.get(stem, ()))
        return math.log(1 + (self._topic_count + 0.5) / (having + 0.5))

    def _read(self, text: str, names: Collection[str], emphasis: float) -> Iterator[Term]:
        words = self._united(content_words(text))
        for word, stem in zip(words, self._stemmer.stems(words), strict=True):
            if stem in self._topics_with:
                yield Term(word=word, stem=stem, weight=emphasis, known=True)
            elif word not in names:
                yield from self._mended(word, stem, emphasis)

    def _mended(self, word: str, stem: str, emphasis: float) -> Iterator[Term]:
        meant = self._mender.mend(word)
        if meant is None:
            yield Term(word=word, stem=stem, weight=emphasis, known=False)
        elif is_content(meant):
            [head] = self._united([meant])
            [head_stem] = self._stemmer.stems([head])
            known = head_stem in self._topics_with
            yield Term(word=head, stem=head_stem, weight=emphasis * MENDED_WEIGHT, known=known)

    def _united(self, words: Sequence[str]) -> list[str]:
        """The words with each synonym replaced by the word that stands for its group."""
        stems = self._stemmer.stems(words)
        return [self._heads.get(stem, word) for word, stem in zip(words, stems, strict=True)]


def _parts(message: str) -> list[tuple[str, float]]:
    """The message's sentences with their weights: questions and the last sentence count fully."""
    sentences = _SENTENCE_END.split(message.strip())
    if len(sentences) < 3:
        return [(message, 1.0)]
    told = [(sentence, 1.0 if "?" in sentence else TOLD_WEIGHT) for sentence in sentences[:-1]]
    return [*told, (sentences[-1], 1.0)]
