"""How long a script is when spoken, what is wrong with it, and how hard it is to read."""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache

from services.content.models import QualityReport, Script, ScriptDraft, ScriptSection
from services.content.safety import contacts_in

WORDS_PER_MINUTE = 150
"""A calm explaining voice in English; audiobooks are read at 150 to 160 words a minute."""

CJK_CHARACTERS_PER_WORD = 1.7
"""Chinese and Japanese leave no spaces, so words cannot be counted there. A Mandarin narrator speaks about 255
characters in the minute in which an English one speaks 150 words; with this divisor one rate serves all scripts."""

TOLERANCE = 0.2
"""How far the spoken length may lie from the length that was asked for."""

READING_GRADE_SLACK = 2
"""Spoken text may be this many grades harder than the listener's own: a voice helps, and the formula is coarse."""

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+(?:[.,'’\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?。！？]+(?=\s|$|[”\"'])|[。！？]")
_VOWEL_GROUP = re.compile(r"[aeiouy]+")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][A-Za-zÀ-ɏ]+)?")


@lru_cache(maxsize=256)  # a script's parts are counted to check it, to time it and to report on it
def spoken_words(text: str) -> int:
    """How many words a narrator speaks, CJK characters counted at `CJK_CHARACTERS_PER_WORD` to a word."""
    if text.isascii():
        return len(_WORD.findall(text))
    characters = len(_CJK.findall(text))
    words = len(_WORD.findall(_CJK.sub(" ", text)))
    return words + round(characters / CJK_CHARACTERS_PER_WORD)


def target_words(duration_seconds: int) -> int:
    """How many words fill that many seconds."""
    return round(duration_seconds * WORDS_PER_MINUTE / 60)


def script_words(draft: ScriptDraft) -> int:
    """All spoken words of a script: the hook and the sections' contents."""
    return spoken_words(draft.hook) + sum(spoken_words(section.content) for section in draft.sections)


def time_script(draft: ScriptDraft) -> Script:
    """Give every section its seconds, at least one; the hook is spoken in the first section's time."""
    counts = [spoken_words(section.content) for section in draft.sections]
    counts[0] += spoken_words(draft.hook)
    seconds = [max(1, round(count * 60 / WORDS_PER_MINUTE)) for count in counts]
    sections = [
        ScriptSection(**section.model_dump(), duration_seconds=duration)
        for section, duration in zip(draft.sections, seconds, strict=True)
    ]
    fields = draft.model_dump(exclude={"sections"})
    return Script(**fields, sections=sections, duration_seconds=sum(seconds))


def script_problems(draft: ScriptDraft, *, duration_seconds: int) -> list[str]:
    """One sentence for every rule the script breaks, fit to be shown to the model that wrote it."""
    return [*_length_problems(draft, duration_seconds), *_contact_problems(draft), *_section_problems(draft)]


def report(script: Script, *, duration_seconds: int, grade_level: int) -> QualityReport:
    """Measure a script that has passed `script_problems`; the notes are for a person who looks it over."""
    words = script_words(script)
    reads_like = reading_grade(_spoken_text(script))
    too_hard = reads_like > grade_level + READING_GRADE_SLACK
    return QualityReport(
        spoken_words=words,
        length_ratio=round(words / target_words(duration_seconds), 3),
        reading_grade=reads_like,
        notes=[f"It reads like grade {reads_like:g}; the student is in grade {grade_level}."]
        if too_hard
        else [],
    )


def reading_grade(text: str) -> float:
    """The US school grade that can read the text, by Flesch and Kincaid; made for English, 0 without Latin words.

    Formula: J. P. Kincaid et al., Research Branch Report 8-75 (1975).
    """
    words = _LATIN_WORD.findall(text)
    if not words:
        return 0.0
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


def _spoken_text(draft: ScriptDraft) -> str:
    return " ".join([draft.hook, *(section.content for section in draft.sections)])


def _length_problems(draft: ScriptDraft, duration_seconds: int) -> list[str]:
    words, wanted = script_words(draft), target_words(duration_seconds)
    if abs(words - wanted) <= TOLERANCE * wanted:
        return []
    too = "long" if words > wanted else "short"
    return [
        f"The spoken text (hook and sections) is too {too}: it has {words} words and should have about {wanted}, "
        f"between {round(wanted * (1 - TOLERANCE))} and {round(wanted * (1 + TOLERANCE))}."
    ]


def _contact_problems(draft: ScriptDraft) -> list[str]:
    shown = [draft.title, _spoken_text(draft), *draft.key_takeaways]
    for section in draft.sections:
        shown += [section.title, *section.visuals]
    text = "\n".join(shown)
    return [f"The script contains {what}; leave it out." for what in contacts_in(text)]


def _section_problems(draft: ScriptDraft) -> list[str]:
    # By their numbers: titles are the model's words, and may be the student's, and this is said outside the data.
    empty = [
        f"Section {number} has no spoken words; write them or drop the section."
        for number, section in enumerate(draft.sections, start=1)
        if not spoken_words(section.content)
    ]
    return empty + [
        f"Sections {first} and {second} say the same; keep one of them."
        for first, second in _repeated([section.content for section in draft.sections])
    ]


def _repeated(contents: Sequence[str]) -> list[tuple[int, int]]:
    words = enumerate((content.casefold().split() for content in contents), start=1)
    return [
        (first, second) for (first, one), (second, other) in itertools.combinations(words, 2) if one == other
    ]
