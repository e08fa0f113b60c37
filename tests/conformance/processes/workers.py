"""One worker as an operating system process: what is started, signalled and waited for by its process id."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.acceptance.running import command
from tests.conformance.processes.proxy import TcpProxy
from tests.conformance.processes.waiting import until

START_SECONDS = 60.0
END_SECONDS = 20.0


class WorkerProcess:
    """`python -m worker run --json`, whose calls to models can be told from those of others.

    It reaches the models that its environment names by a proxy of its own. `output` and `log` are the files that
    it prints to.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str], output: Path, log: Path) -> None:
        self._output = output
        self._log = log
        self._stack = ExitStack()
        self._models = self._stack.enter_context(TcpProxy(env["VERTEX_EMULATOR_HOST"]))
        with output.open("wb") as stdout, log.open("wb") as stderr:
            self._process = subprocess.Popen(
                command(["run", "--json", *arguments]),
                env={**env, "VERTEX_EMULATOR_HOST": self._models.host},
                stdout=stdout,
                stderr=stderr,
            )

    @property
    def peers(self) -> frozenset[str]:
        """The addresses that the Vertex emulator has seen this worker's calls come from."""
        return frozenset(self._models.peers)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def wait_until_pulling(self) -> None:
        """Return once it pulls messages. Raises `TimeoutError` when it never does."""
        until(
            lambda: any(line["message"] == "run.pulling" for line in self.logged()),
            START_SECONDS,
            "a first pull",
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def terminate(self) -> float:
        """Send SIGTERM and wait for the end; returns the seconds it took. Raises `TimeoutError` after 20."""
        begun = time.monotonic()
        self.send(signal.SIGTERM)
        self.wait(END_SECONDS)
        return time.monotonic() - begun

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit code. Raises `TimeoutError`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError(f"A worker has not ended after {seconds:.0f} s. {self.last_words()}") from exc

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.is_running:
            self._process.kill()
            self._process.wait()
        self._stack.close()

    def summary(self) -> dict[str, Any]:
        """What it printed at its end; empty when it was killed."""
        text = self._output.read_text()
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def logged(self) -> Iterator[dict[str, Any]]:
        """Its log lines so far."""
        for line in self._log.read_text(errors="replace").splitlines():
            # A worker that is killed may leave half a line.
            if line.startswith("{") and line.endswith("}"):
                yield json.loads(line)

    def last_words(self) -> str:
        """The end of its log, for the one who must find out what happened."""
        return self._log.read_text(errors="replace")[-2000:]
