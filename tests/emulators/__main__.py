"""`scripts/emulators`: Pub/Sub, Firestore and Vertex emulators, with the topics and subscriptions in place."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from tests.emulators.google import EmulatorsUnavailable, GoogleEmulators
from tests.emulators.vertex_process import VertexProcess

PROJECT = "local-emulators"


def main(command: Sequence[str]) -> int:
    """Start everything; run the command against it, or wait for Ctrl-C; stop everything."""
    # Both signals become the exception that unwinds the stack below, also where the shell has told its background
    # processes to ignore Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as running:
        try:
            hosts = running.enter_context(GoogleEmulators())
        except EmulatorsUnavailable as error:
            print(f"emulators: {error}", file=sys.stderr)
            return 69  # EX_UNAVAILABLE of sysexits.h
        vertex = running.enter_context(VertexProcess())
        exports = {
            "WORKER_BACKEND": "google",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": hosts.pubsub,
            "FIRESTORE_EMULATOR_HOST": hosts.firestore,
            "VERTEX_EMULATOR_HOST": vertex.host,
        }
        environment = {**os.environ, **exports}
        subprocess.run(
            [sys.executable, "-m", "worker", "provision"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        if command:
            return subprocess.run(command, env=environment).returncode
        return _wait(exports)


def _wait(exports: dict[str, str]) -> int:
    for name, value in exports.items():
        print(f"export {name}={shlex.quote(value)}")
    print("# Paste these lines into another terminal. Ctrl-C stops the emulators.", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    try:
        sys.exit(main(arguments[1:] if arguments[:1] == ["--"] else arguments))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
