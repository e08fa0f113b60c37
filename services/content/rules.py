"""The rules for what answers say, and the class of each; `services/generation/rules.py` says what the classes mean.

What is *unsafe* is never used. What is *unusable* says nothing. All other rules are about how good an answer is, and an
answer that breaks them is *imperfect*: it is asked for once more, and the better of the two is used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.content.models import Check
from services.content.safety import contacts_in, screen
from services.generation.rules import Problem, Severity

RULES: Mapping[str, Severity] = {
    "contacts": "unsafe",
    "screened": "unsafe",
    "spoken_words": "unusable",
    "loop": "unusable",
    "topic_name": "unusable",
    "length": "imperfect",
    "language": "imperfect",
    "reading_grade": "imperfect",
    "sections": "imperfect",
    "empty_sections": "imperfect",
    "repeated_sections": "imperfect",
    "key_takeaways": "imperfect",
    "clarifying_questions": "imperfect",
    "analogies": "imperfect",
}

Figure = int | float | str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one rule finds in an answer.

    `figure` is what was measured and `threshold` what was allowed: the most, or where the rule is "at least" the least,
    of a number, and the value itself of anything else; None where it could not be judged. `sentence` tells the model
    what is wrong, `badness` is as `Problem` has it.
    """

    rule: str
    passed: bool
    figure: Figure = None
    threshold: Figure = None
    sentence: str = ""
    badness: float = 1.0


def problems_of(findings: Iterable[Finding]) -> list[Problem]:
    """The rules that were found broken."""
    return [
        Problem(
            rule=finding.rule,
            sentence=finding.sentence,
            severity=RULES[finding.rule],
            badness=finding.badness,
        )
        for finding in findings
        if not finding.passed
    ]


def checks_of(findings: Iterable[Finding]) -> dict[str, Check]:
    """All rules by name, as they stand in the result; where several answers are held to one, a broken one is told."""
    return {
        finding.rule: Check(passed=finding.passed, figure=finding.figure, threshold=finding.threshold)
        for finding in sorted(findings, key=lambda finding: not finding.passed)
    }


def safety_findings(text: str) -> list[Finding]:
    """What must not be in a text that is shown to a student."""
    contacts, category = contacts_in(text), screen(text)
    return [
        Finding(
            rule="contacts",
            passed=not contacts,
            figure=len(contacts),
            threshold=0,
            sentence=f"The answer contains {' and '.join(contacts)}; leave it out.",
        ),
        Finding(
            rule="screened",
            passed=category is None,
            figure=int(category is not None),
            threshold=0,
            sentence="The answer has words in it that are not fit for a school; say it in other words.",
        ),
    ]


def at_least(rule: str, count: int, least: int, sentence: str) -> Finding:
    """A rule that wants so many of something."""
    return Finding(rule=rule, passed=count >= least, figure=count, threshold=least, sentence=sentence)
