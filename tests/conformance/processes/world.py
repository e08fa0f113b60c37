"""Where a scenario takes place: a project of its own on the emulators, an emulated Gemini, and the workers."""

import tempfile
import uuid
from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

from tests.acceptance.running import content_worker, environment
from tests.conformance.processes.cloud import Cloud
from tests.conformance.processes.workers import WorkerProcess
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_calls import SeenRequest
from tests.emulators.vertex_faults import Faults
from tests.emulators.vertex_process import VertexProcess

CALLS_KEPT = 200_000
"""More than any scenario makes: what is dropped from the log could not be counted."""


class World:
    """Use as `with World(hosts) as world`; at the end every process that it started is gone.

    `variables` go into the environment of all workers.
    """

    def __init__(
        self,
        hosts: EmulatorHosts,
        *,
        latency_seconds: float = 0.0,
        faults: Faults | None = None,
        lease_seconds: int = 60,
        **variables: str,
    ) -> None:
        self._hosts = hosts
        self._lease_seconds = lease_seconds
        self._stack = ExitStack()
        self._numbers = count(1)
        self._variables = variables
        self._project = f"conformance-{uuid.uuid4().hex[:12]}"
        self.vertex = VertexProcess(faults=faults, latency_seconds=latency_seconds)
        self.workers: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.vertex)
            self.vertex.control.keep_requests(CALLS_KEPT)
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.cloud = Cloud(self._hosts, self._project)
            stack.callback(self.cloud.close)
            self._provision()
            # From here on workers are added, which must be gone before the rest is.
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def worker(self, *arguments: str, **variables: str) -> WorkerProcess:
        """Start a worker, with `variables` before those of the world."""
        number = next(self._numbers)
        worker = WorkerProcess(
            *arguments,
            env={**self._environment(), **variables},
            output=self._folder / f"{number}.out",
            log=self._folder / f"{number}.log",
        )
        self.workers.append(worker)
        self._stack.callback(worker.end)
        return worker

    def calls(self) -> list[SeenRequest]:
        """Every call that any worker has made to a model."""
        return self.vertex.control.requests()

    def events(self) -> Counter[str]:
        """How often all workers together have logged what."""
        return Counter(line["message"] for worker in self.workers for line in worker.logged())

    def _provision(self) -> None:
        ended = content_worker("provision", env=self._environment())
        if ended.code != 0:
            raise RuntimeError(f"The project could not be provisioned: {ended.everything[-2000:]}")
        self.cloud.shorten_leases(self._lease_seconds)

    def _environment(self) -> dict[str, str]:
        return environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT=self._project,
            PUBSUB_EMULATOR_HOST=self._hosts.pubsub,
            FIRESTORE_EMULATOR_HOST=self._hosts.firestore,
            VERTEX_EMULATOR_HOST=self.vertex.host,
            WORKER_STUDENT_KEY="a key of the conformance kit",
            WORKER_LEASE_SECONDS=str(self._lease_seconds),
            LOG_FORMAT="json",
            **self._variables,
        )
