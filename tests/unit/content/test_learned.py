"""What a message's words say about its topic, by weights that were learned."""

import pytest

from services.content.catalog import load_catalog
from services.content.catalog.learned import MOST_FEATURES, SCALE, Learned, features_of, load_learned
from services.content.catalog.vocabulary import Term


def learned(**features: str) -> Learned:
    return Learned(topics=("ears", "planes"), biases=(-100, -50), features=features)


def term(stem: str) -> Term:
    return Term(word=stem, stem=stem, weight=1.0, known=True)


def test_a_word_speaks_for_one_topic_and_against_another() -> None:
    # Given a word that is known from questions about ears
    weights = learned(pop="300 0:80 1:-20")

    # When a message has it
    scores = weights.scores(["pop"])

    # Then each topic's score is what the word says and the topic's own bias
    assert scores == pytest.approx({"ears": 0.8 - 1.0, "planes": -0.2 - 0.5})


def test_rare_words_count_more_than_common_ones_whatever_the_length_of_the_message() -> None:
    # Given a rare word for one topic and a common one for the other
    weights = learned(eardrum="400 0:100", why="100 1:100")

    # When
    once, twice = weights.scores(["eardrum", "why"]), weights.scores(["eardrum", "why", "unheard", "of"])

    # Then the rare one is heard, and words that nobody has used before change nothing
    assert once["ears"] - weights.biases[0] / SCALE > once["planes"] - weights.biases[1] / SCALE
    assert once == twice


def test_a_message_without_a_known_word_says_no_more_than_that_a_topic_is_common() -> None:
    # Then
    assert learned().scores(["xylograph"]) == {"ears": -1.0, "planes": -0.5}


def test_an_endless_message_is_read_to_a_bound() -> None:
    # Given a word that comes after very many others
    weights = learned(pop="300 0:80")

    # When
    scores = weights.scores([*(f"w{number}" for number in range(MOST_FEATURES)), "pop"])

    # Then
    assert scores["ears"] == -1.0


def test_words_count_as_the_catalogue_reads_them_and_as_they_are_typed() -> None:
    # When
    features = features_of("Y do my ears pop", [term("ear"), term("pop")])

    # Then small words tell, too, and so do words in a row
    assert features == [
        *("ear", "pop", "ear pop"),
        *("_why", "_do", "_my", "_ears", "_pop", "_why _do", "_do _my", "_my _ears", "_ears _pop"),
    ]


def test_the_weights_are_of_the_topics_that_there_are() -> None:
    # Then scripts/calibrate was run after the last topic had come
    assert set(load_learned().topics) == set(load_catalog().topics)
    assert len(load_learned().topics) == len(load_learned().biases)


def test_every_line_of_the_weights_can_be_read() -> None:
    # When
    weights = load_learned()

    # Then
    for line in weights.features.values():
        rarity, *entries = line.split(" ")
        assert int(rarity) > 0
        for entry in entries:
            topic, weight = map(int, entry.split(":"))
            assert 0 <= topic < len(weights.topics)
            assert weight != 0
