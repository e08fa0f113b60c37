"""`scripts/emulators`: Pub/Sub, Firestore and Vertex emulators, with the topics and subscriptions in place."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.emulators.google import EmulatorsUnavailable
from tests.emulators.local_cloud import local_cloud


def main(command: Sequence[str]) -> int:
    """Start everything; run the command against it, or wait for Ctrl-C; stop everything."""
    # Both signals become the exception that unwinds the stack below, also where the shell has told its background
    # processes to ignore Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with local_cloud() as exports:
            return _run(command, {**os.environ, **exports}) if command else _wait(exports)
    except EmulatorsUnavailable as error:
        print(f"emulators: {error}", file=sys.stderr)
        return 69  # EX_UNAVAILABLE of sysexits.h


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as process:
        try:
            code = process.wait()
        except (KeyboardInterrupt, SystemExit):
            # It may give its work back first, and needs the emulators for that.
            process.terminate()
            code = process.wait()
    return code if code >= 0 else 128 - code


def _wait(exports: Mapping[str, str]) -> int:
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
