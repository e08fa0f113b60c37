"""Since when no model answers, as one run tells the next: a document beside the paid answers, under its own key."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.generation.port import ModelRef, PaidAnswers

LIFETIME = timedelta(days=7)
"""How long a note holds after it was last written. Runs that come more rarely begin to count anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """No model answers, as far as is known since `since`.

    `met_by_message` says that a small call had not shown it: a message was the first to meet it.
    """

    since: datetime
    cause: str
    met_by_message: bool


class OutageNotes:
    """The note of everybody who asks the same ladders. Raises `StoreUnavailable`, as the answers do."""

    def __init__(
        self,
        answers: PaidAnswers,
        refs: Iterable[ModelRef],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._answers = answers
        self._now = now
        named = "\0".join(sorted({str(ref) for ref in refs}))
        # Keys of answers are digests alone, so that none is ever like it.
        self._key = f"outage-{hashlib.sha256(named.encode()).hexdigest()[:16]}"

    async def find(self) -> Outage | None:
        """What the last one who looked has left, unless models were seen to answer since."""
        document = (await self._answers.find([self._key])).get(self._key)
        if document is None:
            return None
        return Outage(
            since=document["since"], cause=document["cause"], met_by_message=document["met_by_message"]
        )

    async def keep(self, outage: Outage) -> None:
        """Leave a note for who looks next."""
        await self._write(outage, lifetime=LIFETIME)

    async def end(self, outage: Outage) -> None:
        """Take the note away: it is written as one that holds no longer, which every store removes by itself."""
        await self._write(outage, lifetime=timedelta(0))

    async def _write(self, outage: Outage, *, lifetime: timedelta) -> None:
        await self._answers.keep(
            self._key,
            {
                "since": outage.since,
                "cause": outage.cause,
                "met_by_message": outage.met_by_message,
                "expires_at": self._now() + lifetime,
            },
        )
