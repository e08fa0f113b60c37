"""Mending misspelled words against the words the catalogue knows."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.content.tables import read_table

SHORTEST_WORD = 3
"""Shorter unknown words have too many neighbours to be mended."""

SHORTEST_BY_LETTERS = 4
"""Words of three letters are mended only when they sound the same."""

SAME_SOUND_BONUS = 0.3
FIRST_LETTER_BONUS = 0.06
SAME_LENGTH_BONUS = 0.02
FREQUENCY_BONUS = 0.005
"""Added per time the word occurs in the catalogue, up to ten: people misspell common words."""

MOST_CORRECTIONS = 4
"""The words around it tell which one was meant, so that several are tried."""

WIDEST_GAP = 0.3
"""A correction this much less likely than the likeliest is not tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rules:
    """`consonants` reduce English spelling to its consonants as they sound, so that "fotosinthesis" meets
    "photosynthesis"; `spoken` keeps the vowels, by which words with the same consonants are compared: "lite" is
    "light", not "late".
    """

    consonants: Sequence[tuple[re.Pattern[str], str]]
    spoken: Sequence[tuple[re.Pattern[str], str]]


@functools.cache
def _rules() -> _Rules:
    rules: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
    for row in read_table("services.content.catalog", "spelling.toml")["rule"]:
        rules[row["kind"]].append((re.compile(row["pattern"], re.MULTILINE), row["sound"]))
    return _Rules(
        consonants=[*rules["consonants"], *rules["no_vowels"]],
        spoken=[*rules["vowels"], *rules["consonants"]],
    )


def sound_of(word: str) -> str:
    """The word's consonants as they sound; equal for words that are likely to be misspellings of each other."""
    return _apply(_rules().consonants, word)


def sounds_of(words: Sequence[str]) -> list[str]:
    """The same for many words at once, which is several times as fast."""
    return _apply(_rules().consonants, "\n".join(words)).split("\n")


def _apply(rules: Sequence[tuple[re.Pattern[str], str]], text: str) -> str:
    for pattern, sound in rules:
        text = pattern.sub(sound, text)
    return text


def _similarity(word: str, match: str) -> float:
    """How alike two words of the same consonants are, as they are written or as they are spoken."""
    spoken = OSA.normalized_similarity(_apply(_rules().spoken, word), _apply(_rules().spoken, match))
    return (OSA.normalized_similarity(word, match) + spoken) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """A word that may have been meant; `weight` is 1 for the likeliest and less for the others."""

    word: str
    weight: float


class SpellingMender:
    """Finds the known word that was probably meant. `frequencies` counts how often each known word occurs."""

    def __init__(self, frequencies: Mapping[str, int]) -> None:
        self._frequencies = frequencies
        # Bounded: a class types the same mistakes again and again, but the words of strangers must not pile up.
        self.corrections = functools.lru_cache(maxsize=4096)(self._corrections)

    @functools.cached_property
    def _by_sound(self) -> Mapping[str, list[str]]:
        """The known words by how they sound; made at the first misspelling, as many processes never meet one."""
        index: dict[str, list[str]] = defaultdict(list)
        words = [word for word in self._frequencies if len(word) >= SHORTEST_WORD and word.isalpha()]
        with_ch = [word for word in words if "ch" in word]  # spoken as in "chain" or as in "echo"
        said = [*words, *(word.replace("ch", "k") for word in with_ch)]
        for word, sound in zip([*words, *with_ch], sounds_of(said), strict=True):
            index[sound].append(word)
        return index

    @functools.cached_property
    def _by_start(self) -> Mapping[str, list[str]]:
        """The known words by their first sound."""
        index: dict[str, list[str]] = defaultdict(list)
        for sound, words in self._by_sound.items():
            index[sound[:1]] += words
        return index

    def _corrections(self, word: str) -> Sequence[Correction]:
        """The known words that may have been meant by an unknown one, likeliest first; none when none is near."""
        if len(word) < SHORTEST_WORD or not word.isalpha():
            return ()
        near = dict(self._alike(word)) if len(word) >= SHORTEST_BY_LETTERS else {}
        for match in self._by_sound.get(sound_of(word), ()):
            if abs(len(match) - len(word)) <= max(1, len(word) // 3):
                near[match] = _similarity(word, match) + SAME_SOUND_BONUS
        likely = {match: self._likelihood(word, match, near[match]) for match in near}
        ranked = sorted(likely, key=likely.__getitem__, reverse=True)[:MOST_CORRECTIONS]
        if not ranked or near[ranked[0]] < _cutoff(word):
            return (
                self.corrections(word[:-1]) if word.endswith("s") and len(word) > SHORTEST_BY_LETTERS else ()
            )
        gaps = ((match, likely[ranked[0]] - likely[match]) for match in ranked)
        return [
            Correction(word=match, weight=1 - gap / WIDEST_GAP) for match, gap in gaps if gap < WIDEST_GAP
        ]

    def _alike(self, word: str) -> Iterator[tuple[str, float]]:
        # Hardly anybody gets the first sound wrong, and dropping that rule turns dinner into inner.
        known = self._by_start.get(sound_of(word)[:1], [])
        cutoff = _cutoff(word)
        matches = process.extract(word, known, scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=6)
        yield from ((match, score) for match, score, _ in matches)

    def _likelihood(self, word: str, match: str, similarity: float) -> float:
        same_start = FIRST_LETTER_BONUS * (word[0] == match[0])
        same_length = SAME_LENGTH_BONUS * (len(word) == len(match))
        return similarity + same_start + same_length + FREQUENCY_BONUS * min(10, self._frequencies[match])


def _cutoff(word: str) -> float:
    """How alike is near enough: one edit in a short word, a quarter of a long one."""
    return 0.75 if len(word) < 6 else 0.72
