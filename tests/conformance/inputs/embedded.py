"""One batch of inputs through the worker as it is wired, on the embedded backend and in this process."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog
from structlog.testing import capture_logs

from services.generation.port import Provider
from services.generation.providers.mock import MockProvider
from services.messaging.port import Delivery, Message
from services.storage.patience import Patience
from tests.conformance.inputs.drained import Asked, Drained
from tests.conformance.inputs.models import HostileModel, Overheard
from tests.conformance.inputs.sample import Input
from worker.settings import Settings, load_settings
from worker.summary import RunSummary
from worker.wiring import models
from worker.wiring.backends import connect
from worker.wiring.work import consumer

Event = MutableMapping[str, Any]

MODEL = "vertex:gemini-3.8-flash"
LADDERS = {"mock": "mock", "hostile model, mock": f"{MODEL}, mock", "hostile model": MODEL}
"""What the inputs go through, by what is said about it. The last one has nothing to fall back on."""

_MOST = 1_000_000


def drain(inputs: Sequence[Input], *, ladder: str, seed: int) -> Drained:
    """Publish the inputs and let one worker with this ladder drain them."""
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory() as folder, _wired(HostileModel(seed=seed), asked), _told() as events:
        settings = _settings(Path(folder) / "worker.db", ladder)
        return asyncio.run(_drain(inputs, settings, events, asked))


def _settings(path: Path, ladder: str) -> Settings:
    return load_settings(
        worker_database=path,
        worker_models=ladder,
        worker_idle_timeout_seconds=0,
        worker_student_key="a key of the conformance kit",
    )


@contextmanager
def _wired(hostile: Provider, asked: list[Asked]) -> Iterator[None]:
    """Vertex AI is the hostile model, and whoever puts a message off gets it back at once."""
    providers = {"vertex": Overheard(hostile, asked), "mock": Overheard(MockProvider(), asked)}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, clear=True))
        stack.enter_context(patch.object(models, "providers_of", lambda _settings, _stack: providers))
        stack.enter_context(patch("worker.settler.retry_delay_seconds", lambda *_attempt, **_luck: 0))
        yield


@contextmanager
def _told() -> Iterator[list[Event]]:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        yield events


async def _drain(
    inputs: Sequence[Input], settings: Settings, events: list[Event], asked: list[Asked]
) -> Drained:
    noise: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(str(context)))
    patience = Patience()
    async with (
        connect(settings) as backend,
        models.language_models(settings, backend, patience) as made,
    ):
        messages = [Message(data=one.data, attributes=one.attributes) for one in inputs]
        ids = await backend.publisher.publish(settings.worker_topic, messages)
        summary = await consumer(settings, backend, models=made, patience=patience).run()
        letters: list[Delivery] = []
        while found := await backend.dead_letters.pull(len(inputs), wait_seconds=0):
            letters += found
        documents = await backend.results.newest(_MOST)
    return Drained(
        ids=ids,
        ending=summary.ending,
        bugs=summary.bugs,
        printed=_printed(summary),
        events=events,
        noise=noise,
        left=_left(settings),
        letters=letters,
        documents={document["request_id"]: document for document in documents},
        asked=asked,
    )


def _printed(summary: RunSummary) -> str:
    return f"{summary.line()} {summary.as_json()}"


def _left(settings: Settings) -> int:
    """Messages that are leased or put off are not seen by pulling."""
    with closing(sqlite3.connect(settings.worker_database)) as connection:
        sql = "SELECT COUNT(*) FROM messages WHERE subscription = ?"
        return int(connection.execute(sql, (settings.worker_subscription,)).fetchone()[0])
