"""What the words of a message say about its topic, learned from many questions.

A linear model: every word, and every two words in a row, speaks a little for or against each topic, and all of them
together with a topic's own bias make its score. The weights are data (`learned.json`), fitted by `scripts/calibrate`.
Full-text search asks which words a topic has; this asks which words students use who mean it, small words included.
"""

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

from services.content.catalog.vocabulary import Term
from services.content.catalog.words import spelled_out, tokens

SCALE = 100
"""Weights are kept as whole numbers, this many to one."""

MOST_FEATURES = 400
"""Only the first words of an endless message count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """The fitted weights.

    `topics` are the ids that the numbers in `features` stand for, `biases` theirs. A feature's line is first its
    inverse document frequency, then `topic:weight` for every topic that it speaks for or against; all of them times
    `SCALE`. Lines stay text until a message has their word: most are never asked for.
    """

    topics: Sequence[str]
    biases: Sequence[int]
    features: Mapping[str, str]

    def scores(self, features: Sequence[str]) -> Mapping[str, float]:
        """What these features of a message say for each topic; the difference between two topics is what tells."""
        sums = [0.0] * len(self.topics)
        squares = 0.0
        for line in filter(None, map(self.features.get, features[:MOST_FEATURES])):
            rarity, *weights = line.split(" ")
            weight = float(rarity)
            squares += weight * weight
            for entry in weights:
                topic, _, speaks = entry.partition(":")
                sums[int(topic)] += weight * int(speaks)
        length = math.sqrt(squares) or 1.0
        return {
            topic: (total / length + bias) / SCALE
            for topic, total, bias in zip(self.topics, sums, self.biases, strict=True)
        }


def features_of(message: str, terms: Sequence[Term]) -> list[str]:
    """The features of a message, each once: its terms as the catalogue's vocabulary reads them, and all words as they
    are typed (marked by "_"), each alone and with the next one."""
    typed = [f"_{word}" for word in spelled_out(tokens(message))]
    return list(
        dict.fromkeys([*_alone_and_in_pairs([term.stem for term in terms]), *_alone_and_in_pairs(typed)])
    )


def _alone_and_in_pairs(words: Sequence[str]) -> Iterator[str]:
    yield from words
    for first, second in pairwise(words):
        yield f"{first} {second}"


@functools.cache
def load_learned() -> Learned:
    """The weights that ship with the catalogue; read once per process."""
    text = resources.files("services.content.catalog").joinpath("learned.json").read_text(encoding="utf-8")
    return Learned(**json.loads(text))
