"""A new file of the embedded backend that several connections open at the same moment."""

import sqlite3
from typing import Any

import pytest

from services import embedded


class ContestedFile:
    """A connection to a file that others are switching to WAL mode: it answers with these errors, then it is free."""

    def __init__(self, *errors: int) -> None:
        self._errors = list(errors)
        self.tries = 0

    def execute(self, sql: str) -> None:
        assert sql == "PRAGMA journal_mode=WAL"
        self.tries += 1
        if self._errors:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self._errors.pop(0)
            raise error


def switch(connection: Any) -> None:
    embedded._switch_to_wal(connection)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "SWITCH_AGAIN_SECONDS", 0)


def test_a_file_that_others_switch_at_the_same_moment_is_tried_again() -> None:
    # Given
    file = ContestedFile(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY)
    # When
    switch(file)
    # Then
    assert file.tries == 3


def test_a_file_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given no time to wait for the others
    monkeypatch.setattr(embedded, "BUSY_TIMEOUT_SECONDS", -1)
    # When
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        switch(ContestedFile(sqlite3.SQLITE_BUSY))


def test_no_other_error_is_tried_again() -> None:
    file = ContestedFile(sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        switch(file)
    assert file.tries == 1
