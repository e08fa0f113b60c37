"""Runs one side of the benchmark as a process of its own and reads what it took from the operating system."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from google.cloud.firestore_v1.async_client import AsyncClient
from google.pubsub_v1 import PublisherAsyncClient, types

from tests.bench.questions import questions
from tests.emulators.google import EmulatorHosts

_runs = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Whole-process figures of one side. CPU a message leaves out what was spent before the first pull."""

    messages: int
    per_second: float
    cpu_ms_per_message: float
    peak_mb: float
    start_cpu_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rig:
    """Where the emulators are, and how many messages may be in flight."""

    google: EmulatorHosts
    vertex_host: str
    in_flight: int
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def environment(self, project: str) -> dict[str, str]:
        """What both sides are started with."""
        return {
            **os.environ,
            "WORKER_BACKEND": "google",
            "GOOGLE_CLOUD_PROJECT": project,
            "PUBSUB_EMULATOR_HOST": self.google.pubsub,
            "FIRESTORE_EMULATOR_HOST": self.google.firestore,
            "VERTEX_EMULATOR_HOST": self.vertex_host,
            "WORKER_CONCURRENCY": str(self.in_flight),
            "WORKER_IDLE_TIMEOUT_SECONDS": "2",
            "WORKER_STUDENT_KEY": "a key of the benchmark",
            "LOG_LEVEL": "INFO",
            "LOG_FORMAT": "json",
        }


def run_worker(rig: Rig, messages: int) -> Figures:
    """The worker as it is deployed: every log line written, every write conditional."""
    return _measure(rig, messages, [sys.executable, "-m", "worker", "run", "--json"])


def run_floor(rig: Rig, messages: int) -> Figures:
    """The minimal loop of `tests/bench/floor.py`."""
    return _measure(rig, messages, [sys.executable, "-m", "tests.bench.floor"])


def _measure(rig: Rig, messages: int, command: Sequence[str]) -> Figures:
    project = provisioned(rig)
    publish(rig, project, messages)
    usage = _run(rig, project, command)
    first, last, stored = asyncio.run(_span(rig, project))
    if stored != messages:
        raise SystemExit(f"bench: {messages} messages were published, {stored} results are stored")
    return Figures(
        messages=messages,
        per_second=messages / (last - first).total_seconds(),
        cpu_ms_per_message=(usage.cpu_seconds - usage.start_cpu_seconds) * 1000 / messages,
        peak_mb=usage.peak_mb,
        start_cpu_seconds=usage.start_cpu_seconds,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usage:
    start_cpu_seconds: float
    cpu_seconds: float
    peak_mb: float


def _run(rig: Rig, project: str, command: Sequence[str]) -> _Usage:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=rig.environment(project), stdout=subprocess.DEVNULL, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        logged = log.read().decode()
    if process.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)} failed\n{logged[-4000:]}")
    return _Usage(
        start_cpu_seconds=_logged_at_first_pull(logged),
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )


def _logged_at_first_pull(logged: str) -> float:
    lines = (json.loads(line) for line in logged.splitlines() if line.startswith("{"))
    event = next(line for line in lines if line["message"] == "run.pulling")
    return float(event["start_cpu_seconds"])


def provisioned(rig: Rig) -> str:
    """A new project with the topics and subscriptions that the worker needs."""
    project = f"bench-{rig.run_id}-{next(_runs)}"
    command = [sys.executable, "-m", "worker", "provision"]
    subprocess.run(command, env=rig.environment(project), check=True, stdout=subprocess.DEVNULL)
    return project


def publish(rig: Rig, project: str, messages: int) -> None:
    """Put that many different questions on the topic."""
    asyncio.run(_publish(rig, project, messages))


async def _publish(rig: Rig, project: str, messages: int) -> None:
    os.environ["PUBSUB_EMULATOR_HOST"] = rig.google.pubsub
    client = PublisherAsyncClient()
    topic = f"projects/{project}/topics/content-requests"
    wrapped = [types.PubsubMessage(data=json.dumps(fields).encode()) for fields in questions(messages)]
    for begin in range(0, messages, 500):
        await client.publish(topic=topic, messages=wrapped[begin : begin + 500], timeout=60, retry=None)
    await client.transport.close()


async def _span(rig: Rig, project: str) -> tuple[datetime, datetime, int]:
    """When the first message was claimed and the last one finished, and how many results there are."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = rig.google.firestore
    client = AsyncClient(project=project)
    fields = ["created_at", "completed_at"]
    documents: list[dict[str, Any]] = [
        snapshot.to_dict() async for snapshot in client.collection("content_results").select(fields).stream()
    ]
    client.close()
    first = min(document["created_at"] for document in documents)
    last = max(document["completed_at"] for document in documents)
    return first, last, len(documents)
