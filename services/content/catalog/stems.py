"""Word stems, as SQLite's full-text search makes them."""

import sqlite3
import weakref
from collections.abc import Sequence

MOST_REMEMBERED = 20_000
"""Words whose stems are kept; far more than the catalogue has, so that only a flood of nonsense is forgotten."""


class Stemmer:
    """Porter stems by the tokenizer of the index itself, so that both always agree on what a word is."""

    def __init__(self) -> None:
        # Calls are short and the connection is private; SQLite itself serialises threads that share it.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._db.close)
        self._db.executescript(
            """
            CREATE VIRTUAL TABLE scratch USING fts5(words, tokenize='porter unicode61');
            CREATE VIRTUAL TABLE terms USING fts5vocab(scratch, instance);
            """
        )
        self._known: dict[str, str] = {}

    def stems(self, words: Sequence[str]) -> list[str]:
        """The stem of each word; words are as `words.tokens` makes them."""
        unknown = [word for word in dict.fromkeys(words) if word not in self._known]
        if unknown:
            self._learn(unknown)
        return [self._known[word] for word in words]

    def _learn(self, words: Sequence[str]) -> None:
        if len(self._known) + len(words) > MOST_REMEMBERED:
            self._known.clear()
        self._db.execute("DELETE FROM scratch")
        self._db.execute("INSERT INTO scratch(words) VALUES (?)", (" ".join(words),))
        found = self._db.execute("SELECT term FROM terms ORDER BY offset")
        self._known.update(zip(words, (term for (term,) in found), strict=True))
