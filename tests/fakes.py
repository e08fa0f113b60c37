"""Small fakes, for faults and orders of events that real parts cannot be made to show."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.errors import ClaimLost, QueueUnavailable
from services.generation.port import Answer, AnswerT, Provenance, Task
from services.messaging.port import Delivery, Message
from services.storage import claims
from services.storage.port import Busy, Claim, Document, Finished

LIVE = Provenance(mode="live", provider="fake", model="fake-1", attempts=1, latency_ms=5, cost_usd=0.001)


class FunctionModel:
    """A language model that is a function from a task to an answer's data, an `Answer`, or an error to raise.

    By default it gives the task's own offline answer, as if it came live.
    """

    def __init__(self, respond: Callable[[Task[Any]], object] | None = None) -> None:
        self._respond = respond or (lambda task: task.offline())
        self.tasks: list[Task[Any]] = []

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        self.tasks.append(task)
        response = self._respond(task)
        if isinstance(response, Awaitable):
            response = await response
        if isinstance(response, Exception):
            raise response
        if isinstance(response, Answer):
            return response
        assert isinstance(response, BaseModel)
        return Answer(data=task.answer_type.model_validate(response.model_dump()), provenance=LIVE)


class ScriptedQueue:
    """A queue of prepared batches that records what was done with its deliveries.

    Each pull takes the next item of `script`: deliveries to return, an error to raise, or a function to call. When
    the script is over, pulls are empty. `after_each_pull` lets a test move its clock.
    """

    def __init__(
        self,
        script: Sequence[Sequence[Delivery] | Exception | Callable[[], Sequence[Delivery]]] = (),
        *,
        after_each_pull: Callable[[], object] = lambda: None,
    ) -> None:
        self._script = list(script)
        self.after_each_pull = after_each_pull
        self.limits: list[int] = []
        self.acked: list[str] = []
        self.extended: list[tuple[str, int]] = []
        self.fail_on_ack = False

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:
        self.limits.append(limit)
        # A real pull always gives others a turn; so must this one, often enough for work to end meanwhile.
        for _ in range(20):
            await asyncio.sleep(0)
        item = self._script.pop(0) if self._script else []
        self.after_each_pull()
        if isinstance(item, Exception):
            raise item
        return item() if callable(item) else item

    async def acknowledge(self, delivery: Delivery) -> None:
        if self.fail_on_ack:
            raise QueueUnavailable("The fake queue takes no acks.")
        self.acked.append(delivery.message_id)

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        self.extended.extend((delivery.message_id, seconds) for delivery in deliveries)


class RecordingPublisher:
    """Keeps what was published; raises `error` instead when it is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.published: list[tuple[str, Message]] = []

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        if self.error is not None:
            raise self.error
        self.published.extend((topic, message) for message in messages)
        return [str(len(self.published))] * len(messages)


class MemoryStore:
    """A result store in a dictionary. `before` is called with the method's name, to raise or to interfere."""

    def __init__(self, before: Callable[[str], None] = lambda _method: None) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.before = before

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, expires_at: datetime
    ) -> Claim | Busy | Finished:
        self.before("claim")
        stored = self.documents.get(request_id)
        if stored is None:
            owned = claims.claimed(document, owner=owner, expires_at=expires_at)
        elif reason := claims.held(stored, now=now):
            return reason
        else:
            owned = claims.taken_over(stored, document, owner=owner, expires_at=expires_at)
        return claims.claim_of(request_id, owned, version=self._write("claim", request_id, owned))

    async def extend(self, claim: Claim, *, expires_at: datetime) -> Claim:
        self.before("extend")
        self._check(claim)
        stored = self.documents[claim.request_id]
        renewed = {**stored, "claim": {"owner": claim.owner, "expires_at": expires_at}}
        version = self._write("extend", claim.request_id, renewed)
        return claims.claim_of(claim.request_id, renewed, version=version)

    async def complete(self, claim: Claim, document: Document) -> None:
        self.before("complete")
        self._check(claim)
        self._write("complete", claim.request_id, dict(document))

    def take_over(self, request_id: str) -> None:
        """What another worker does once the claim has expired."""
        stored = self.documents[request_id]
        stored["claim"] = {**stored["claim"], "owner": "another worker"}
        stored["attempt"] += 1

    def _write(self, method: str, request_id: str, document: dict[str, Any]) -> int:
        self.writes.append(method)
        self.documents[request_id] = document
        return len(self.writes)

    def _check(self, claim: Claim) -> None:
        if not claims.is_owned(self.documents[claim.request_id], claim):
            raise ClaimLost("Another worker owns the request now.")
