import asyncio

from services.generation.port import Completion, Rejection, Usage
from services.generation.providers.mock import MockProvider
from tests.unit.generation.doubles import MOCK, Lesson, lesson_task


def complete(rejection: Rejection | None = None) -> Completion:
    provider = MockProvider()
    return asyncio.run(provider.complete(lesson_task(), model=MOCK, rejection=rejection, timeout=1))


def test_the_mock_gives_the_tasks_own_offline_answer_for_nothing() -> None:
    # Given a task that knows its offline answer
    # When the mock completes it
    completion = complete()
    # Then that answer is there, and no token was used
    assert Lesson.model_validate_json(completion.text) == Lesson(title="Offline", grade=5)
    assert completion.finish == "stop"
    assert completion.usage == Usage(input_tokens=0, output_tokens=0)


def test_the_mock_says_the_same_every_time() -> None:
    # Given one answer
    first = complete()
    # When the mock is asked again with a complaint
    second = complete(Rejection(text=first.text, problems=["grade: too low"]))
    # Then it is the same
    assert first == second
