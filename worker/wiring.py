"""The composition root: from settings to working parts. The only file that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (0.7 s of
CPU), and `--help` loads neither.
"""

import math
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.fulfilment import Fulfilment
from services.content.pipeline import ContentPipeline
from services.content.results import ResultPolicy
from services.errors import ConfigurationError
from services.generation.breaker import Breaker
from services.generation.ladder import Ladder
from services.generation.port import LanguageModel, ModelRef, Provider
from services.generation.providers.mock import MockProvider
from services.generation.refs import parse_ladder
from services.generation.rung import Rung
from services.messaging.port import DeadLetterReader, MessagePublisher, MessageQueue, QueueProvisioner
from services.storage.port import ResultReader, ResultStore
from worker.consumer import Consumer, Limits
from worker.handler import MessageHandler
from worker.lease import LeaseKeeper
from worker.puller import PULL_WAIT_SECONDS, Puller
from worker.settings import Settings
from worker.settler import Settler

log = structlog.get_logger()

CLAIM_LIFETIME = timedelta(minutes=2)
"""How long a request stays owned by a worker that has died. Living ones renew at half of it."""

EMULATED_PROJECT = "local"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """Queue and store of one kind."""

    queue: MessageQueue
    publisher: MessagePublisher
    provisioner: QueueProvisioner
    dead_letters: DeadLetterReader
    store: ResultStore
    results: ResultReader


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Backend]:
    """The backend that the settings name; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        if settings.worker_backend == "google":
            yield _google_backend(settings, stack)
        else:
            yield await _embedded_backend(settings, stack)


@asynccontextmanager
async def language_model(settings: Settings) -> AsyncIterator[LanguageModel]:
    """The ladders of all stages; connections to models are closed at the end.

    Raises `ConfigurationError` naming the variable that holds a bad ladder.
    """
    ladders = {
        stage: parse_ladder(text, setting=name, default_location=settings.google_cloud_location)
        for stage, (name, text) in settings.ladders().items()
    }
    choose = _without_mock if settings.worker_on_outage == "hold" else _available
    breakers: dict[ModelRef, Breaker] = {}
    async with AsyncExitStack() as stack:
        providers = _providers(settings, stack)

        def rung(ref: ModelRef) -> Rung:
            return Rung(providers[ref.provider], ref, breaker=breakers.setdefault(ref, Breaker()))

        yield Ladder(
            {stage: [rung(ref) for ref in choose(refs, providers)] for stage, refs in ladders.items()}
        )


def consumer(
    settings: Settings,
    backend: Backend,
    *,
    model: LanguageModel,
    continuous: bool = False,
) -> Consumer:
    """A consumer of the backend's queue; `continuous` takes away its idle timeout and its maximum runtime."""
    catalog = load_catalog()
    fulfilment = Fulfilment(
        store=backend.store,
        pipeline=ContentPipeline(model=model, catalog=catalog, search=TopicSearch(catalog)),
        policy=_result_policy(settings),
        owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        claim_lifetime=CLAIM_LIFETIME,
        now=lambda: datetime.now(UTC),
    )
    idle_timeout = math.inf if continuous else settings.worker_idle_timeout_seconds
    limits = Limits(
        concurrency=settings.worker_concurrency,
        idle_timeout_seconds=idle_timeout,
        max_runtime_seconds=math.inf if continuous else settings.worker_max_runtime_seconds,
        holds_on_outage=settings.worker_on_outage == "hold",
    )
    return Consumer(
        queue=backend.queue,
        puller=Puller(backend.queue, wait_seconds=min(PULL_WAIT_SECONDS, idle_timeout)),
        handler=MessageHandler(fulfilment),
        leases=LeaseKeeper(backend.queue),
        settler=Settler(
            queue=backend.queue,
            publisher=backend.publisher,
            dead_letter_topic=settings.worker_dead_letter_topic,
        ),
        limits=limits,
    )


def _available(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that have what they need. Without a project all of Vertex is replaced by the mock."""
    available = [ref for ref in refs if ref.provider in providers]
    return available or [ModelRef(provider="mock", model="")]


def _without_mock(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that a message is held for."""
    models = [ref for ref in _available(refs, providers) if ref.provider != "mock"]
    if not models:
        raise ConfigurationError(
            "WORKER_ON_OUTAGE is hold, but a ladder has nothing besides the mock to hold messages for.",
            fix="Set GOOGLE_CLOUD_PROJECT and name a model in WORKER_MODELS, or set WORKER_ON_OUTAGE=degrade.",
        )
    return models


def _say_offline(settings: Settings) -> None:
    if any("vertex" in text for _, text in settings.ladders().values()):
        log.warning(
            "model.offline",
            cause="GOOGLE_CLOUD_PROJECT is not set, so no model can be asked: the offline mock answers.",
            fix="Set GOOGLE_CLOUD_PROJECT to ask Gemini on Vertex AI, or WORKER_MODELS=mock to be content with this.",
        )


def _providers(settings: Settings, stack: AsyncExitStack) -> dict[str, Provider]:
    mock = MockProvider()
    if not (settings.google_cloud_project or settings.vertex_emulator_host):
        _say_offline(settings)
        return {"mock": mock}

    from services.generation.providers.vertex import VertexProvider

    vertex = VertexProvider(
        project=settings.google_cloud_project or EMULATED_PROJECT,
        emulator_host=settings.vertex_emulator_host,
        # Of one message two stages run side by side.
        calls_at_once=2 * settings.worker_concurrency,
    )
    stack.push_async_callback(vertex.close)
    return {"mock": mock, "vertex": vertex}


def _result_policy(settings: Settings) -> ResultPolicy:
    if settings.worker_student_key is None:
        key = secrets.token_bytes(32)
        log.warning(
            "student_key.missing",
            cause="WORKER_STUDENT_KEY is not set, so a random key is used: student_ref will differ in every process.",
            fix="Set WORKER_STUDENT_KEY to a secret of at least 16 characters, the same for all workers.",
        )
    else:
        key = settings.worker_student_key.get_secret_value().encode()
    return ResultPolicy(
        student_key=key,
        ttl=timedelta(days=settings.worker_result_ttl_days),
        image_digest=settings.worker_image_digest,
    )


def _google_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.pubsub import PubSubDeadLetterReader, PubSubPublisher, PubSubQueue
    from services.messaging.pubsub_provisioner import PubSubProvisioner
    from services.storage.firestore import FirestoreResultReader, FirestoreResultStore

    project = settings.google_cloud_project or EMULATED_PROJECT
    return _closed_by(
        stack,
        queue=PubSubQueue(project=project, subscription=settings.worker_subscription),
        publisher=PubSubPublisher(project=project),
        provisioner=PubSubProvisioner(project=project, **_names(settings)),
        dead_letters=PubSubDeadLetterReader(
            project=project, subscription=settings.worker_dead_letter_subscription
        ),
        store=FirestoreResultStore(project=project),
        results=FirestoreResultReader(project=project),
    )


async def _embedded_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.sqlite import SqliteDeadLetterReader, SqlitePublisher, SqliteQueue
    from services.messaging.sqlite_provisioner import SqliteProvisioner
    from services.storage.sqlite import SqliteResultReader, SqliteResultStore

    path = settings.worker_database
    provisioner = SqliteProvisioner(path=path, **_names(settings))
    backend = _closed_by(
        stack,
        queue=SqliteQueue(path=path, subscription=settings.worker_subscription),
        publisher=SqlitePublisher(path=path),
        provisioner=provisioner,
        dead_letters=SqliteDeadLetterReader(path=path, subscription=settings.worker_dead_letter_subscription),
        store=SqliteResultStore(path=path),
        results=SqliteResultReader(path=path),
    )
    # Nobody else provisions a file on this machine, and nothing that could be wrong about it is hidden by it.
    await provisioner.provision()
    return backend


def _closed_by(stack: AsyncExitStack, **parts: Any) -> Backend:
    """The parts as a backend; the stack closes their connections."""
    for part in parts.values():
        stack.push_async_callback(part.close)
    return Backend(**parts)


def _names(settings: Settings) -> dict[str, str]:
    return {
        "topic": settings.worker_topic,
        "subscription": settings.worker_subscription,
        "dead_letter_topic": settings.worker_dead_letter_topic,
        "dead_letter_subscription": settings.worker_dead_letter_subscription,
    }
