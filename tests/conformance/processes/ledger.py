"""Notices results that are written a second time."""

from collections.abc import Mapping
from datetime import datetime

from tests.conformance.processes.cloud import Result


class Ledger:
    """Remembers when each finished result was written; Firestore's own time of writing changes with every write."""

    def __init__(self) -> None:
        self._written_at: dict[str, datetime] = {}
        self.rewritten: set[str] = set()

    def see(self, finished: Mapping[str, Result]) -> None:
        """Look at the finished results once more."""
        for key, result in finished.items():
            if self._written_at.setdefault(key, result.written_at) != result.written_at:
                self.rewritten.add(key)
