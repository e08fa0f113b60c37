"""What the embedded store of feedback does about what has expired."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.stores import SqliteStores


@pytest.fixture
def stores(database_path: Path) -> SqliteStores:
    return SqliteStores(database_path)


def test_expired_feedback_is_removed_while_other_feedback_is_kept(stores: SqliteStores) -> None:
    async def scenario() -> None:
        # Given
        feedback, now = stores.feedback(), stores.clock.now()
        for number in range(15):
            await feedback.keep(f"old-{number}", {"expires_at": now + timedelta(days=1)})
        await feedback.keep("lasting", {"expires_at": now + timedelta(days=3)})
        await feedback.keep("for ever", {"rating": 5})
        stores.clock.advance(timedelta(days=2).total_seconds())

        # When
        for number in range(2):
            await feedback.keep(f"new-{number}", {"expires_at": now + timedelta(days=3)})

        # Then
        assert set(await stores.kept_feedback()) == {"lasting", "for ever", "new-0", "new-1"}

    stores.run(scenario)


def test_expired_feedback_that_is_given_again_stays(stores: SqliteStores) -> None:
    async def scenario() -> None:
        # Given
        feedback, later = stores.feedback(), stores.clock.now() + timedelta(days=9)
        await feedback.keep("a", {"expires_at": stores.clock.now()})

        # When
        await feedback.keep("a", {"expires_at": later})
        await feedback.keep("b", {"expires_at": later})

        # Then
        assert set(await stores.kept_feedback()) == {"a", "b"}

    stores.run(scenario)
