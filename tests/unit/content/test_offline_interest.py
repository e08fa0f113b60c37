import pytest

from services.content.catalog import Topic, load_catalog
from services.content.models import InterestMatch
from services.content.offline.interest import find_interest, match_interest_offline

CATALOG = load_catalog()
FRICTION = CATALOG.topics["physics.friction"]


def match(
    *interests: str, question: str = "why do things slide?", topic: Topic | None = FRICTION
) -> InterestMatch:
    return match_interest_offline(interests, question=question, topic=topic, catalog=CATALOG)


@pytest.mark.parametrize(
    ("called", "entry"),
    [
        ("soccer", "soccer"),
        ("Footy", "soccer"),
        ("footbal", "soccer"),
        ("I love playing Minecraft", "minecraft_building_games"),
        ("the drums", "drums"),
        ("CHESS!", "chess"),
        ("f1", "cars"),
    ],
)
def test_an_interest_is_found_by_any_name(called: str, entry: str) -> None:
    # Given / When
    found = find_interest(called, CATALOG)

    # Then
    assert found is not None
    assert found.id == entry


@pytest.mark.parametrize("called", ["my pet llama", "stamp collecting", "", "?!"])
def test_an_interest_the_catalogue_does_not_have_is_not_forced_into_one(called: str) -> None:
    # Given / When / Then
    assert find_interest(called, CATALOG) is None


def test_every_interest_is_found_by_its_own_names() -> None:
    # Given
    entries = CATALOG.interests.values()

    # When
    lost = [
        name
        for entry in entries
        for name in (entry.name, *entry.aliases)
        if find_interest(name, CATALOG) != entry
    ]

    # Then
    assert lost == []


def test_the_moments_show_the_topics_ideas() -> None:
    # Given
    lenses = {scene.scene: scene.lens for scene in CATALOG.interests["soccer"].scenes}

    # When
    found = match("soccer")

    # Then
    assert found.name == "soccer"
    assert lenses[found.analogies[0]] == FRICTION.lenses[0]
    assert {lenses[analogy] for analogy in found.analogies} <= set(FRICTION.lenses)
    assert found.confidence > 0.7


def test_the_interest_with_the_better_moments_wins() -> None:
    # Given
    weak = next(e for e in CATALOG.interests.values() if FRICTION.lenses[0] not in {s.lens for s in e.scenes})

    # When
    found = match(weak.name, "soccer")

    # Then
    assert found.name == "soccer"


def test_of_equally_good_interests_the_first_one_named_wins() -> None:
    # Given / When / Then
    assert match("skateboarding", "soccer").name == "skateboarding"
    assert match("soccer", "skateboarding").name == "soccer"


def test_a_known_interest_beats_an_unknown_one() -> None:
    # Given / When / Then
    assert match("my pet llama", "soccer").name == "soccer"


def test_an_unknown_interest_is_used_all_the_same() -> None:
    # Given / When
    found = match("my pet llama")

    # Then
    assert found.name == "my pet llama"
    assert all("your pet llama" in analogy for analogy in found.analogies)
    assert 1 <= len(found.analogies) <= 3


def test_without_interests_the_question_may_name_one() -> None:
    # Given / When / Then
    assert match(question="Explain quantum entanglement using soccer").name == "soccer"


def test_without_any_interest_one_is_picked_and_that_is_said() -> None:
    # Given / When
    found = match(question="why do things slide")
    again = match(question="why do things slide")
    others = {match(question=f"why do things slide {number}").name for number in range(30)}

    # Then
    assert found == again
    assert "named no interest" in found.reasoning
    assert found.confidence < 0.5
    assert len(others) > 3


def test_a_topic_outside_the_catalogue_needs_no_lenses() -> None:
    # Given / When
    found = match("chess", topic=None)

    # Then
    assert found.name == "chess"
    assert found.analogies


def test_every_topic_meets_every_interest() -> None:
    # Given
    pairs = [
        (topic, entry) for topic in CATALOG.topics.values() for entry in list(CATALOG.interests.values())[::7]
    ]

    # When
    matches = [match(entry.name, topic=topic) for topic, entry in pairs]

    # Then
    assert all(2 <= len(found.analogies) <= 3 for found in matches)
