"""All that the worker talks to, emulated: Pub/Sub and Firestore by Google's emulators, Vertex AI by ours."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tests.emulators.google import EmulatorsUnavailable, GoogleEmulators
from tests.emulators.vertex_process import VertexProcess

PROJECT = "local-emulators"


@contextmanager
def local_cloud() -> Iterator[dict[str, str]]:
    """The environment variables that lead a worker to running emulators, with topics and subscriptions in place.

    Emulators that the environment names already are used and left running. Raises `EmulatorsUnavailable` where
    Google's cannot be started, or do not take the topics and subscriptions (stderr says why).
    """
    with ExitStack() as running:
        hosts = running.enter_context(GoogleEmulators())
        exports = {
            "WORKER_BACKEND": "google",
            "GOOGLE_CLOUD_PROJECT": _project(),
            "PUBSUB_EMULATOR_HOST": hosts.pubsub,
            "FIRESTORE_EMULATOR_HOST": hosts.firestore,
            "VERTEX_EMULATOR_HOST": os.environ.get("VERTEX_EMULATOR_HOST") or _vertex(running),
        }
        _provision(exports)
        yield exports


def _provision(exports: Mapping[str, str]) -> None:
    provision = [sys.executable, "-m", "worker", "provision"]
    ran = subprocess.run(provision, env={**os.environ, **exports}, stdout=subprocess.DEVNULL)
    if ran.returncode:
        raise EmulatorsUnavailable(
            f"Topics and subscriptions cannot be made at {exports['PUBSUB_EMULATOR_HOST']}."
        )


def _project() -> str:
    """The project of whoever runs the emulators, else our own: never a real one that happens to be set."""
    running = all(os.environ.get(f"{name}_EMULATOR_HOST") for name in ("PUBSUB", "FIRESTORE"))
    return (running and os.environ.get("GOOGLE_CLOUD_PROJECT")) or PROJECT


def _vertex(running: ExitStack) -> str:
    # A terminal sends Ctrl-C to all processes of the command. The model must outlive a worker that still drains.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return running.enter_context(VertexProcess()).host
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
