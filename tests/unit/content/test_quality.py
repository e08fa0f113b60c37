import unicodedata

import pytest

from services.content.models import DraftSection, ScriptDraft
from services.content.quality import (
    count_syllables,
    flesch_kincaid,
    reading_grade,
    spoken_words,
    target_words,
    time_script,
)
from services.content.script_rules import Wanted, judge


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
        ("प्रकाश संश्लेषण वह प्रक्रिया है जिसमें पौधे भोजन बनाते हैं।", 10),
        ("সালোকসংশ্লেষণ এমন একটি প্রক্রিয়া", 4),
        ("தாவரங்கள் சூரிய ஒளியில் இருந்து உணவை உருவாக்கும்", 6),
        ("ප්‍රභාසංශ්ලේෂණය යනු ක්‍රියාවලියකි", 3),
        ("الضَّوْءُ يَنْتَقِلُ فِي خُطُوطٍ مُسْتَقِيمَةٍ", 5),
        ("הָאוֹר נָע בְּקַוִּים יְשָׁרִים, צה״ל", 5),
        ("می‌خواهم کتاب بخوانم", 3),
        ("พืชใช้แสงอาทิตย์สร้างอาหาร", 6),
        ("พืช ใช้ แสง อาทิตย์ สร้าง อาหาร", 6),
        ("រុក្ខជាតិ ប្រើ ពន្លឺ ព្រះអាទិត្យ", 4),
        ("အပင်များသည် နေရောင်ခြည် မှ အစာ ပြုလုပ် သည်", 6),
        ("ພືດ ໃຊ້ ແສງ ແດດ ສ້າງ ອາຫານ", 6),
        ("단어는 띄어 씁니다", 3),
        ("植物は光から食べ物を作ります", 8),
        ("foto\u00adsynthese ist gut", 3),
        ("E = mc² and H₂O is 2½", 6),
        ("😀 ok 👍🏽", 1),
    ],
)
def test_words_are_counted_as_they_are_spoken(text: str, words: int) -> None:
    # Given / When / Then
    assert spoken_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "La lumière se déplace à très grande vitesse",
        "Ánh sáng là gì và nó đi nhanh như thế nào",
        "단어는 띄어 씁니다",
        "Żółw był świetny",
        "Μια φορά κι έναν καιρό",
        "Мой ёжик и йод",
    ],
)
def test_composed_and_decomposed_letters_are_the_same_words(text: str) -> None:
    # Given / When / Then
    assert spoken_words(unicodedata.normalize("NFD", text)) == spoken_words(text) == len(text.split())


@pytest.mark.parametrize(
    ("text", "language", "is_measured"),
    [
        ("The cat is on the bed. The dog is big.", "en", True),
        ("The cat is on the bed. The dog is big.", "en-US", True),
        ("El gato está en la cama. El perro es grande.", "es", False),
        ("Kucing ada di tempat tidur. Anjing itu besar.", "id", False),
        ("Кот лежит на кровати. Собака большая, а мяч мой.", "ru", False),
        ("Кот лежит на кровати. Собака большая, а мяч мой.", "en", False),
    ],
)
def test_reading_grades_are_for_english(text: str, language: str, is_measured: bool) -> None:
    # Given / When / Then
    assert (reading_grade(text, language) is not None) == is_measured


def test_the_wanted_length_follows_the_duration() -> None:
    # Given / When / Then
    assert [target_words(seconds) for seconds in (30, 180, 600)] == [75, 450, 1500]


def test_all_spoken_parts_count() -> None:
    # Given
    draft = a_draft(some_words(10), some_words(20), hook=some_words(5))

    # When / Then
    assert judge(draft, Wanted(duration_seconds=30, grade_level=6, language="en")).words == 35


def test_durations_add_up_and_the_hook_is_spoken_in_the_first_section() -> None:
    # Given
    draft = a_draft(some_words(50), some_words(25), hook=some_words(25))

    # When
    script = time_script(draft, language="de-AT")

    # Then
    assert [section.duration_seconds for section in script.sections] == [30, 10]
    assert script.duration_seconds == 40
    assert script.sections[0].title == "Part 1"
    assert script.language == "de-AT"
    assert script.key_takeaways == draft.key_takeaways


def test_every_section_lasts_at_least_a_second() -> None:
    # Given / When
    script = time_script(a_draft(some_words(5), "Yes."), language="en")

    # Then
    assert script.sections[1].duration_seconds == 1


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
    assert flesch_kincaid(easy) == 0.0
    assert (flesch_kincaid(hard) or 0) > 15
    assert flesch_kincaid("光合作用是什么") is None
