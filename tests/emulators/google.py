"""Google's Pub/Sub and Firestore emulators, started for as long as somebody needs them.

    with GoogleEmulators() as hosts:
        ...  # hosts.pubsub and hosts.firestore are "127.0.0.1:PORT"

The first of three ways that there is, for each of them:
1. the one that `PUBSUB_EMULATOR_HOST` or `FIRESTORE_EMULATOR_HOST` names already, used as it is;
2. the installed Cloud SDK's (`CLOUDSDK_ROOT`, or where `gcloud` on PATH lies), under Java;
3. the one in the image `google/cloud-sdk:emulators`, under Docker.
Only loopback addresses are listened on.
"""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import click

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.05
LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_768)
JAVA = (
    "java",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
)  # for minutes of little work a quick start counts
FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"

# The emulator runs behind a shell that waits for the end of its input: when the process that started it is
# gone, however it ended, its end of the pipe closes and the shell takes the emulator down too.
UNTIL_INPUT_ENDS = 'exec 3<&0; "$@" </dev/null & child=$!; { read -r _ <&3; kill $child; } & wait $child'

MISSING = (
    "Google's Pub/Sub and Firestore emulators were not found. Install the Cloud SDK and Java, and run: "
    "gcloud components install pubsub-emulator cloud-firestore-emulator "
    "(on Debian: apt-get install google-cloud-cli-pubsub-emulator google-cloud-cli-firestore-emulator "
    "default-jre-headless), or start Docker, or set PUBSUB_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST."
)


class EmulatorsUnavailable(click.ClickException):
    """The emulators cannot be started here; the message says what to install."""

    exit_code = 69  # EX_UNAVAILABLE of sysexits.h


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatorHosts:
    """Where the emulators listen, each as `host:port`."""

    pubsub: str
    firestore: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """How Docker runs an emulator: its name in `gcloud emulators`, and what it logs once it listens."""

    emulator: str
    ready: str


class Running(Protocol):
    """An emulator that somebody started."""

    host: str

    def failure(self) -> str | None:
        """Why it is not running any more, if it is not."""

    def stop(self) -> None:
        """End it, and return when it is gone."""


class GoogleEmulators:
    """Starts both emulators and stops them again. Raises `EmulatorsUnavailable` when there is no way to."""

    def __init__(self) -> None:
        self._running: dict[str, Running] = {}

    def start(self) -> EmulatorHosts:
        """Start what is not running yet and return when both answer; on failure nothing is left behind."""
        atexit.register(self.stop)
        try:
            hosts = EmulatorHosts(
                pubsub=os.environ.get("PUBSUB_EMULATOR_HOST") or self._start(pubsub_command),
                firestore=os.environ.get("FIRESTORE_EMULATOR_HOST") or self._start(firestore_command),
            )
            self._wait_until_ready(hosts.pubsub)
            self._wait_until_ready(hosts.firestore)
        except BaseException:
            self.stop()
            raise
        return hosts

    def stop(self) -> None:
        """Stop what `start` started, and wait until it is gone."""
        atexit.unregister(self.stop)
        while self._running:
            _, emulator = self._running.popitem()
            emulator.stop()

    def __enter__(self) -> EmulatorHosts:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, command: Callable[[int], Sequence[str] | Container]) -> str:
        port = free_port()
        way = command(port)
        emulator = _in_docker(way) if isinstance(way, Container) else _Process(way, f"{LOOPBACK}:{port}")
        self._running[emulator.host] = emulator
        return emulator.host

    def _wait_until_ready(self, host: str) -> None:
        give_up = time.monotonic() + START_TIMEOUT_SECONDS
        while not _answers(host):
            emulator = self._running.get(host)
            if emulator and (reason := emulator.failure()):
                raise EmulatorsUnavailable(f"An emulator ended at once: {reason}.")
            if time.monotonic() > give_up:
                raise EmulatorsUnavailable(f"No emulator answers on {host}.")
            time.sleep(POLL_SECONDS)


class _Process:
    """An emulator of the installed Cloud SDK."""

    def __init__(self, command: Sequence[str], host: str) -> None:
        self.host = host
        self._process = subprocess.Popen(
            ["sh", "-c", UNTIL_INPUT_ENDS, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def failure(self) -> str | None:
        code = self._process.poll()
        return None if code is None else f"exit code {code} of {self._process.args!r}"

    def stop(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def pubsub_command(port: int) -> Sequence[str] | Container:
    """What runs the Pub/Sub emulator on this loopback port; a container chooses its port itself."""
    jars = sorted(_sdk().glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"))
    if jars and shutil.which("java"):
        return [*JAVA, "-jar", str(jars[-1]), f"--host={LOOPBACK}", f"--port={port}"]
    return Container(emulator="pubsub", ready="Server started, listening on")


def firestore_command(port: int) -> Sequence[str] | Container:
    """What runs the Firestore emulator on this loopback port; a container chooses its port itself."""
    jar = _sdk() / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    if jar.exists() and shutil.which("java"):
        java = [*JAVA, "-Duser.language=en", "-cp", str(jar), FIRESTORE_MAIN]
        return [*java, "start", f"--host={LOOPBACK}", f"--port={port}"]
    return Container(emulator="firestore", ready="Dev App Server is now running")


def free_port() -> int:
    """A loopback port that nobody listens on at the moment.

    It is none of those that the system gives to outgoing connections (Linux: from 32768 on): until somebody listens on
    it, which takes Java seconds, any test that runs at the same time could be given it.
    """
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise EmulatorsUnavailable(f"All ports from {PORTS.start} to {PORTS.stop - 1} are in use.")


def _sdk() -> Path:
    """The Cloud SDK's root folder, by `CLOUDSDK_ROOT` or from where `gcloud` really lies."""
    root = os.environ.get("CLOUDSDK_ROOT")
    return Path(root) if root else Path(shutil.which("gcloud") or "").resolve().parent.parent


def _in_docker(container: Container) -> Running:
    from tests.emulators.docker_emulator import DockerEmulator  # an import that only this way needs

    return DockerEmulator(emulator=container.emulator, ready=container.ready)


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/", timeout=2):
            return True
    except OSError:
        return False
