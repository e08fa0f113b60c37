"""Runs the command line as a stranger would: as a process, with an environment and nothing else."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.messaging.port import Message
from worker.settings import Settings, load_settings
from worker.wiring.backends import connect

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A process that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def everything(self) -> str:
        return self.stdout + self.stderr


def environment(**variables: str) -> dict[str, str]:
    """A clean environment: what a shell has, and the variables given; none that this process was started with."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, "PYTHONWARNINGS": "error", **variables}


def content_worker(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str | None = None,
    encoding: str | None = None,
) -> Ended:
    """Run one command to its end. `encoding` is that of its streams, the locale's by default."""
    process = subprocess.run(
        command(arguments),
        env=dict(env),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        encoding=encoding,
        timeout=TIMEOUT_SECONDS,
    )
    return Ended(code=process.returncode, stdout=process.stdout, stderr=process.stderr)


def publish(database: Path, *bodies: bytes) -> None:
    """Put messages on a topic of the embedded queue in this file, without a process for it."""

    async def send() -> None:
        async with connect(load_settings(worker_database=database)) as backend:
            await backend.publisher.publish("content-requests", [Message(data=body) for body in bodies])

    asyncio.run(send())


def provision(env: Mapping[str, str], *, cwd: Path | None = None) -> None:
    """Create what the queue needs in the project or the folder of that environment, without a process for it."""
    chosen = {name.lower(): value for name, value in env.items() if name.lower() in Settings.model_fields}
    if cwd is not None:
        chosen["worker_database"] = str(cwd / Settings.model_fields["worker_database"].default)

    async def create() -> None:
        async with connect(load_settings(**chosen)) as backend:
            await backend.provisioner.provision()

    asyncio.run(create())


@contextmanager
def started(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on beside the test; whatever happens, it has ended afterwards."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(arguments), env=dict(env), cwd=cwd, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def command(arguments: Sequence[str]) -> list[str]:
    """How the command line is started."""
    return [sys.executable, "-m", "worker", *arguments]
