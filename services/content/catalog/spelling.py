"""Mending misspelled words against the words the catalogue knows."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

SHORTEST_WORD = 3
"""Shorter unknown words have too many neighbours to be mended."""

SHORTEST_BY_LETTERS = 4
"""Words of three letters are mended only when they sound the same."""

SAME_SOUND_BONUS = 0.3
FIRST_LETTER_BONUS = 0.06
SAME_LENGTH_BONUS = 0.02
FREQUENCY_BONUS = 0.01
"""Added per time the word occurs in the catalogue, up to ten: people misspell common words."""

_SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"(.)\1+", r"\1"), (r"^(kn|gn)", "n"), (r"^wr", "r"), (r"^ps", "s"), (r"x", "ks"),
        (r"(ti|ci|ssi|si|sh)(on|an|al|ul|un)\b|sh", "x"), (r"tch", "ch"), (r"ture\b", "cher"), (r"ph", "f"),
        (r"ght", "t"), (r"ck|cq|q", "k"), (r"sc(?=[eiy])|c(?=[eiy])|z", "s"), (r"c(?!h)", "k"), (r"dg(?=[ei])|j", "g"),
        (r"mb\b", "m"), (r"th", "t"), (r"ch", "c"), (r"(?<=.)([aeiouy]|[hw](?![aeiouy]))+", ""), (r"^[aeiouy]+", "a"),
    )
]  # fmt: skip
"""English spelling reduced to its consonants as they sound, so that "fotosinthesis" meets "photosynthesis"."""


def sound_of(word: str) -> str:
    """The word's consonants as they sound; equal for words that are likely to be misspellings of each other."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word


class SpellingMender:
    """Finds the known word that was probably meant. `frequencies` counts how often each known word occurs."""

    def __init__(self, frequencies: Mapping[str, int]) -> None:
        self._frequencies = frequencies
        # Bounded: a class types the same mistakes again and again, but the words of strangers must not pile up.
        self.mend = functools.lru_cache(maxsize=4096)(self._mend)

    @functools.cached_property
    def _by_sound(self) -> Mapping[str, list[str]]:
        """The known words by how they sound; made at the first misspelling, as it takes a tenth of a second."""
        index: dict[str, list[str]] = defaultdict(list)
        for word in self._frequencies:
            if len(word) >= SHORTEST_WORD and word.isalpha():
                index[sound_of(word)].append(word)
                if "ch" in word:  # spoken as in "chain" or as in "echo"
                    index[sound_of(word.replace("ch", "k"))].append(word)
        return index

    @functools.cached_property
    def _by_start(self) -> Mapping[str, list[str]]:
        """The known words by their first sound."""
        index: dict[str, list[str]] = defaultdict(list)
        for sound, words in self._by_sound.items():
            index[sound[:1]] += words
        return index

    def _mend(self, word: str) -> str | None:
        """The known word nearest to an unknown one, or None when none is near enough."""
        if len(word) < SHORTEST_WORD or not word.isalpha():
            return None
        near = dict(self._alike(word)) if len(word) >= SHORTEST_BY_LETTERS else {}
        for match in self._by_sound.get(sound_of(word), ()):
            near[match] = OSA.normalized_similarity(word, match) + SAME_SOUND_BONUS
        best = max(near, key=lambda match: self._likelihood(word, match, near[match]), default=None)
        return best if best and near[best] >= _cutoff(word) else None

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
