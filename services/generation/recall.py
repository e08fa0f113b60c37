"""Paid answers in memory, in front of where they are kept."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.generation.port import PaidAnswers


class Recall:
    """The `PaidAnswers` of one process: remembers the answers that were asked for last, up to `size` of them.

    What is not found is not remembered: another worker may pay for it any moment.
    """

    def __init__(
        self,
        answers: PaidAnswers,
        *,
        size: int = 1000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._answers = answers
        self._size = size
        self._now = now
        self._remembered: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """As the port has it. Keys stand best first: when the best one is remembered, no other is looked for."""
        known = {key: document for key in keys if (document := self._recall(key)) is not None}
        missing = [key for key in keys if key not in known]
        if not missing or keys[0] in known:
            return known
        found = await self._answers.find(missing)
        for key, document in found.items():
            self._remember(key, document)
        return {**known, **found}

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        """As the port has it; remembered first, so that it is not lost to this process when storing it fails."""
        self._remember(key, document)
        await self._answers.keep(key, document)

    def _recall(self, key: str) -> Mapping[str, Any] | None:
        document = self._remembered.get(key)
        if document is None:
            return None
        if document["expires_at"] <= self._now():
            del self._remembered[key]
            return None
        self._remembered.move_to_end(key)
        return document

    def _remember(self, key: str, document: Mapping[str, Any]) -> None:
        self._remembered[key] = document
        self._remembered.move_to_end(key)
        if len(self._remembered) > self._size:
            self._remembered.popitem(last=False)
