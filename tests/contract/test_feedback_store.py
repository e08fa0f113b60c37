"""What every store does with feedback."""

from datetime import timedelta
from typing import Any

from tests.contract.stores import NOON, Stores

DAY = timedelta(days=1)


def opinion(**changes: Any) -> dict[str, Any]:
    """Feedback as it is kept."""
    return {
        "request_id": "request-1",
        "rating": 4,
        "comment": "The skateboard helped: «très bien» 🛹",
        "student_ref": "a1b2",
        "mode": "live",
        "prompt_version": "v7",
        "created_at": NOON,
        "expires_at": NOON + 30 * DAY,
        **changes,
    }


def test_feedback_is_kept_as_it_was_given(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        feedback = stores.feedback()
        bare = opinion(comment=None, student_ref=None, mode=None, prompt_version=None)

        # When
        await feedback.keep("request-1", opinion())
        await feedback.keep("request-2", bare)

        # Then
        assert await stores.kept_feedback() == {"request-1": opinion(), "request-2": bare}

    stores.run(scenario)


def test_of_two_opinions_on_a_request_the_latest_remains_and_nothing_of_the_other(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        feedback = stores.feedback()
        await feedback.keep("request-1", opinion(note="only here"))

        # When
        await feedback.keep("request-1", opinion(rating=1, comment=None))

        # Then
        assert await stores.kept_feedback() == {"request-1": opinion(rating=1, comment=None)}

    stores.run(scenario)


def test_feedback_that_is_kept_twice_is_kept_once(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: the answer to the first write may have been lost
        feedback = stores.feedback()

        # When
        for _ in range(2):
            await feedback.keep("request-1", opinion())

        # Then
        assert await stores.kept_feedback() == {"request-1": opinion()}

    stores.run(scenario)


def test_feedback_is_no_result(stores: Stores) -> None:
    async def scenario() -> None:
        # When
        await stores.feedback().keep("request-1", opinion())

        # Then
        assert await stores.reader().get("request-1") is None

    stores.run(scenario)
