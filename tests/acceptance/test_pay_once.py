"""What was paid for once is not paid for again: seen from outside, by what the model was asked."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.test_google import Cloud, cloud  # noqa: F401  # the fixture
from tests.builders import message_bytes

pytestmark = pytest.mark.emulators

OPENINGS = (
    "Explain",
    "What is",
    "Please teach me",
    "Help me understand",
    "Tell me about",
    "I need a lesson on",
)
ENDINGS = ("", " please", " for tomorrow", " in simple words", " using soccer")


def wordings() -> Iterator[str]:
    """Thirty ways to ask for the same lesson."""
    for opening in OPENINGS:
        for ending in ENDINGS:
            yield f"{opening} quantum entanglement{ending}"


def stages(model: Cloud) -> Counter[str]:
    return Counter(request.stage for request in model.vertex.control.requests())


def test_thirty_students_who_ask_for_the_same_lesson_at_once_share_one_script(
    cloud: Callable[..., Cloud],  # noqa: F811  # the fixture
) -> None:
    # Given thirty students with the same interest, each with words of his own
    world = cloud(latency_seconds=0.3)
    bodies = [
        message_bytes(request_id=f"r-{number}", student_id=f"s-{number}", student_query=question)
        for number, question in enumerate(wordings())
    ]
    world.publish(*bodies)
    # When they are answered at once
    ended = world("run", "--json")
    # Then the model has written one script, and all have it
    assert ended.code == 0, ended.everything
    assert stages(world) == {"nlu": 30, "interest": 30, "script": 1}
    documents = world.documents().values()
    assert {document["status"] for document in documents} == {"completed"}
    assert len({document["script"]["hook"] for document in documents}) == 1
    # And one of them has paid for it, the others say what they saved
    paid = [document for document in documents if not document["stages"]["script"]["cached"]]
    assert len(paid) == 1
    price = paid[0]["stages"]["script"]["cost_usd"]
    saved = [document["saved_usd"] for document in documents if document is not paid[0]]
    assert price > 0
    assert saved == [pytest.approx(price)] * 29
    assert paid[0]["saved_usd"] == 0


def test_a_student_who_asks_later_and_elsewhere_finds_the_script(
    cloud: Callable[..., Cloud],  # noqa: F811  # the fixture
) -> None:
    # Given a lesson that one worker has paid for
    world = cloud()
    world.publish(message_bytes(request_id="first", student_id="s-1"))
    assert world("run").code == 0
    # When another student asks for it, and another worker answers
    world.publish(message_bytes(request_id="second", student_id="s-2"))
    assert world("run").code == 0
    # Then the same words cost nothing at all
    assert stages(world) == {"nlu": 1, "interest": 1, "script": 1}
    second = world.documents()["second"]
    assert second["cost_usd"] == 0
    assert second["saved_usd"] == pytest.approx(world.documents()["first"]["cost_usd"])
    assert all(record["cached"] for record in second["stages"].values())
