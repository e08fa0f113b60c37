import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib import resources

import pytest
from rapidfuzz import fuzz, process, utils

from services.content.catalog import LENSES, SUBJECTS, InterestEntry, Topic, load_catalog
from services.content.catalog.words import content_words
from tests.labelled import load_questions

CATALOG = load_catalog()
TOPICS = list(CATALOG.topics.values())
INTERESTS = list(CATALOG.interests.values())

# The README says what to aim at; these are the bounds, a little wider.
WORDS = {"summary": (38, 68), "example": (42, 78), "misconception": (28, 54), "try_it": (22, 48)}

each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.id)
each_interest = pytest.mark.parametrize("interest", INTERESTS, ids=lambda interest: interest.id)


def words(text: str) -> int:
    return len(text.split())


def test_the_catalogue_is_large_enough_and_covers_every_subject() -> None:
    # Given / When
    per_subject = Counter(topic.subject for topic in TOPICS)

    # Then
    assert len(TOPICS) >= 150
    assert set(per_subject) == set(SUBJECTS)
    assert min(per_subject.values()) >= 20
    assert len(INTERESTS) >= 50


def test_no_entry_hides_another_one_of_the_same_id() -> None:
    # Given
    files = resources.files("services.content.catalog").joinpath("topics").iterdir()

    # When
    listed = [topic["id"] for file in files for topic in json.loads(file.read_text(encoding="utf-8"))]

    # Then
    assert sorted(listed) == sorted(CATALOG.topics)


def test_the_catalogue_is_read_once() -> None:
    # Given / When / Then
    assert load_catalog() is load_catalog()


@each_topic
def test_a_topic_can_be_named_and_placed(topic: Topic) -> None:
    # Given
    low, high = topic.grades

    # Then
    assert re.fullmatch(rf"{topic.subject}\.[a-z0-9_]+", topic.id)
    assert 1 <= low <= high <= 12
    assert 2 <= len(topic.lenses) <= 3
    assert set(topic.lenses) <= set(LENSES)
    assert 2 <= len(topic.related) <= 4
    assert topic.id not in topic.related
    assert all(other in CATALOG.topics for other in topic.related)


@each_topic
def test_a_topic_has_the_texts_a_script_is_made_of(topic: Topic) -> None:
    # Then
    assert len(topic.key_facts) == 3
    assert all(15 <= words(fact) <= 38 for fact in topic.key_facts)
    for field, (least, most) in WORDS.items():
        assert least <= words(getattr(topic, field)) <= most, field
    assert topic.misconception.startswith("A common mistake is")


@each_topic
def test_a_topic_can_be_found_by_what_people_type(topic: Topic) -> None:
    # Given
    typed = [*topic.keywords, *topic.asked_as, *topic.everyday]

    # Then
    assert 10 <= len(topic.keywords) <= 20
    assert 6 <= len(topic.asked_as) <= 10
    assert 20 <= len(topic.everyday) <= 200
    assert all(text == text.lower().strip() and text for text in typed)
    assert len(set(topic.everyday)) == len(topic.everyday)
    assert len(topic.typed) >= 10
    assert len(set(topic.typed)) == len(topic.typed)


@each_interest
def test_an_interest_has_moments_for_many_ideas(interest: InterestEntry) -> None:
    # Given
    lenses = [scene.lens for scene in interest.scenes]

    # Then
    assert len(lenses) >= 6
    assert len(set(lenses)) == len(lenses)
    assert set(lenses) <= set(LENSES)
    assert all(18 <= words(scene.scene) <= 38 for scene in interest.scenes)
    assert all(10 <= words(scene.link) <= 28 for scene in interest.scenes)


@each_interest
def test_an_interest_has_enough_other_names(interest: InterestEntry) -> None:
    # Then
    assert 5 <= len(interest.aliases) <= 15
    assert all(alias == alias.lower() for alias in interest.aliases)


def test_no_name_belongs_to_two_interests() -> None:
    # Given
    names = [name for entry in INTERESTS for name in {entry.name.lower(), *entry.aliases}]

    # When
    shared = [name for name, times in Counter(names).items() if times > 1]

    # Then
    assert shared == []


def test_the_catalogue_was_not_written_from_the_questions_that_measure_it() -> None:
    # Given
    questions = [
        q.question
        for q in load_questions()
        # The later ones were written by who had not seen these texts, when most of them were there: what is alike is so
        # by chance. For `calibration` that is not the whole truth, and `tests/labelled.py` says so.
        if q.split in ("tune", "seen") and len(content(q.question).split()) > 1
    ]
    typed = [
        text
        for topic in TOPICS
        for text in (*topic.asked_as, *topic.everyday, *topic.typed)
        if words(text) > 3
    ]

    # When
    copied = [
        *alike([content(text) for text in typed], [content(question) for question in questions]),
        *alike([in_order(text) for text in typed], [in_order(question) for question in questions]),
    ]

    # Then
    assert copied == []


def content(text: str) -> str:
    """The telling words in a fixed order; small words would make all short questions look alike."""
    return " ".join(sorted(set(content_words(text))))


def in_order(text: str) -> str:
    """All words in a fixed order, whatever their case and what stands between them."""
    return " ".join(sorted(utils.default_process(text).split()))


def alike(texts: Sequence[str], others: Sequence[str]) -> list[str]:
    """The texts that are almost one of the others."""
    return [
        text
        for text in texts
        if any(
            score > 90
            for _, score, _ in process.extract_iter(text, others, scorer=fuzz.ratio, score_cutoff=90)
        )
    ]
