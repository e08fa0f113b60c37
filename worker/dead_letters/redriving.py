"""Sends dead-lettered messages to the worker again: first what would be sent is decided, then it is sent.

A message is published before its dead letter is acked, so that nothing is lost in between; what is then sent twice is
answered once, because its request id is the idempotency key.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from services.errors import MessageDecodeError, PermanentError
from services.messaging.port import Message, MessagePublisher
from worker.dead_letters.groups import BACKSTOP_PREFIX, Letter
from worker.dead_letters.review import Review
from worker.messages import decode
from worker.rate import RateLimit

REASON_ATTRIBUTES = frozenset(
    {
        "error_kind",
        "error_stage",
        "error_message",
        "fingerprint",
        "attempts",
        "cost_usd",
        "dead_lettered_at",
        "source_message_id",
        "source_publish_time",
        "request_id",
    }
)
"""What a dead letter carries beside the message's own attributes; see `worker.dead_letters.letter`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redrive:
    """One message to be sent again with this body. It stays a dead letter where there is an `obstacle`.

    `message_id` is the id under which it was sent, None as long as it was not.
    """

    letter: Letter
    data: bytes
    obstacle: str = ""
    message_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which letters: those with this fingerprint, or those that are named; all where neither is given."""

    fingerprint: str | None = None
    names: Sequence[str] = ()

    def of(self, letters: Sequence[Letter]) -> Sequence[Letter]:
        """The letters that are chosen."""
        if self.fingerprint is not None:
            return [letter for letter in letters if letter.cause.fingerprint == self.fingerprint]
        if self.names:
            return [letter for letter in letters if any(map(letter.is_named, self.names))]
        return letters

    def missing(self, letters: Sequence[Letter]) -> Sequence[str]:
        """The names, or the fingerprint, for which there is no letter."""
        if self.fingerprint is not None:
            return [] if self.of(letters) else [self.fingerprint]
        return [name for name in self.names if not any(letter.is_named(name) for letter in letters)]


def plans_of(
    letters: Sequence[Letter], *, changes: Mapping[str, Any], limit: int | None = None
) -> Sequence[Redrive]:
    """A plan for each letter, in their order; those without an obstacle come first, at most `limit` of them."""
    plans = [plan(letter, changes=changes) for letter in letters]
    unhindered = [planned for planned in plans if not planned.obstacle]
    return unhindered[:limit] + [planned for planned in plans if planned.obstacle]


def plan(letter: Letter, *, changes: Mapping[str, Any]) -> Redrive:
    """What would be sent for this letter, with `changes` made to the fields of its message.

    Obstacles are bodies that cannot be changed, and messages that the worker would refuse again.
    """
    data = letter.newest.data
    if changes:
        fields = _json_object(data)
        if fields is None:
            return Redrive(
                letter=letter, data=data, obstacle="its body is no JSON object, nothing can be set"
            )
        data = json.dumps({**fields, **changes}).encode()
    try:
        decode(data)
    except MessageDecodeError as error:
        return Redrive(letter=letter, data=data, obstacle=f"it would fail again: {error.message}")
    return Redrive(letter=letter, data=data)


def message_of(redrive: Redrive, *, now: datetime) -> Message:
    """The message to publish: its own, and where it comes from in place of the reason why it failed."""
    letter = redrive.letter
    attributes = letter.newest.attributes
    own = {
        name: value
        for name, value in attributes.items()
        if name not in REASON_ATTRIBUTES and not name.startswith(BACKSTOP_PREFIX)
    }
    lineage = {
        "redrive_count": str(letter.redrives + 1),
        "redriven_from": letter.source_message_id,
        "first_message_id": attributes.get("first_message_id", letter.source_message_id),
        "redriven_at": now.isoformat(),
    }
    # The lineage stands first: of a message with very many attributes a dead letter keeps the first ones.
    return Message(
        data=redrive.data,
        attributes={**lineage, **own, **lineage},
        ordering_key=letter.newest.ordering_key,
    )


class Redriver:
    """Publishes messages on the worker's topic again and takes their dead letters away."""

    def __init__(
        self,
        *,
        review: Review,
        publisher: MessagePublisher,
        topic: str,
        rate: RateLimit,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._review = review
        self._publisher = publisher
        self._topic = topic
        self._rate = rate
        self._now = now

    async def redrive(self, planned: Redrive) -> Redrive:
        """Send one message, unless there is an obstacle; then ack all copies of its dead letter.

        Raises `QueueUnavailable` and `ConfigurationError`; the dead letter is then still there.
        """
        if planned.obstacle:
            return planned
        await self._rate.wait()
        try:
            (message_id,) = await self._publisher.publish(self._topic, [message_of(planned, now=self._now())])
        except PermanentError as error:
            return replace(planned, obstacle=error.message)
        for copy in planned.letter.copies:
            await self._review.take_away(copy)
        return replace(planned, message_id=message_id)


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        fields = from_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
