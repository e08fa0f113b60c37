"""The composition root: from settings to working parts. The only file that names adapters.

Adapters are imported where they are chosen: a worker on the embedded backend never loads Google's clients (0.7 s of
CPU), and `--help` loads neither.
"""

import math
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import structlog

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.fulfilment import Fulfilment
from services.content.healing import Healing
from services.content.pipeline import ContentPipeline
from services.content.results import ResultPolicy
from services.errors import ConfigurationError
from services.generation.allowance import Allowance, Guard
from services.generation.breaker import Breaker
from services.generation.ladder import Ladder
from services.generation.port import LanguageModel, ModelRef, PaidAnswers, Provider
from services.generation.probe import probe
from services.generation.providers.mock import MockProvider
from services.generation.recall import Recall
from services.generation.refs import parse_ladder
from services.generation.rung import Rung
from services.generation.shared_calls import SharedCalls
from services.messaging.port import MessagePublisher, MessageQueue, QueueProvisioner
from services.storage.patience import Patience, PatientAnswers
from services.storage.port import DebtStore, ResultReader, ResultStore
from worker.consumer import Consumer, Limits
from worker.handler import MessageHandler
from worker.lease import LeaseKeeper
from worker.puller import PULL_WAIT_SECONDS, Puller
from worker.settings import Settings
from worker.settler import Settler

log = structlog.get_logger()

EMULATED_PROJECT = "local"

HEALING_GRACE = timedelta(minutes=1)
"""How much longer than its message's allowance a debt stays claimed: calls under way may end, and the store answer."""

Choice = Callable[[list[ModelRef], dict[str, Provider]], list[ModelRef]]
"""Which rungs of a ladder are there to be asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """Queue and store of one kind."""

    queue: MessageQueue
    publisher: MessagePublisher
    provisioner: QueueProvisioner
    dead_letters: MessageQueue
    store: ResultStore
    debts: DebtStore
    results: ResultReader
    answers: PaidAnswers


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Backend]:
    """The backend that the settings name; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        if settings.worker_backend == "google":
            yield _google_backend(settings, stack)
        else:
            yield await _embedded_backend(settings, stack)


@asynccontextmanager
async def language_model(
    settings: Settings, backend: Backend, patience: Patience
) -> AsyncIterator[LanguageModel]:
    """The ladders of all stages, with what was paid for before; connections to models are closed at the end.

    Raises `ConfigurationError` naming the variable that holds a bad ladder.
    """
    choose = _without_mock if settings.worker_on_outage == "hold" else _available
    ladders = _ladders(settings)
    async with AsyncExitStack() as stack:
        rungs = _rungs(ladders, _providers(settings, stack), choose)
        yield _model(settings, rungs, Recall(PatientAnswers(backend.answers, patience)))


@asynccontextmanager
async def healer(
    settings: Settings, backend: Backend
) -> AsyncIterator[tuple[Healing, Callable[[], Awaitable[None]]]]:
    """What repays debts with the top rung of every ladder, and a cheap check whether these rungs answer.

    The check makes one small call to each model; it raises `NoModelAnswered`, and `ConfigurationError` for a model
    that refuses every call. Raises `ConfigurationError` when a top rung is the mock.
    """
    top = {stage: refs[:1] for stage, refs in _ladders(settings).items()}
    async with AsyncExitStack() as stack:
        rungs = _rungs(top, _providers(settings, stack), _without_mock)
        healing = Healing(
            store=backend.store,
            debts=backend.debts,
            pipeline=_pipeline(_model(settings, rungs, Recall(backend.answers))),
            policy=_result_policy(settings, student_key=b""),  # results keep the reference they have
            owner=_owner(),
            claim_lifetime=timedelta(seconds=settings.worker_message_timeout_seconds) + HEALING_GRACE,
            allowance=lambda guard: _allowance(settings, guard),
            now=_utc_now,
        )
        yield healing, lambda: probe(chain.from_iterable(rungs.values()))


def consumer(
    settings: Settings,
    backend: Backend,
    *,
    model: LanguageModel,
    patience: Patience,
    continuous: bool = False,
) -> Consumer:
    """A consumer of the backend's queue; `continuous` takes away its idle timeout and its maximum runtime."""
    fulfilment = Fulfilment(
        store=backend.store,
        pipeline=_pipeline(model),
        policy=_result_policy(settings, student_key=_student_key(settings)),
        owner=_owner(),
        claim_lifetime=timedelta(seconds=settings.worker_lease_seconds),
        allowance=lambda guard: _allowance(settings, guard),
        patience=patience,
        now=_utc_now,
    )
    idle_timeout = math.inf if continuous else settings.worker_idle_timeout_seconds
    limits = Limits(
        concurrency=settings.worker_concurrency,
        idle_timeout_seconds=idle_timeout,
        max_runtime_seconds=math.inf if continuous else settings.worker_max_runtime_seconds,
        lease_seconds=settings.worker_lease_seconds,
        holds_on_outage=settings.worker_on_outage == "hold",
    )
    return Consumer(
        queue=backend.queue,
        puller=Puller(backend.queue, wait_seconds=min(PULL_WAIT_SECONDS, idle_timeout)),
        handler=MessageHandler(fulfilment),
        leases=LeaseKeeper(backend.queue, lease_seconds=settings.worker_lease_seconds),
        settler=Settler(
            queue=backend.queue,
            publisher=backend.publisher,
            dead_letter_topic=settings.worker_dead_letter_topic,
        ),
        limits=limits,
        patience=patience,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _pipeline(model: LanguageModel) -> ContentPipeline:
    catalog = load_catalog()
    return ContentPipeline(model=model, catalog=catalog, search=TopicSearch(catalog))


def _allowance(settings: Settings, guard: Guard) -> Allowance:
    return Allowance(
        guard=guard,
        max_calls=settings.worker_message_call_limit,
        seconds=settings.worker_message_timeout_seconds,
    )


def _model(settings: Settings, rungs: Mapping[str, Sequence[Rung]], paid: PaidAnswers) -> LanguageModel:
    lifetime = timedelta(days=settings.worker_result_ttl_days)
    return SharedCalls(Ladder(rungs, paid=paid, answer_lifetime=lifetime))


def _ladders(settings: Settings) -> dict[str, list[ModelRef]]:
    return {
        stage: parse_ladder(text, setting=name, default_location=settings.google_cloud_location)
        for stage, (name, text) in settings.ladders().items()
    }


def _rungs(
    ladders: Mapping[str, list[ModelRef]], providers: dict[str, Provider], choose: Choice
) -> dict[str, list[Rung]]:
    breakers: dict[ModelRef, Breaker] = {}

    def rung(ref: ModelRef) -> Rung:
        return Rung(providers[ref.provider], ref, breaker=breakers.setdefault(ref, Breaker()))

    return {stage: [rung(ref) for ref in choose(refs, providers)] for stage, refs in ladders.items()}


def _available(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that have what they need. Without a project all of Vertex is replaced by the mock."""
    available = [ref for ref in refs if ref.provider in providers]
    return available or [ModelRef(provider="mock", model="")]


def _without_mock(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that a message is held for, or a debt repaid by."""
    models = [ref for ref in _available(refs, providers) if ref.provider != "mock"]
    if not models:
        raise ConfigurationError(
            "Answers of the mock will not do here, but a ladder has no model besides it.",
            fix="Set GOOGLE_CLOUD_PROJECT and name a model first in WORKER_MODELS; for `run`, WORKER_ON_OUTAGE=degrade "
            "is content with the mock.",
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


def _student_key(settings: Settings) -> bytes:
    if settings.worker_student_key is not None:
        return settings.worker_student_key.get_secret_value().encode()
    log.warning(
        "student_key.missing",
        cause="WORKER_STUDENT_KEY is not set, so a random key is used: student_ref will differ in every process.",
        fix="Set WORKER_STUDENT_KEY to a secret of at least 16 characters, the same for all workers.",
    )
    return secrets.token_bytes(32)


def _result_policy(settings: Settings, *, student_key: bytes) -> ResultPolicy:
    return ResultPolicy(
        student_key=student_key,
        ttl=timedelta(days=settings.worker_result_ttl_days),
        image_digest=settings.worker_image_digest,
    )


def _google_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.pubsub import PubSubPublisher, PubSubQueue
    from services.messaging.pubsub_provisioner import PubSubProvisioner
    from services.storage.firestore import FirestoreResultReader, FirestoreResultStore
    from services.storage.firestore_answers import FirestorePaidAnswers

    project = settings.google_cloud_project or EMULATED_PROJECT
    store = FirestoreResultStore(project=project)
    return _closed_by(
        stack,
        queue=PubSubQueue(
            project=project,
            subscription=settings.worker_subscription,
            emulator_host=settings.pubsub_emulator_host,
        ),
        publisher=PubSubPublisher(project=project),
        provisioner=PubSubProvisioner(project=project, **_names(settings)),
        dead_letters=PubSubQueue(
            project=project,
            subscription=settings.worker_dead_letter_subscription,
            setting="WORKER_DEAD_LETTER_SUBSCRIPTION",
            emulator_host=settings.pubsub_emulator_host,
        ),
        store=store,
        debts=store,
        results=FirestoreResultReader(project=project),
        answers=FirestorePaidAnswers(project=project),
    )


async def _embedded_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.sqlite import SqlitePublisher, SqliteQueue
    from services.messaging.sqlite_provisioner import SqliteProvisioner
    from services.storage.sqlite import SqliteResultReader, SqliteResultStore
    from services.storage.sqlite_answers import SqlitePaidAnswers

    path = settings.worker_database
    store = SqliteResultStore(path=path)
    provisioner = SqliteProvisioner(path=path, **_names(settings))
    backend = _closed_by(
        stack,
        queue=SqliteQueue(path=path, subscription=settings.worker_subscription),
        publisher=SqlitePublisher(path=path),
        provisioner=provisioner,
        dead_letters=SqliteQueue(
            path=path,
            subscription=settings.worker_dead_letter_subscription,
            setting="WORKER_DEAD_LETTER_SUBSCRIPTION",
        ),
        store=store,
        debts=store,
        results=SqliteResultReader(path=path),
        answers=SqlitePaidAnswers(path=path),
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
