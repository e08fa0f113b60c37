from collections import Counter

import pytest

from services.content.catalog import load_catalog
from tests.curricula import Heading, by_curriculum, covered, load_headings

CATALOG = load_catalog()
HEADINGS = load_headings()


def test_every_topic_that_a_heading_names_is_in_the_catalogue() -> None:
    # Given
    named = {topic for heading in HEADINGS for topic in heading.topics}

    # When
    unknown = named - set(CATALOG.topics)

    # Then
    assert unknown == set()


def test_no_heading_is_counted_twice() -> None:
    # Given / When
    times = Counter((heading.curriculum, heading.grades, heading.heading) for heading in HEADINGS)

    # Then
    assert [heading for heading, count in times.items() if count > 1] == []


@pytest.mark.parametrize("heading", HEADINGS, ids=lambda heading: f"{heading.curriculum}: {heading.heading}")
def test_a_heading_has_a_range_of_grades_and_names_no_topic_twice(heading: Heading) -> None:
    # Given
    low, high = heading.grades

    # Then
    assert 0 <= low <= high <= 12
    assert len(set(heading.topics)) == len(heading.topics)


@pytest.mark.parametrize("curriculum", sorted(by_curriculum(HEADINGS)))
def test_nearly_all_headings_of_each_curriculum_are_covered(curriculum: str) -> None:
    # Given
    group = by_curriculum(HEADINGS)[curriculum]

    # When
    share = covered(group)

    # Then
    assert share >= 0.95
