"""What a message sounds like by its wording alone: small talk, or a question of a subject the catalogue lacks.

Each word, and each two words in a row, speaks a little for or against it. The weights are data (`sounds.json`), fitted
by `scripts/calibrate` on the messages of `tests/data/wordings.jsonl` and on the catalogue's own questions.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

from services.content.catalog.words import spelled_out, tokens

LOUDEST = 6.0
"""Beyond this a message sounds no more like it: long ones would drown out everything else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sounds:
    """How much a message sounds like chat and like another subject, in logits: 0 is undecided, above is yes."""

    chat: float
    other_subject: float


def sounds_of(message: str) -> Sounds:
    """What the message sounds like."""
    features = features_of(message)
    weights = _weights()
    return Sounds(
        chat=_sum(features, weights["chat"]), other_subject=_sum(features, weights["other_subject"])
    )


def features_of(message: str) -> list[str]:
    """The message's words and pairs of words, each once; "^" and "$" stand for its beginning and end."""
    return list(dict.fromkeys(_features(spelled_out(tokens(message)))))


def _features(words: Sequence[str]) -> Iterator[str]:
    yield ""  # stands for the message itself: what is to be said before its words are known
    yield from words
    for first, second in pairwise(("^", *words, "$")):
        yield f"{first} {second}"


def _sum(features: Sequence[str], weights: Mapping[str, float]) -> float:
    total = sum(weights.get(feature, 0.0) for feature in features)
    return max(-LOUDEST, min(LOUDEST, total))


@functools.cache
def _weights() -> Mapping[str, Mapping[str, float]]:
    text = resources.files("services.content.offline").joinpath("sounds.json").read_text(encoding="utf-8")
    weights: Mapping[str, Mapping[str, float]] = json.loads(text)
    return weights
