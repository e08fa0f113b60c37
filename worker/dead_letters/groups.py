"""Dead letters as a person wants to see them: each message once, and together those that failed for the same cause.

Whoever may publish on the dead-letter topic decides what its attributes say, so nothing here relies on them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from services.messaging.port import Delivery

# What Pub/Sub itself adds when a message has come too often: https://cloud.google.com/pubsub/docs/handling-failures
BACKSTOP_PREFIX = "CloudPubSubDeadLetterSource"

_ABSURD_COST_USD = Decimal(10**9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Why messages failed. `fingerprint` is the same for the same cause."""

    fingerprint: str
    stage: str
    kind: str
    text: str


DELIVERY_LIMIT = Cause(
    fingerprint="delivery_limit",
    stage="queue",
    kind="delivery_limit",
    text=(
        "The queue gave up, because the message had come as often as the subscription allows and was never settled. "
        "Look in the worker's logs for message.crashed, for workers that were killed in the middle of their work, and "
        "for long outages: run.ending or message.settled with the reason no_answer, store_unavailable or "
        "queue_unavailable. After an outage the message is sound: redrive it."
    ),
)
UNEXPLAINED = Cause(
    fingerprint="unexplained",
    stage="unknown",
    kind="unexplained",
    text="The dead letter carries no reason; it was not written by this worker.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One message that was dead-lettered, however many copies of its dead letter there are (the newest comes last).

    `cost_usd` is what was spent on it in vain, None where that is not known. `redrives` counts how often it had been
    sent again before it failed this time.
    """

    copies: Sequence[Delivery]
    source_message_id: str
    request_id: str | None
    cause: Cause
    seen_at: datetime
    attempts: int | None
    cost_usd: Decimal | None
    redrives: int

    @property
    def newest(self) -> Delivery:
        """The copy that tells what happened last."""
        return self.copies[-1]

    def is_named(self, name: str) -> bool:
        """Whether `name` is the message's own id, its request id, or the id of one of its dead letters."""
        return name in {self.source_message_id, self.request_id, *(copy.message_id for copy in self.copies)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Letters with the same cause, the newest last; `cause` is told in the words of the newest."""

    cause: Cause
    letters: Sequence[Letter]

    @property
    def first_seen(self) -> datetime:
        """When the oldest of them was dead-lettered."""
        return self.letters[0].seen_at

    @property
    def last_seen(self) -> datetime:
        """When the newest of them was dead-lettered."""
        return self.letters[-1].seen_at

    @property
    def attempts(self) -> int | None:
        """The most attempts that any of them took; None when no letter says."""
        return max((letter.attempts for letter in self.letters if letter.attempts is not None), default=None)

    @property
    def cost_usd(self) -> Decimal:
        """What is known to have been spent on them."""
        return sum((letter.cost_usd for letter in self.letters if letter.cost_usd is not None), Decimal(0))

    @property
    def cost_is_complete(self) -> bool:
        """Whether `cost_usd` is all of it."""
        return all(letter.cost_usd is not None for letter in self.letters)


def letters_of(deliveries: Iterable[Delivery]) -> list[Letter]:
    """The messages behind these dead letters, the newest last. A message may have been dead-lettered twice."""
    copies: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        copies.setdefault(_source_message_id(delivery), []).append(delivery)
    return sorted(map(_letter, copies.values()), key=lambda letter: letter.seen_at)


def groups_of(letters: Iterable[Letter]) -> list[Group]:
    """Letters by fingerprint, the largest group first and then the one seen last. Expects the newest letter last."""
    by_fingerprint: dict[str, list[Letter]] = {}
    for letter in letters:
        by_fingerprint.setdefault(letter.cause.fingerprint, []).append(letter)
    groups = [Group(cause=same[-1].cause, letters=same) for same in by_fingerprint.values()]
    return sorted(groups, key=lambda group: (len(group.letters), group.last_seen), reverse=True)


def cause_of(attributes: Mapping[str, str]) -> Cause:
    """Why the message with these attributes is a dead letter."""
    if fingerprint := attributes.get("fingerprint"):
        return Cause(
            fingerprint=fingerprint,
            stage=attributes.get("error_stage", ""),
            kind=attributes.get("error_kind", ""),
            text=attributes.get("error_message", ""),
        )
    if any(name.startswith(BACKSTOP_PREFIX) for name in attributes):
        return DELIVERY_LIMIT
    return UNEXPLAINED


def _letter(copies: Iterable[Delivery]) -> Letter:
    in_order = sorted(copies, key=_seen_at)
    newest = in_order[-1]
    attributes = newest.attributes
    return Letter(
        copies=in_order,
        source_message_id=_source_message_id(newest),
        request_id=attributes.get("request_id"),
        cause=cause_of(attributes),
        seen_at=_seen_at(newest),
        attempts=_count(attributes.get("attempts")),
        cost_usd=_cost(attributes.get("cost_usd")),
        redrives=_count(attributes.get("redrive_count")) or 0,
    )


def _source_message_id(delivery: Delivery) -> str:
    return delivery.attributes.get("source_message_id") or delivery.message_id


def _seen_at(delivery: Delivery) -> datetime:
    try:
        written = datetime.fromisoformat(delivery.attributes.get("dead_lettered_at", ""))
        return written.astimezone(UTC) if written.tzinfo else delivery.publish_time
    except (ValueError, OverflowError):
        return delivery.publish_time


def _count(text: str | None) -> int | None:
    try:
        return max(0, int(text or ""))
    except ValueError:
        return None


def _cost(text: str | None) -> Decimal | None:
    try:
        cost = Decimal(text or "")
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and 0 <= cost < _ABSURD_COST_USD else None
