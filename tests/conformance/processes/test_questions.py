"""Questions that every model answers, the mock as well."""

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.offline.understand import understand_offline
from tests.conformance.processes.questions import question


def test_the_mock_answers_each_of_the_questions_too() -> None:
    # Given as many of them as a scenario of the tests has
    search = TopicSearch(load_catalog())
    messages = [question(index) for index in range(120)]

    # When the mock makes out what they are about
    kinds = [
        understand_offline(
            text := message["student_query"],
            grade_level=message["grade_level"],
            candidates=search.candidates(text, grade_level=message["grade_level"]),
        ).kind
        for message in messages
    ]

    # Then no scenario has to expect that one of them is asked back
    assert kinds == ["learning"] * len(messages)
