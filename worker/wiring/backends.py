"""Queue and store, as the settings name them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from services.generation.port import PaidAnswers
from services.messaging.port import MessagePublisher, MessageQueue, QueueProvisioner
from services.storage.port import (
    DebtStore,
    FeedbackStore,
    RequestAnnouncer,
    ResultReader,
    ResultStore,
    StudentData,
)
from worker.settings import Settings

EMULATED_PROJECT = "local"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """Queue and store of one kind."""

    queue: MessageQueue
    publisher: MessagePublisher
    provisioner: QueueProvisioner
    dead_letters: MessageQueue
    store: ResultStore
    debts: DebtStore
    announcements: RequestAnnouncer
    results: ResultReader
    answers: PaidAnswers
    feedback: FeedbackStore
    students: StudentData


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Backend]:
    """The backend that the settings name; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        if settings.worker_backend == "google":
            yield _google_backend(settings, stack)
        else:
            yield await _embedded_backend(settings, stack)


def _google_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.pubsub import PubSubPublisher, PubSubQueue
    from services.messaging.pubsub_provisioner import PubSubProvisioner
    from services.storage.firestore import FirestoreResultReader, FirestoreResultStore
    from services.storage.firestore_answers import FirestorePaidAnswers
    from services.storage.firestore_feedback import FirestoreFeedbackStore
    from services.storage.firestore_students import FirestoreStudentData

    project = settings.google_cloud_project or EMULATED_PROJECT
    emulator_host = settings.pubsub_emulator_host
    store = FirestoreResultStore(project=project)
    return _closed_by(
        stack,
        queue=PubSubQueue(
            project=project,
            subscription=settings.worker_subscription,
            emulator_host=emulator_host,
        ),
        publisher=PubSubPublisher(project=project, emulator_host=emulator_host),
        provisioner=PubSubProvisioner(project=project, emulator_host=emulator_host, **_names(settings)),
        dead_letters=PubSubQueue(
            project=project,
            subscription=settings.worker_dead_letter_subscription,
            setting="WORKER_DEAD_LETTER_SUBSCRIPTION",
            emulator_host=emulator_host,
        ),
        store=store,
        debts=store,
        announcements=store,
        results=FirestoreResultReader(project=project),
        answers=FirestorePaidAnswers(project=project),
        feedback=FirestoreFeedbackStore(project=project),
        students=FirestoreStudentData(project=project),
    )


async def _embedded_backend(settings: Settings, stack: AsyncExitStack) -> Backend:
    from services.messaging.sqlite import SqlitePublisher, SqliteQueue
    from services.messaging.sqlite_provisioner import SqliteProvisioner
    from services.storage.sqlite import SqliteResultReader, SqliteResultStore
    from services.storage.sqlite_answers import SqlitePaidAnswers
    from services.storage.sqlite_feedback import SqliteFeedbackStore
    from services.storage.sqlite_students import SqliteStudentData

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
        announcements=store,
        results=SqliteResultReader(path=path),
        answers=SqlitePaidAnswers(path=path),
        feedback=SqliteFeedbackStore(path=path),
        students=SqliteStudentData(path=path),
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
