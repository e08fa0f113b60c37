"""Google's Pub/Sub and Firestore emulators, started for as long as somebody needs them.

    with GoogleEmulators() as hosts:
        ...  # hosts.pubsub and hosts.firestore are "127.0.0.1:PORT"

Emulators that `PUBSUB_EMULATOR_HOST` and `FIRESTORE_EMULATOR_HOST` name already are used as they are.
Otherwise they come out of the installed Cloud SDK (`CLOUDSDK_ROOT`, or where `gcloud` on PATH lies) and run
under Java, or else out of the image `google/cloud-sdk:emulators` under Docker. Only loopback addresses are
listened on.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

START_TIMEOUT_SECONDS = 300.0  # a first start under Docker downloads the image
STOP_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.05
LOOPBACK = "127.0.0.1"
IMAGE = "google/cloud-sdk:emulators"
PORT_IN_CONTAINER = 8085
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


class EmulatorsUnavailable(RuntimeError):  # noqa: N818  # named as the errors of services.errors are
    """The emulators cannot be started here; the message says what to install."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatorHosts:
    """Where the emulators listen, each as `host:port`."""

    pubsub: str
    firestore: str


class GoogleEmulators:
    """Starts both emulators and stops them again. Raises `EmulatorsUnavailable` when there is no way to."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

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
            _, process = self._running.popitem()
            _stop(process)

    def __enter__(self) -> EmulatorHosts:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, command: Callable[[int], Sequence[str]]) -> str:
        port = free_port()
        host = f"{LOOPBACK}:{port}"
        self._running[host] = subprocess.Popen(
            ["sh", "-c", UNTIL_INPUT_ENDS, "sh", *command(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return host

    def _wait_until_ready(self, host: str) -> None:
        give_up = time.monotonic() + START_TIMEOUT_SECONDS
        while not _answers(host):
            process = self._running.get(host)
            if process and process.poll() is not None:
                raise EmulatorsUnavailable(f"An emulator ended at once: {process.args!r}.")
            if time.monotonic() > give_up:
                raise EmulatorsUnavailable(f"No emulator answers on {host}.")
            time.sleep(POLL_SECONDS)


def pubsub_command(port: int) -> Sequence[str]:
    """What runs the Pub/Sub emulator on this loopback port."""
    jars = sorted(_sdk().glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"))
    if jars and shutil.which("java"):
        return ["java", "-jar", str(jars[-1]), f"--host={LOOPBACK}", f"--port={port}"]
    return _container("pubsub", port)


def firestore_command(port: int) -> Sequence[str]:
    """What runs the Firestore emulator on this loopback port."""
    jar = _sdk() / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    if jar.exists() and shutil.which("java"):
        java = ["java", "-Duser.language=en", "-cp", str(jar), FIRESTORE_MAIN]
        return [*java, "start", f"--host={LOOPBACK}", f"--port={port}"]
    return _container("firestore", port)


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _sdk() -> Path:
    """The Cloud SDK's root folder, by `CLOUDSDK_ROOT` or from where `gcloud` really lies."""
    root = os.environ.get("CLOUDSDK_ROOT")
    return Path(root) if root else Path(shutil.which("gcloud") or "").resolve().parent.parent


def _container(emulator: str, port: int) -> Sequence[str]:
    daemon = ["docker", "info"]
    if not shutil.which("docker") or subprocess.run(daemon, capture_output=True, check=False).returncode:
        raise EmulatorsUnavailable(MISSING)
    docker = ["docker", "run", "--rm", "--init", f"--publish={LOOPBACK}:{port}:{PORT_IN_CONTAINER}", IMAGE]
    return [
        *docker,
        "gcloud",
        "beta",
        "emulators",
        emulator,
        "start",
        f"--host-port=0.0.0.0:{PORT_IN_CONTAINER}",
    ]


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/", timeout=2):
            return True
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
