"""What a script is held to, which class each rule belongs to, and what the result says of it."""

import pytest

from services.content.models import DraftSection, QualityReport, ScriptDraft
from services.content.quality import time_script
from services.content.rules import RULES, problems_of
from services.content.script_rules import Wanted, judge, report
from services.generation.rules import Problem, badness
from tests.emulators.vertex_script import write_script

ENGLISH = (
    "You can see the moon pull at the sea. The water comes up, and it is high for a while. Then it goes back."
)
SPANISH = "La luna tira del mar. El agua sube y está alta por un rato. Luego baja, y la playa es más grande que antes."


def words(count: int, start: int = 0) -> str:
    return " ".join(f"thing{number}" for number in range(start, start + count)) + "."


def a_draft(*contents: str, hook: str = "Look at this ball.", **fields: object) -> ScriptDraft:
    sections = [DraftSection(title=f"Part {number}", content=text) for number, text in enumerate(contents, 1)]
    values: dict[str, object] = {
        "title": "A title",
        "hook": hook,
        "key_takeaways": ["One.", "Two."],
        **fields,
    }
    return ScriptDraft.model_validate({"sections": [section.model_dump() for section in sections], **values})


def wanted(duration_seconds: int = 30, *, grade_level: int = 12, language: str = "x-none") -> Wanted:
    return Wanted(duration_seconds=duration_seconds, grade_level=grade_level, language=language)


def problems(draft: ScriptDraft, asked: Wanted | None = None) -> dict[str, Problem]:
    return {problem.rule: problem for problem in problems_of(judge(draft, asked or wanted()).findings)}


def test_a_good_script_breaks_no_rule() -> None:
    # Given / When / Then
    assert problems(a_draft(words(40), words(31, 40))) == {}


@pytest.mark.parametrize(("count", "said"), [(59, "too short"), (91, "too long")])
def test_a_wrong_length_is_told_with_both_numbers(count: int, said: str) -> None:
    # Given / When
    broken = problems(a_draft(words(count - 14), words(10, 100)))
    # Then
    assert list(broken) == ["length"]
    assert broken["length"].severity == "imperfect"
    for part in (said, str(count), "about 75", "between 60 and 90"):
        assert part in broken["length"].sentence


def test_what_is_farther_off_is_worse() -> None:
    # Given scripts that break the same rule, and one that breaks another rule, too
    a_third, thrice = a_draft(words(86), words(10, 100)), a_draft(words(211), words(10, 300))
    repeated = a_draft(words(43), words(43), words(10, 100))
    # When
    bad = [badness(problems(draft).values()) for draft in (a_third, repeated, thrice)]
    # Then
    assert bad == sorted(bad)
    assert len(set(bad)) == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("write to anna.lee@example.org today", "an e-mail address"),
        ("see https://example.org for more", "a web address"),
        ("see www.example.org for more", "a web address"),
        ("call +49 170 1234567 now", "a phone number"),
        ("call 555-123-4567 now", "a phone number"),
        ("call (030) 1234567 now", "a phone number"),
        ("how to make a bomb at home", "not fit for a school"),
    ],
)
@pytest.mark.parametrize("place", ["content", "hook", "title", "key_takeaways", "visuals", "section"])
def test_what_must_not_be_shown_is_unsafe_wherever_it_stands(text: str, named: str, place: str) -> None:
    # Given
    sections = [
        {
            "title": text if place == "section" else "One",
            "content": text if place == "content" else "Some words here.",
        },
        {"title": "Two", "content": "Other words here.", "visuals": [text] if place == "visuals" else []},
    ]
    draft = ScriptDraft.model_validate(
        {
            "title": text if place == "title" else "A title",
            "hook": text if place == "hook" else "A hook.",
            "sections": sections,
            "key_takeaways": [text if place == "key_takeaways" else "One.", "Two."],
        }
    )
    # When
    unsafe = [problem for problem in problems(draft).values() if problem.severity == "unsafe"]
    # Then
    assert len(unsafe) == 1
    assert named in unsafe[0].sentence


@pytest.mark.parametrize(
    "text",
    ["299 792 458 metres", "1,000,000,000 stars", "01001000 01100101", "from 1914-1918", "6.022 140 76"],
)
def test_large_numbers_are_no_phone_numbers(text: str) -> None:
    # Given / When / Then
    assert problems(a_draft(f"{text} {words(66)}", "Other words.")) == {}


def test_sections_that_say_the_same_are_named_and_can_be_used() -> None:
    # Given / When
    broken = problems(a_draft(words(36), words(36).upper()))
    # Then
    assert list(broken) == ["repeated_sections"]
    assert "Sections 1 and 2" in broken["repeated_sections"].sentence
    assert broken["repeated_sections"].severity == "imperfect"


def test_a_section_without_words_is_named_and_a_script_without_any_is_of_no_use() -> None:
    # Given / When
    broken = problems(a_draft(words(71), "..."))
    # Then
    assert "Section 2 has no spoken words" in broken["empty_sections"].sentence
    assert problems(a_draft("...", "– !", hook="?!"))["spoken_words"].severity == "unusable"


def test_too_few_parts_are_an_imperfection() -> None:
    # Given / When
    broken = problems(a_draft(words(71), key_takeaways=["One."]))
    # Then
    assert list(broken) == ["sections", "key_takeaways"]


def test_a_loop_is_of_no_use() -> None:
    # Given each section one sentence over and over
    draft = a_draft(*(" ".join([f"Plants number {k} make food."] * 20) for k in range(4)))
    # When / Then
    assert problems(draft, wanted(160))["loop"].severity == "unusable"


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [(ENGLISH, "es", "en"), (ENGLISH, "pt-BR", "en"), (SPANISH, "en", "es"), (ENGLISH, "hi", "en")],
)
def test_another_language_is_an_imperfection_and_named(text: str, asked: str, found: str) -> None:
    # Given / When
    judged = judge(a_draft(text, hook=text), wanted(language=asked))
    problem = next(problem for problem in problems_of(judged.findings) if problem.rule == "language")
    # Then
    assert problem.severity == "imperfect"
    assert f"in {asked}" in problem.sentence
    assert judged.language == found


@pytest.mark.parametrize(("text", "asked"), [(ENGLISH, "en"), (ENGLISH, "en-GB"), (SPANISH, "es-MX")])
def test_the_language_asked_for_keeps_its_tag(text: str, asked: str) -> None:
    # Given / When
    judged = judge(a_draft(text, hook=text), wanted(language=asked))
    # Then
    assert judged.language == asked
    assert "language" not in {problem.rule for problem in problems_of(judged.findings)}


def test_a_script_far_above_the_students_grade_is_an_imperfection() -> None:
    # Given
    hard = "Electromagnetic phenomena necessitate sophisticated mathematical representations of the fields in it."
    draft = a_draft(hard, hook=hard)
    # When / Then
    assert problems(draft, wanted(grade_level=3, language="en"))["reading_grade"].severity == "imperfect"
    # And where it is not in the language asked for, that is what is wrong with it, and it is measured all the same
    assert {"reading_grade", "language"} <= problems(draft, wanted(grade_level=3, language="hi")).keys()


def measured(draft: ScriptDraft, asked: Wanted, *, language: str = "en") -> QualityReport:
    return report(time_script(draft, language=language), asked, others=[], notes=[])


def test_the_report_has_every_rule_by_its_name() -> None:
    # Given a script of a good length, and one that is a third too long
    fine = write_script(topic="tides", interest="chess", words=75)
    long = write_script(topic="tides", interest="chess", words=100)
    # When they are reported on
    asked = wanted(language="en")
    good, imperfect = (measured(ScriptDraft.model_validate(draft), asked) for draft in (fine, long))
    # Then all that is about scripts is there, passed or not
    elsewhere = {"topic_name", "clarifying_questions", "analogies"}
    assert set(good.checks) == set(imperfect.checks) == set(RULES) - elsewhere
    assert all(check.passed for check in good.checks.values())
    assert (good.spoken_words, good.length_ratio, good.notes) == (75, 1.0, [])
    assert [rule for rule, check in imperfect.checks.items() if not check.passed] == ["length"]
    length = imperfect.checks["length"]
    assert (length.passed, length.figure, length.threshold) == (False, 0.333, 0.2)
    assert imperfect.notes == ["It has 100 words; 75 were asked for."]


def test_a_reading_grade_is_there_for_english_only() -> None:
    # Given
    draft = a_draft(ENGLISH, ENGLISH.lower())
    # When / Then
    assert measured(draft, wanted(language="en")).reading_grade is not None
    assert (
        measured(a_draft(SPANISH, SPANISH.lower()), wanted(language="es"), language="es").reading_grade
        is None
    )
    hard = a_draft("Electromagnetic phenomena necessitate sophisticated representations of the fields in it.")
    report_ = measured(hard, wanted(grade_level=3, language="en"))
    assert f"It reads like grade {report_.reading_grade:g}; the student is in grade 3." in report_.notes


def test_the_language_of_a_script_is_noted_where_it_is_another_one() -> None:
    # Given / When
    noted = measured(a_draft(ENGLISH, ENGLISH.lower()), wanted(language="es"))
    # Then
    assert "It is in another language (en) than the one asked for (es)." in noted.notes
    assert noted.checks["language"].figure == "en"
    assert noted.checks["language"].threshold == "es"
