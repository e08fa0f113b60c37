"""What works on messages and debts."""

import math
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain

import structlog

from services.content.catalog import load_catalog
from services.content.catalog.search import load_search
from services.content.fulfilment import Fulfilment
from services.content.healing import Healing
from services.content.models import ContentRequest
from services.content.pipeline import ContentPipeline
from services.content.results import ResultPolicy
from services.content.tokens import usual_usage
from services.generation.allowance import Allowance, Guard
from services.generation.port import LanguageModel
from services.generation.pricing import usual_price
from services.generation.probe import probe
from services.generation.recall import Recall
from services.messaging.port import MessageQueue
from services.storage.patience import Patience
from worker.consumer import Consumer, Limits
from worker.handler import MessageHandler
from worker.lease import LeaseKeeper
from worker.puller import PULL_WAIT_SECONDS, Puller
from worker.settings import Settings
from worker.settler import Settler
from worker.wiring.backends import Backend
from worker.wiring.models import Models, ladders_of, model_of, providers_of, rungs_of, without_mock

log = structlog.get_logger()

HEALING_GRACE = timedelta(minutes=1)
"""How much longer than its message's allowance a debt stays claimed: calls under way may end, and the store answer."""

COST_LIMIT_FACTOR = 10
"""Without a bound of its own a message may cost so many times the usual price of its length."""


@asynccontextmanager
async def healer(
    settings: Settings, backend: Backend
) -> AsyncIterator[tuple[Healing, Callable[[], Awaitable[None]]]]:
    """What repays debts with the top rung of every ladder, and a cheap check whether these rungs answer.

    The check makes one small call to each model; it raises `NoModelAnswered`, and `ConfigurationError` for a model
    that refuses every call. Raises `ConfigurationError` when a top rung is the mock.
    """
    top = {stage: refs[:1] for stage, refs in ladders_of(settings).items()}
    async with AsyncExitStack() as stack:
        rungs = rungs_of(top, providers_of(settings, stack), without_mock)
        healing = Healing(
            store=backend.store,
            debts=backend.debts,
            pipeline=_pipeline(model_of(settings, rungs, Recall(backend.answers))),
            policy=result_policy(settings, student_key=b""),  # results keep the reference they have
            owner=_owner(),
            claim_lifetime=timedelta(seconds=settings.worker_message_timeout_seconds) + HEALING_GRACE,
            allowance=lambda request, guard: _allowance(settings, request, guard),
            now=_utc_now,
        )
        yield healing, lambda: probe(chain.from_iterable(rungs.values()))


def message_handler(
    settings: Settings, backend: Backend, *, model: LanguageModel, patience: Patience
) -> MessageHandler:
    """What turns one message into a stored result and says how to settle it, however the message came."""
    fulfilment = Fulfilment(
        store=backend.store,
        pipeline=_pipeline(model),
        policy=result_policy(settings, student_key=student_key(settings)),
        owner=_owner(),
        claim_lifetime=timedelta(seconds=settings.worker_lease_seconds),
        allowance=lambda request, guard: _allowance(settings, request, guard),
        patience=patience,
        now=_utc_now,
    )
    return MessageHandler(fulfilment)


def consumer(
    settings: Settings,
    backend: Backend,
    *,
    models: Models,
    patience: Patience,
    continuous: bool = False,
) -> Consumer:
    """A consumer of the backend's queue; `continuous` takes away its idle timeout and its maximum runtime."""
    idle_timeout = math.inf if continuous else settings.worker_idle_timeout_seconds
    limits = Limits(
        concurrency=settings.worker_concurrency,
        idle_timeout_seconds=idle_timeout,
        max_runtime_seconds=math.inf if continuous else settings.worker_max_runtime_seconds,
        lease_seconds=settings.worker_lease_seconds,
    )
    return Consumer(
        queue=backend.queue,
        puller=Puller(backend.queue, wait_seconds=min(PULL_WAIT_SECONDS, idle_timeout)),
        handler=message_handler(settings, backend, model=models.language, patience=patience),
        leases=LeaseKeeper(backend.queue, lease_seconds=settings.worker_lease_seconds),
        settler=settler(settings, backend, backend.queue),
        limits=limits,
        patience=patience,
        watch=models.watch,
    )


def settler(settings: Settings, backend: Backend, queue: MessageQueue) -> Settler:
    """What acts on settlements of messages that came from `queue`."""
    return Settler(
        queue=queue, publisher=backend.publisher, dead_letter_topic=settings.worker_dead_letter_topic
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _pipeline(model: LanguageModel) -> ContentPipeline:
    return ContentPipeline(model=model, catalog=load_catalog(), search=load_search())


def _allowance(settings: Settings, request: ContentRequest, guard: Guard) -> Allowance:
    return Allowance(
        guard=guard,
        max_calls=settings.worker_message_call_limit,
        seconds=settings.worker_message_timeout_seconds,
        max_usd=lambda: _cost_limit_usd(settings, request),
    )


def _cost_limit_usd(settings: Settings, request: ContentRequest) -> float | None:
    """What the message may cost in all; None when a model of its ladders has no known price, or none has any."""
    if settings.worker_message_cost_limit_usd is not None:
        return settings.worker_message_cost_limit_usd
    usual = usual_price(ladders_of(settings), usual_usage(request), _utc_now())
    return COST_LIMIT_FACTOR * usual if usual else None


def student_key(settings: Settings) -> bytes:
    """The key of the student hash; without one a random key, and a warning."""
    if settings.worker_student_key is not None:
        return settings.worker_student_key.get_secret_value().encode()
    log.warning(
        "student_key.missing",
        cause="WORKER_STUDENT_KEY is not set, so a random key is used: student_ref will differ in every process.",
        fix="Set WORKER_STUDENT_KEY to a secret of at least 16 characters, the same for all workers.",
    )
    return secrets.token_bytes(32)


def result_policy(settings: Settings, *, student_key: bytes) -> ResultPolicy:
    """What every result of this process has in common."""
    return ResultPolicy(
        student_key=student_key,
        ttl=timedelta(days=settings.worker_result_ttl_days),
        image_digest=settings.worker_image_digest,
    )
