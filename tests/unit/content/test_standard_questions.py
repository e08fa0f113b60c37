"""The question that tells an outage from a bad question: one for each stage, the same every time."""

import asyncio

from services.content.safety import contacts_in, screen
from services.content.standard_questions import StandardQuestions


def test_every_stage_has_a_question_of_its_own_that_the_mock_answers_too() -> None:
    # Given what the pipeline asks
    questions = asyncio.run(StandardQuestions()())
    # Then each stage is asked as students' questions are, and has an answer that keeps its rules
    assert {stage: task.stage for stage, task in questions.items()} == {
        stage: stage for stage in ("nlu", "interest", "script")
    }
    for task in questions.values():
        assert task.prompt.startswith("INPUT:")
        assert task.instructions
        assert list(task.check(task.offline())) == []


def test_it_is_harmless_and_names_nobody() -> None:
    for task in asyncio.run(StandardQuestions()()).values():
        assert screen(task.prompt) is None
        assert contacts_in(task.prompt) == []


def test_two_who_need_it_at_once_get_all_of_it() -> None:
    async def scenario() -> None:
        questions = StandardQuestions()
        for found in await asyncio.gather(questions(), questions()):
            assert len(found) == 3

    asyncio.run(scenario())
