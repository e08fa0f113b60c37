"""How long a script is when spoken, and how hard it is to read."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from services.content.language import other_language, primary
from services.content.models import Script, ScriptDraft, ScriptSection

if TYPE_CHECKING:
    import regex  # type: ignore[import-untyped]

WORDS_PER_MINUTE = 150
"""A calm explaining voice in English; audiobooks are read at 150 to 160 words a minute."""

CJK_CHARACTERS_PER_WORD = 1.7
"""Chinese and Japanese leave no spaces, so words cannot be counted there. A Mandarin narrator speaks about 255
characters in the minute in which an English one speaks 150 words; with this divisor one rate serves all scripts."""

CHARACTERS_PER_WORD = {"Thai": 3.4, "Lao": 3.4, "Khmer": 2.4, "Myanmar": 2.7}
"""User-perceived characters (UAX #29) of a word, in scripts that leave no spaces between words.

Measured on corpora whose words were parted by hand: Thai 3.41 (Universal Dependencies, UD_Thai-PUD, 21,632 words),
Khmer 2.44 (khPOS, 105,815 words), Burmese 2.65 (myPOS 0.9, 234,679 words). Lao is as Thai, its nearest relative.
"""

# Letters that are one character each, in scripts that part words by spaces: there `re` finds words as Unicode does.
_NEEDS_UNICODE = re.compile(
    "[^\x00-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0588\u1e00-\u200a\u2010-\u205f\u2070-\u209f\u20a0-\u20cf\u2100-\u2bff"
    "\ufe0f\U0001f000-\U0001faff]"
)
_WORD = re.compile(r"[^\W_]+(?:[.,'’\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|$|[”\"'])")
_VOWEL_GROUP = re.compile(r"[aeiouy]+")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][A-Za-zÀ-ɏ]+)?")


@lru_cache(maxsize=256)  # a script's parts are counted to check it, to time it and to report on it
def spoken_words(text: str) -> int:
    """How many words a narrator speaks.

    Words are parted by Unicode's word boundaries (UAX #29), but for hyphens, which join. Where a script has no spaces
    between words its characters count, at the rates of `CJK_CHARACTERS_PER_WORD` and `CHARACTERS_PER_WORD`.
    """
    if not _NEEDS_UNICODE.search(text):
        return len(_WORD.findall(text))
    text = unicodedata.normalize("NFC", text)
    count = 0
    for script, characters_per_word in CHARACTERS_PER_WORD.items():
        if runs := _unicode(rf"\p{{{script}}}[\p{{{script}}}\p{{M}}]*").findall(text):
            count += _words_in_runs(runs, characters_per_word)
            text = _unicode(rf"[\p{{{script}}}]").sub(" ", text)
    cjk = _unicode(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}ー]")
    if characters := len(cjk.findall(text)):
        count += round(characters / CJK_CHARACTERS_PER_WORD)
        text = cjk.sub(" ", text)
    words = len(_unicode(r"(?w)\b(?![²³¹⁰-₟])[\p{L}\p{N}].*?\b").findall(text))
    joined = len(_unicode(r"(?<=[\p{L}\p{N}\p{M}])[-‐‑](?=[\p{L}\p{N}])").findall(text))
    return count + words - joined


def _words_in_runs(runs: Sequence[str], characters_per_word: float) -> int:
    """Words in what stands between spaces: phrases, unless they are as short as words are."""
    characters = sum(len(_unicode(r"\X").findall(run)) for run in runs)
    are_words = characters < 2 * characters_per_word * len(runs)
    return len(runs) if are_words else round(characters / characters_per_word)


@cache
def _unicode(pattern: str) -> "regex.Pattern[str]":
    import regex  # few scripts need it

    return regex.compile(pattern)


def target_words(duration_seconds: int) -> int:
    """How many words fill that many seconds."""
    return round(duration_seconds * WORDS_PER_MINUTE / 60)


def time_script(draft: ScriptDraft, *, language: str) -> Script:
    """Give every section its seconds, at least one; the hook is spoken in the first section's time.

    `language` is what the script is in.
    """
    counts = [spoken_words(section.content) for section in draft.sections]
    counts[0] += spoken_words(draft.hook)
    seconds = [max(1, round(count * 60 / WORDS_PER_MINUTE)) for count in counts]
    sections = [
        ScriptSection(**section.model_dump(), duration_seconds=duration)
        for section, duration in zip(draft.sections, seconds, strict=True)
    ]
    fields = draft.model_dump(exclude={"sections"})
    return Script(**fields, sections=sections, duration_seconds=sum(seconds), language=language)


def reading_grade(text: str, language: str = "en") -> float | None:
    """The US school grade that can read the text; None for a text that is not in English, as far as one can tell."""
    if primary(language) != "en" or other_language(text, language):
        return None
    return flesch_kincaid(text)


def flesch_kincaid(text: str) -> float | None:
    """The US school grade that can read an English text, by Flesch and Kincaid; None without words.

    Formula: J. P. Kincaid et al., Research Branch Report 8-75 (1975).
    """
    words = _LATIN_WORD.findall(text)
    if not words:
        return None
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    syllables = sum(map(count_syllables, words))
    grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
    return round(max(0.0, grade), 1)


@lru_cache(maxsize=16384)  # scripts repeat their words: this is most of the cost of measuring one
def count_syllables(word: str) -> int:
    """Syllables of an English word by its vowel groups; right for about nine words in ten, enough for an average."""
    word = word.lower()
    groups = len(_VOWEL_GROUP.findall(word))
    silent_e = word.endswith("e") and not word.endswith(("le", "ee", "ye"))
    silent_ed = word.endswith("ed") and not word.endswith(("ted", "ded", "eed", "ied"))
    return max(1, groups - (silent_e or silent_ed))
