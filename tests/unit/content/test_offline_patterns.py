import re
import tomllib
from pathlib import Path

import pytest

import services.content
from services.content.catalog.spelling import sound_of
from services.content.catalog.words import content_words, tokens
from services.content.offline import cues
from services.content.tables import Pattern, read_patterns

FILES = Path(services.content.__file__).parent


def plain(text: str) -> str:
    return cues._plain(text)


def patterns(name: str) -> list[Pattern]:
    return [pattern for of in read_patterns("services.content.offline", name).values() for pattern in of]


def rows(path: str, name: str) -> list[dict[str, str]]:
    table: dict[str, list[dict[str, str]]] = tomllib.loads((FILES / path).read_text(encoding="utf-8"))
    return table[name]


@pytest.mark.parametrize("pattern", patterns("chat.toml"), ids=lambda pattern: pattern.example)
def test_every_pattern_of_chat_finds_its_example_and_makes_it_chat(pattern: Pattern) -> None:
    # Given / When / Then
    assert pattern.regex.search(plain(pattern.example))
    assert cues.chat_signs(pattern.example) > 0


def test_most_patterns_of_chat_are_the_only_ones_to_find_their_example() -> None:
    # Given
    everything = patterns("chat.toml")

    # When
    alone = [
        one
        for one in everything
        if sum(bool(other.regex.search(plain(one.example))) for other in everything) == 1
    ]

    # Then
    assert len(alone) >= 0.7 * len(everything)


@pytest.mark.parametrize("pattern", patterns("wording.toml"), ids=lambda pattern: pattern.example)
def test_every_pattern_of_wording_finds_its_example(pattern: Pattern) -> None:
    # Given / When / Then
    assert pattern.regex.search(pattern.example)


@pytest.mark.parametrize("kind", ["definition", "pointing", "part_of_exercise", "statement"])
def test_examples_of_one_kind_of_wording_are_found_by_their_own_pattern_only(kind: str) -> None:
    # Given
    own = [pattern for pattern in patterns("wording.toml") if pattern.kind == kind]

    # When
    found = [
        (one.example, other.regex.pattern)
        for one in own
        for other in own
        if other is not one and other.regex.search(one.example)
    ]

    # Then
    assert found == []


@pytest.mark.parametrize("row", rows("offline/subjects.toml", "phrase"), ids=lambda row: row["example"])
def test_every_phrase_for_a_subject_names_it(row: dict[str, str]) -> None:
    # Given / When / Then
    assert re.search(row["pattern"], row["example"])
    assert cues.named_subject(f"help with {row['example']}") is not None


@pytest.mark.parametrize("row", rows("catalog/words.toml", "notation"), ids=lambda row: row["example"])
def test_every_notation_finds_its_example_and_changes_it(row: dict[str, str]) -> None:
    # Given / When / Then
    assert row["sign"] in row["example"]
    assert re.search(row["pattern"], row["example"])
    assert tokens(row["example"]) != re.findall(r"[a-z0-9]+", row["example"])


@pytest.mark.parametrize("row", rows("catalog/words.toml", "asking"), ids=lambda row: row["example"])
def test_asking_for_a_meaning_is_not_the_mean(row: dict[str, str]) -> None:
    # Given / When / Then
    assert re.search(row["pattern"], row["example"])
    assert "mean" not in content_words(row["example"])


@pytest.mark.parametrize("row", rows("catalog/spelling.toml", "rule"), ids=lambda row: row["example"])
def test_every_rule_of_spelling_finds_its_example(row: dict[str, str]) -> None:
    # Given / When / Then
    assert re.search(row["pattern"], row["example"])
    assert sound_of(row["example"]) != row["example"]


def test_words_of_free_time_and_of_tasks_are_lower_case_and_tell_nothing() -> None:
    # Given / When / Then
    assert cues.telling_words("the results of question 4 and the formula") == []
    assert all(word == word.lower() for kind in ("leisure", "task") for word in cues._words(kind))
