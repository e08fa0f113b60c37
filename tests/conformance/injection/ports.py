"""The ports of one worker, each call of which goes through the network."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.errors import ModelUnavailable, QueueUnavailable, StoreUnavailable
from services.generation.port import AnswerT, Completion, ModelRef, PaidAnswers, Rejection, Task
from services.messaging.port import Delivery, Message, MessagePublisher, MessageQueue
from services.storage.port import NO_CHANGES, Busy, Claim, Document, Finished, ResultStore
from tests.conformance.injection.audit import AuditedFile
from tests.conformance.injection.models import GIVEN_UP, UNHEARD, FunctionModel, PaidCall
from tests.conformance.injection.network import Network, Process

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One worker's line to the outside."""

    network: Network
    process: Process

    async def call(
        self, name: str, effect: Callable[[], Awaitable[Found]], unavailable: Callable[[str], Exception]
    ) -> Found:
        """The reply to one call."""
        return await self.network.carry(self.process, name, effect, unavailable=unavailable)


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantQueue:
    """A queue at the other end of the line. What a doubled pull brings also goes to whoever pulls next."""

    line: Line
    queue: MessageQueue

    async def pull(self, limit: int, *, wait_seconds: float) -> Sequence[Delivery]:
        network = self.line.network

        async def effect() -> Sequence[Delivery]:
            if network.doubled and network.hit_process is not self.line.process:
                return [network.doubled.pop(0)]
            return await self.queue.pull(limit, wait_seconds=wait_seconds)

        async def again(deliveries: Sequence[Delivery]) -> None:
            network.doubled.extend(deliveries)

        return await network.carry(
            self.line.process, "queue.pull", effect, unavailable=QueueUnavailable, again=again
        )

    async def acknowledge(self, delivery: Delivery) -> None:
        await self.line.call("queue.acknowledge", lambda: self.queue.acknowledge(delivery), QueueUnavailable)

    async def extend(self, deliveries: Sequence[Delivery], *, seconds: int) -> None:
        await self.line.call(
            "queue.extend", lambda: self.queue.extend(deliveries, seconds=seconds), QueueUnavailable
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantPublisher:
    """A publisher at the other end of the line."""

    line: Line
    publisher: MessagePublisher

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        return await self.line.call(
            "publisher.publish", lambda: self.publisher.publish(topic, messages), QueueUnavailable
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantStore:
    """A store at the other end of the line; `stale` collects writes that landed without owning the request."""

    line: Line
    store: ResultStore
    file: AuditedFile
    stale: list[str] = field(default_factory=list)

    async def claim(
        self, request_id: str, document: Document, *, owner: str, now: datetime, lifetime: timedelta
    ) -> Claim | Busy | Finished:
        return await self.line.call(
            "store.claim",
            lambda: self.store.claim(request_id, document, owner=owner, now=now, lifetime=lifetime),
            StoreUnavailable,
        )

    async def extend(
        self, claim: Claim, *, now: datetime, lifetime: timedelta, changes: Document = NO_CHANGES
    ) -> Claim:
        async def effect() -> Claim:
            stored = self.file.document(claim.request_id)
            extended = await self.store.extend(claim, now=now, lifetime=lifetime, changes=changes)
            self._owned("store.extend", claim, stored)
            return extended

        return await self.line.call("store.extend", effect, StoreUnavailable)

    async def complete(self, claim: Claim, document: Document) -> None:
        async def effect() -> None:
            stored = self.file.document(claim.request_id)
            await self.store.complete(claim, document)
            if stored != document:  # else an earlier call had written it, and this one changed nothing
                self._owned("store.complete", claim, stored)

        await self.line.call("store.complete", effect, StoreUnavailable)

    def _owned(self, call: str, claim: Claim, stored: Document | None) -> None:
        # The store was asked in the same turn of the loop in which its write landed: nothing came between.
        owner = ((stored or {}).get("claim") or {}).get("owner")
        if owner != claim.owner:
            self.stale.append(f"{call} of {claim.owner} landed; the owner of the request was {owner}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantAnswers:
    """Paid answers at the other end of the line."""

    line: Line
    answers: PaidAnswers

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return await self.line.call("answers.find", lambda: self.answers.find(keys), StoreUnavailable)

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        await self.line.call("answers.keep", lambda: self.answers.keep(key, document), StoreUnavailable)


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantModel:
    """A provider at the other end of the line. Like every client of a model it gives up after the timeout."""

    line: Line
    model: FunctionModel

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        paid: list[PaidCall] = []
        asked_at = asyncio.get_running_loop().time()

        async def effect() -> Completion:
            reply, call = self.model.take(
                task, model, rejection, process=self.line.process.name, asked_at=asked_at
            )
            paid.extend([call] if call else [])
            return await self.model.work(task, reply)

        try:
            async with asyncio.timeout(timeout):
                completion = await self.line.call("model.complete", effect, ModelUnavailable)
        except TimeoutError as error:
            _lose(paid, GIVEN_UP)
            raise ModelUnavailable(f"{model} gave no answer in time.", kind="timeout", code=504) from error
        except asyncio.CancelledError:
            _lose(paid, GIVEN_UP)
            raise
        except ModelUnavailable:
            _lose(paid, UNHEARD)
            raise
        for call in paid:
            call.is_received = True
        return completion


def _lose(paid: list[PaidCall], how: str) -> None:
    for call in paid:
        call.lost = call.lost or how
