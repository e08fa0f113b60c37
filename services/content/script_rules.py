"""What a script is held to: what must not be in it, what it must have, and how well it fits the request."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.content.language import other_language, primary
from services.content.loops import repeated_share
from services.content.models import ContentRequest, QualityReport, Script, ScriptDraft
from services.content.quality import flesch_kincaid, spoken_words, target_words
from services.content.rules import Finding, at_least, checks_of, safety_findings

TOLERANCE = 0.2
"""How far the spoken length may lie from the length that was asked for, as a share of it."""

READING_GRADE_SLACK = 2
"""Spoken text may be this many grades harder than the listener's own: a voice helps, and the formula is coarse."""

LOOPED_SHARE = 0.05
"""How much of a script may go round in circles before it is of no use."""

WRONG_LANGUAGE = 5.0
"""Another language is worse than any length that a script is likely to have."""

FEWEST_SECTIONS = FEWEST_TAKEAWAYS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a request asks of its script; `language` is a BCP 47 tag."""

    duration_seconds: int
    grade_level: int
    language: str

    @classmethod
    def by(cls, request: ContentRequest) -> "Wanted":
        """What this request asks of it."""
        return cls(
            duration_seconds=request.duration_seconds,
            grade_level=request.grade_level,
            language=request.language,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptFindings:
    """What all rules find in a script, and what was measured for them. `language` is what it is in, as far as known."""

    words: int
    language: str
    reading_grade: float | None
    findings: tuple[Finding, ...]


def judge(draft: ScriptDraft, wanted: Wanted) -> ScriptFindings:
    """Hold a script to all its rules."""
    # A script is judged when it arrives, again when others share it, and when it is reported on: once is enough.
    sections = tuple((section.title, section.content, *section.visuals) for section in draft.sections)
    return _judged(draft.title, draft.hook, sections, tuple(draft.key_takeaways), wanted)


@lru_cache(maxsize=64)
def _judged(
    title: str, hook: str, sections: tuple[tuple[str, ...], ...], takeaways: tuple[str, ...], wanted: Wanted
) -> ScriptFindings:
    contents = [content for _, content, *_ in sections]
    spoken = "\n".join([hook, *contents])
    words = spoken_words(hook) + sum(map(spoken_words, contents))
    other = other_language(spoken, wanted.language)
    grade = flesch_kincaid(spoken) if primary(other or wanted.language) == "en" else None
    findings = [
        *safety_findings("\n".join([title, spoken, *takeaways, *_on_screen(sections)])),
        at_least("spoken_words", words, 1, "The script has no spoken words."),
        _loop(spoken),
        _length(words, wanted),
        _language(other, wanted),
        _reading_grade(grade, wanted),
        at_least(
            "sections",
            len(sections),
            FEWEST_SECTIONS,
            f"The script needs {FEWEST_SECTIONS} sections or more.",
        ),
        _empty_sections(contents),
        _repeated_sections(contents),
        at_least(
            "key_takeaways",
            len(takeaways),
            FEWEST_TAKEAWAYS,
            f"The script needs {FEWEST_TAKEAWAYS} key_takeaways or more.",
        ),
    ]
    return ScriptFindings(
        words=words, language=other or wanted.language, reading_grade=grade, findings=tuple(findings)
    )


def report(
    script: Script, wanted: Wanted, *, others: Sequence[Finding], notes: Sequence[str]
) -> QualityReport:
    """Measure a script that is used; the notes are for a person who looks it over.

    `script.language` is what it is in; `others` and `notes` are what was found at the stages before it.
    """
    judged = judge(script, wanted)
    return QualityReport(
        spoken_words=judged.words,
        length_ratio=round(judged.words / target_words(wanted.duration_seconds), 3),
        reading_grade=judged.reading_grade,
        notes=[*notes, *_notes(judged, script.language, wanted)],
        checks=checks_of([*others, *judged.findings]),
    )


def _notes(judged: ScriptFindings, language: str, wanted: Wanted) -> Iterator[str]:
    broken: Mapping[str, Finding] = {
        finding.rule: finding for finding in judged.findings if not finding.passed
    }
    if "reading_grade" in broken:
        yield f"It reads like grade {judged.reading_grade:g}; the student is in grade {wanted.grade_level}."
    if primary(language) != primary(wanted.language):
        yield f"It is in another language ({language}) than the one asked for ({wanted.language})."
    if "length" in broken:
        yield f"It has {judged.words} words; {target_words(wanted.duration_seconds)} were asked for."


def _on_screen(sections: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for title, _, *visuals in sections:
        yield title
        yield from visuals


def _loop(spoken: str) -> Finding:
    share = round(repeated_share(spoken), 3)
    return Finding(
        rule="loop",
        passed=share < LOOPED_SHARE,
        figure=share,
        threshold=LOOPED_SHARE,
        sentence="The script says the same words over and over. Write it anew; every sentence says something new.",
    )


def _length(words: int, wanted: Wanted) -> Finding:
    target = target_words(wanted.duration_seconds)
    off = abs(words - target) / target
    return Finding(
        rule="length",
        passed=abs(words - target) <= TOLERANCE * target,
        figure=round(off, 3),
        threshold=TOLERANCE,
        sentence=f"The spoken text (hook and sections) is too {'long' if words > target else 'short'}: it has {words} "
        f"words and should have about {target}, between {round(target * (1 - TOLERANCE))} and "
        f"{round(target * (1 + TOLERANCE))}.",
        badness=off / TOLERANCE,
    )


def _language(other: str | None, wanted: Wanted) -> Finding:
    return Finding(
        rule="language",
        passed=other is None,
        figure=other or wanted.language,
        threshold=wanted.language,
        sentence=f"The script is in the language {other}; write all of it in {wanted.language}.",
        badness=WRONG_LANGUAGE,
    )


def _reading_grade(grade: float | None, wanted: Wanted) -> Finding:
    hardest = wanted.grade_level + READING_GRADE_SLACK
    return Finding(
        rule="reading_grade",
        passed=grade is None or grade <= hardest,
        figure=grade,
        threshold=hardest,
        sentence=f"The script reads like grade {grade or 0:g} and is for grade {wanted.grade_level}: use shorter "
        "sentences and simpler words.",
        badness=1 + max(0.0, (grade or 0) - hardest) / 10,
    )


def _empty_sections(contents: Sequence[str]) -> Finding:
    # By their numbers: titles are the model's words, and may be the student's, and this is said outside the data.
    empty = [number for number, content in enumerate(contents, start=1) if not spoken_words(content)]
    return Finding(
        rule="empty_sections",
        passed=not empty,
        figure=len(empty),
        threshold=0,
        sentence=" ".join(
            f"Section {number} has no spoken words; write them or drop the section." for number in empty
        ),
        badness=len(empty),
    )


def _repeated_sections(contents: Sequence[str]) -> Finding:
    folded = enumerate((content.casefold().split() for content in contents), start=1)
    repeated = [
        (first, second)
        for (first, one), (second, other) in itertools.combinations(folded, 2)
        if one == other and one
    ]
    return Finding(
        rule="repeated_sections",
        passed=not repeated,
        figure=len(repeated),
        threshold=0,
        sentence=" ".join(
            f"Sections {first} and {second} say the same; keep one of them." for first, second in repeated
        ),
        badness=len(repeated),
    )
