"""The command `demo`: the whole way from a question to a result, in a folder that is thrown away."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from services.messaging.port import Message
from services.storage.patience import Patience
from worker import logs
from worker.drawing import console, show
from worker.settings import Settings, load_settings
from worker.showing import print_result, print_results
from worker.stopping import stopped_by_signals
from worker.wiring.backends import Backend, connect
from worker.wiring.models import language_models
from worker.wiring.work import consumer

IDLE_SECONDS = 0.2
AN_HOUR = timedelta(hours=1)
ELSEWHERE = "demo-15-elsewhere"


async def run_demo() -> int:
    """Publish the demo's questions, answer them offline, show what came of them; returns the exit code."""
    logs.configure(level="ERROR", log_format="console")
    questions = demo_questions()
    show(f"Publishing {len(questions)} questions to an embedded queue, then draining it offline ...\n")
    with tempfile.TemporaryDirectory(prefix="content-worker-demo-") as folder:
        settings = _settings(Path(folder))
        patience = Patience()
        async with (
            connect(settings) as backend,
            language_models(settings, backend, patience) as asked,
        ):
            await backend.publisher.publish(settings.worker_topic, [_message(q) for q in questions])
            await _claim_elsewhere(backend)
            worker = consumer(settings, backend, models=asked, patience=patience)
            async with stopped_by_signals(lambda _signal: worker.stop()):
                summary = await worker.run()
            await _show(backend, len(questions) + 1)
    show(f"\n{summary.line()}")
    return summary.exit_code


def demo_questions() -> Sequence[dict[str, Any]]:
    """The questions of the demo: of every kind, one of them not a valid request."""
    text = files("worker").joinpath("demo_questions.json").read_text(encoding="utf-8")
    return list(json.loads(text))


async def _claim_elsewhere(backend: Backend) -> None:
    """A request that another worker is busy with, to show what that looks like."""
    now = datetime.now(UTC)
    document = {
        "request_id": ELSEWHERE,
        "status": "processing",
        "created_at": now,
        "expires_at": now + AN_HOUR,
    }
    await backend.store.claim(ELSEWHERE, document, owner="another worker", now=now, lifetime=AN_HOUR)


def _message(question: dict[str, Any]) -> Message:
    return Message(data=json.dumps({"student_id": "demo-student", **question}).encode())


def _settings(folder: Path) -> Settings:
    return load_settings(
        worker_backend="embedded",
        worker_database=folder / "demo.db",
        worker_models="mock",
        worker_models_nlu=None,
        worker_models_interest=None,
        worker_models_script=None,
        worker_on_outage="degrade",
        google_cloud_project=None,
        pubsub_emulator_host=None,
        firestore_emulator_host=None,
        vertex_emulator_host=None,
        worker_idle_timeout_seconds=IDLE_SECONDS,
        worker_student_key="the demo has no secrets",
    )


async def _show(backend: Backend, limit: int) -> None:
    documents = await backend.results.newest(limit)
    by_id = sorted(documents, key=lambda document: str(document["request_id"]))
    await asyncio.to_thread(print_results, by_id)
    letters = await backend.dead_letters.pull(limit, wait_seconds=0)
    for letter in letters:
        reason = letter.attributes
        console().print(f"\n[red]dead letter[/] {reason['error_kind']}: {reason['error_message']}")
    shown = next(document for document in by_id if document["script"])
    console().rule("one of the scripts")
    print_result(shown)
