"""The HTTP ways in as processes of their own, on a project of the emulators; clients are plain ones."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from google.cloud.firestore_v1.async_client import AsyncClient
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, types

from tests.acceptance.running import Ended, command, content_worker, environment
from tests.emulators.google import LOOPBACK, EmulatorHosts, free_port
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

START_SECONDS = 60.0
STOP_SECONDS = 20.0
BETWEEN_TRIES_SECONDS = 0.05

SUBSCRIPTIONS = {
    "content-requests": "content-requests-worker",
    "content-requests-dead": "content-requests-dead-review",
}


class Served:
    """One target that is being served."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://{LOOPBACK}:{port}"
        self.port = port
        self._log = log

    @property
    def log(self) -> str:
        """All that it has written so far."""
        return self._log.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in lines if line["message"] == name]

    def post(self, content: bytes | Mapping[str, Any], **headers: str) -> httpx.Response:
        """POST a body, as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.post(self.url, content=body, headers=named, timeout=60)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET a path."""
        return httpx.get(self.url + path, headers=headers, timeout=60)

    def terminate(self) -> int:
        """Send SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)


@contextmanager
def serving(target: str, *, env: Mapping[str, str], log: Path) -> Iterator[Served]:
    """Serve a target meanwhile, from when it accepts connections on."""
    port = free_port()
    arguments = command(("serve", target, "--host", LOOPBACK, "--port", str(port)))
    with log.open("wb") as stream, subprocess.Popen(arguments, env=dict(env), stderr=stream) as process:
        try:
            wait_for(process, port)
            yield Served(process, port, log)
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once the port takes connections. Raises `RuntimeError` when the process ends or nothing comes."""
    for _ in range(round(START_SECONDS / BETWEEN_TRIES_SECONDS)):
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        try:
            process.wait(timeout=BETWEEN_TRIES_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"The server ended with {process.returncode} instead of listening.")
    raise RuntimeError("The server did not listen in time.")


class CloudProject:
    """A project on the emulators with a model, looked at with Google's own clients; what it serves ends with it."""

    def __init__(self, hosts: EmulatorHosts, vertex: VertexProcess, project: str, folder: Path) -> None:
        self.project = project
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.vertex = vertex
        self.env = environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT=project,
            PUBSUB_EMULATOR_HOST=hosts.pubsub,
            FIRESTORE_EMULATOR_HOST=hosts.firestore,
            VERTEX_EMULATOR_HOST=vertex.host,
            WORKER_IDLE_TIMEOUT_SECONDS="2",
            WORKER_STUDENT_KEY="a key of the tests",
            LOG_FORMAT="json",
        )
        self._stack = ExitStack()
        self.logs: list[Path] = []

    def __enter__(self) -> Self:
        self.vertex.control.reset()
        asyncio.run(self._provision())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        return content_worker(*arguments, env={**self.env, **variables})

    def serve(self, target: str, **variables: str) -> Served:
        """Serve a target until the end of the test."""
        log = self.folder / f"{len(self.logs)}-{target}.log"
        self.logs.append(log)
        return self._stack.enter_context(serving(target, env={**self.env, **variables}, log=log))

    def models(self, *rules: Rule) -> None:
        """Make the model answer by these rules from now on."""
        self.vertex.control.set_faults(Faults(rules=list(rules)))

    def documents(self, collection: str = "content_results") -> dict[str, dict[str, Any]]:
        """All documents of a collection."""

        async def read() -> dict[str, dict[str, Any]]:
            client = AsyncClient(project=self.project)
            return {found.id: found.to_dict() async for found in client.collection(collection).stream()}

        return asyncio.run(read())

    def waiting(self, subscription: str) -> list[types.PubsubMessage]:
        """All messages that a subscription holds, acknowledged by nobody; they are given back."""

        async def pull() -> list[types.PubsubMessage]:
            client, found = SubscriberAsyncClient(), []
            path = f"projects/{self.project}/subscriptions/{subscription}"
            while True:
                pulled = await client.pull(subscription=path, max_messages=500, timeout=3, retry=None)
                if not pulled.received_messages:
                    break
                found += list(pulled.received_messages)
            if found:
                ack_ids = [one.ack_id for one in found]
                await client.modify_ack_deadline(subscription=path, ack_ids=ack_ids, ack_deadline_seconds=0)
            await client.transport.close()
            return [one.message for one in found]

        return asyncio.run(pull())

    async def _provision(self) -> None:
        publisher, subscriber = PublisherAsyncClient(), SubscriberAsyncClient()
        for topic, subscription in SUBSCRIPTIONS.items():
            path = f"projects/{self.project}/topics/{topic}"
            await publisher.create_topic(name=path)
            name = f"projects/{self.project}/subscriptions/{subscription}"
            await subscriber.create_subscription(name=name, topic=path, ack_deadline_seconds=60)
        await publisher.transport.close()
        await subscriber.transport.close()

    def all_logs(self) -> str:
        """What all servers have written."""
        return "".join(log.read_text() for log in self.logs)


def at_once(requests: Sequence[Callable[[httpx.AsyncClient], Any]]) -> list[httpx.Response]:
    """Send all requests in parallel and return their answers, in order."""

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return list(await asyncio.gather(*(request(client) for request in requests)))

    return asyncio.run(send())
