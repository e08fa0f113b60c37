"""What the embedded store of paid answers does about those that have expired."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.answers import LIFETIME, SqliteAnswerStores


@pytest.fixture
def stores(database_path: Path) -> SqliteAnswerStores:
    return SqliteAnswerStores(database_path)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT count(*) FROM content_answers").fetchone()
        return int(found)


def test_expired_answers_are_removed_while_others_are_kept(stores: SqliteAnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = stores.answers()
        for number in range(25):
            await answers.keep(f"old-{number}", stores.document())
        stores.clock.advance(LIFETIME.total_seconds())

        # When
        for number in range(3):
            await answers.keep(f"new-{number}", stores.document())

        # Then
        assert rows(stores.path) == 3

    stores.run(scenario)


def test_an_expired_answer_that_is_kept_again_stays(stores: SqliteAnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = stores.answers()
        await answers.keep("a", stores.document())
        stores.clock.advance(LIFETIME.total_seconds())

        # When
        await answers.keep("a", stores.document())

        # Then
        assert rows(stores.path) == 1

    stores.run(scenario)
