"""Small fakes, for faults and orders of events that real parts cannot be made to show."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from services.errors import QueueUnavailable
from services.generation.port import Answer, AnswerT, Provenance, Task
from services.messaging.port import Delivery, Message
from services.storage import claims
from services.storage.port import NO_CHANGES, Busy, Claim, Document, Finished

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
    """A result store in a dictionary. `before` is called with the method's name, to raise or to interfere.

    It has no clock of its own: leases end by the caller's, and documents do not expire.
    """

    def __init__(self, before: Callable[[str], None] = lambda _method: None) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.before = before

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | Busy | Finished:
        self.before("claim")
        lease = claims.new_lease(owner, now=now, lifetime=lifetime)
        stored = self._find(request_id)
        if stored is None:
            mine = claims.claimed(document, lease)
        elif answer := claims.claim_existing(request_id, stored, document, owner=owner, now=now):
            return answer
        else:
            mine = claims.taken_over(stored.document, document, lease)
        return claims.claim_of(request_id, mine, version=self._write("claim", request_id, mine))

    async def extend(
        self, claim: Claim, *, now: datetime, lifetime: timedelta, changes: Document = NO_CHANGES
    ) -> Claim:
        self.before("extend")
        stored = claims.owned(self._find(claim.request_id), claim)
        fields = {**changes, "claim": claims.new_lease(claim.owner, now=now, lifetime=lifetime)}
        version = self._write("extend", claim.request_id, {**stored.document, **fields})
        return claims.renewed(claim, fields, version=version)

    async def complete(self, claim: Claim, document: Document) -> None:
        self.before("complete")
        stored = self._find(claim.request_id)
        if stored is None or stored.document != document:
            claims.owned(stored, claim)
            self._write("complete", claim.request_id, dict(document))

    async def debts(self, limit: int) -> Sequence[Document]:
        self.before("debts")
        owing = [document for document in self.documents.values() if document.get("debt")]
        return sorted(owing, key=lambda document: document["debt"]["since"])[:limit]

    async def claim_debt(
        self, request_id: str, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | None:
        self.before("claim_debt")
        stored = self._find(request_id)
        if stored and claims.is_held_by(owner, stored.document):
            return claims.claim_of(request_id, stored.document, version=stored.version)
        if stored is None or not claims.may_be_repaid(stored, now=now):
            return None
        lease = claims.new_lease(owner, now=now, lifetime=lifetime)
        mine = {**stored.document, **claims.debt_claimed(stored.document, lease)}
        return claims.claim_of(request_id, mine, version=self._write("claim_debt", request_id, mine))

    def take_over(self, request_id: str) -> None:
        """What another worker does once the claim has expired."""
        stored = self.documents[request_id]
        stored["claim"] = {**stored["claim"], "owner": "another worker"}
        stored["attempt"] += 1

    def _find(self, request_id: str) -> claims.Stored | None:
        document = self.documents.get(request_id)
        return claims.Stored(document=document, version=len(self.writes)) if document else None

    def _write(self, method: str, request_id: str, document: dict[str, Any]) -> int:
        self.writes.append(method)
        self.documents[request_id] = document
        return len(self.writes)
