import pytest

from services.content.models import DraftSection, ScriptDraft
from services.content.quality import (
    count_syllables,
    reading_grade,
    report,
    script_problems,
    script_words,
    spoken_words,
    target_words,
    time_script,
)


def a_draft(*contents: str, hook: str = "Look at this ball.", **fields: object) -> ScriptDraft:
    sections = [DraftSection(title=f"Part {number}", content=text) for number, text in enumerate(contents, 1)]
    values: dict[str, object] = {
        "title": "A title",
        "hook": hook,
        "key_takeaways": ["One.", "Two."],
        **fields,
    }
    return ScriptDraft.model_validate({"sections": [section.model_dump() for section in sections], **values})


def some_words(count: int, word: str = "word") -> str:
    return " ".join([word] * count) + "."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("... – !", 0),
        ("Don't stop, it's fun.", 4),
        ("A well-known 3,000 km at 1.5 speed", 7),
        ("Почему небо синее?", 3),
        ("光合作用是植物制造食物的方法吗", 9),
        ("DNA 是什么", 3),
    ],
)
def test_words_are_counted_as_they_are_spoken(text: str, words: int) -> None:
    # Given / When / Then
    assert spoken_words(text) == words


def test_the_wanted_length_follows_the_duration() -> None:
    # Given / When / Then
    assert [target_words(seconds) for seconds in (30, 180, 600)] == [75, 450, 1500]


def test_all_spoken_parts_count() -> None:
    # Given
    draft = a_draft(some_words(10), some_words(20), hook=some_words(5))

    # When / Then
    assert script_words(draft) == 35


def test_durations_add_up_and_the_hook_is_spoken_in_the_first_section() -> None:
    # Given
    draft = a_draft(some_words(50), some_words(25), hook=some_words(25))

    # When
    script = time_script(draft)

    # Then
    assert [section.duration_seconds for section in script.sections] == [30, 10]
    assert script.duration_seconds == 40
    assert script.sections[0].title == "Part 1"
    assert script.key_takeaways == draft.key_takeaways


def test_every_section_lasts_at_least_a_second() -> None:
    # Given / When
    script = time_script(a_draft(some_words(5), "Yes."))

    # Then
    assert script.sections[1].duration_seconds == 1


def test_a_script_of_the_right_length_has_no_problems() -> None:
    # Given
    draft = a_draft(some_words(40), some_words(31), hook=some_words(4))

    # When / Then
    assert script_problems(draft, duration_seconds=30) == []


@pytest.mark.parametrize(("words", "said"), [(59, "too short"), (91, "too long")])
def test_a_wrong_length_is_told_with_both_numbers(words: int, said: str) -> None:
    # Given
    draft = a_draft(some_words(words - 11), some_words(10, "more"), hook=some_words(1))

    # When
    [problem] = script_problems(draft, duration_seconds=30)

    # Then
    assert said in problem
    assert str(words) in problem
    assert "about 75" in problem


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("write to anna.lee@example.org today", "an e-mail address"),
        ("see https://example.org for more", "a web address"),
        ("see www.example.org for more", "a web address"),
        ("call +49 170 1234567 now", "a phone number"),
        ("call 555-123-4567 now", "a phone number"),
        ("call (030) 1234567 now", "a phone number"),
    ],
)
@pytest.mark.parametrize("place", ["content", "hook", "title", "key_takeaways", "visuals"])
def test_contacts_are_found_wherever_they_stand(text: str, named: str, place: str) -> None:
    # Given
    sections = [
        {"title": "One", "content": text if place == "content" else "Some words here."},
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
    problems = script_problems(draft, duration_seconds=30)

    # Then
    assert any(named in problem for problem in problems)


@pytest.mark.parametrize(
    "text",
    ["299 792 458 metres", "1,000,000,000 stars", "01001000 01100101", "from 1914-1918", "6.022 140 76"],
)
def test_large_numbers_are_no_phone_numbers(text: str) -> None:
    # Given
    draft = a_draft(f"{text} {some_words(70)}", "Other words.")

    # When / Then
    assert script_problems(draft, duration_seconds=30) == []


def test_sections_that_say_the_same_are_named() -> None:
    # Given
    draft = a_draft(some_words(36), some_words(36).capitalize().lower())

    # When
    [problem] = script_problems(draft, duration_seconds=30)

    # Then
    assert "Sections 1 and 2" in problem


def test_a_section_without_words_is_named() -> None:
    # Given
    draft = a_draft(some_words(71), "...")

    # When
    [problem] = script_problems(draft, duration_seconds=30)

    # Then
    assert "Section 2 has no spoken words" in problem


def test_the_report_measures_a_script() -> None:
    # Given
    script = time_script(a_draft(some_words(40), some_words(46, "cat"), hook=some_words(4)))

    # When
    measured = report(script, duration_seconds=30, grade_level=6)

    # Then
    assert measured.spoken_words == 90
    assert measured.length_ratio == 1.2
    assert measured.notes == []


def test_a_script_far_above_the_students_grade_is_noted() -> None:
    # Given
    hard = "Electromagnetic phenomena necessitate sophisticated mathematical representations of continuous fields"
    script = time_script(a_draft(hard, hard, hook=hard))

    # When
    measured = report(script, duration_seconds=30, grade_level=3)

    # Then
    assert measured.reading_grade > 5
    assert measured.notes == [f"It reads like grade {measured.reading_grade:g}; the student is in grade 3."]


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("cat", 1),
        ("cake", 1),
        ("table", 2),
        ("energy", 3),
        ("asked", 1),
        ("wanted", 2),
        ("see", 1),
        ("the", 1),
    ],
)
def test_syllables_are_counted(word: str, syllables: int) -> None:
    # Given / When / Then
    assert count_syllables(word) == syllables


def test_long_words_and_sentences_read_harder() -> None:
    # Given
    easy = "The cat sat on the mat. It was a big cat."
    hard = "Photosynthetic organisms systematically transform electromagnetic radiation into chemical potential energy."

    # When / Then
    assert reading_grade(easy) < 3
    assert reading_grade(hard) > 15
    assert reading_grade("光合作用是什么") == 0.0
