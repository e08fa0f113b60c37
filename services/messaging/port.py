"""What the worker needs from a message queue. The meaning is Pub/Sub's: leases, redelivery, at least once.

Both implementations pass the same tests (`tests/contract/test_message_queue.py`). All methods raise
`QueueUnavailable` when the queue cannot be reached and `ConfigurationError` when what they name does not exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a publisher puts on a topic. Of messages with the same `ordering_key` the order matters to somebody."""

    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message under lease. `lease_id` names this delivery, not the message: a redelivery has another one.

    `attempt` counts deliveries from 1; it is 0 where the queue does not count.
    """

    message_id: str
    lease_id: str
    data: bytes
    attributes: Mapping[str, str]
    publish_time: datetime
    attempt: int
    ordering_key: str = ""


class MessageQueue(Protocol):
    """One subscription, pulled."""

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:
        """Lease up to `limit` messages, waiting up to `wait_seconds` for the first.

        None is no proof of an empty queue.
        """
        ...

    async def acknowledge(self, delivery: Delivery) -> None:
        """Say that the message is dealt with. A stale lease is no error: the message may then come again."""
        ...

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        """Make the leases end `seconds` from now; 0 gives the messages back at once. Stale leases are ignored."""
        ...


class MessagePublisher(Protocol):
    """Puts messages on a topic."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        """Publish all messages in order and return their ids; returns only when the queue has taken them."""
        ...


class QueueProvisioner(Protocol):
    """Creates what the queue needs before anything can be pulled."""

    async def provision(self) -> Sequence[str]:
        """Create topics and subscriptions that are missing; returns a line for each: created, or already there."""
        ...

    async def verify(self) -> None:
        """Raise `ConfigurationError` unless the subscription that is pulled, and the dead-letter topic, exist."""
        ...
