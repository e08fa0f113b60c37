"""The emulator as a process of its own, for tests that run the worker as one."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.emulators.vertex_control import VertexControl
from tests.emulators.vertex_faults import Faults

_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 10.0


class VertexProcess:
    """Use as `with VertexProcess(faults=…) as vertex: … vertex.host, vertex.control`."""

    def __init__(self, *, faults: Faults | None = None, latency_seconds: float = 0.0) -> None:
        faults_json = (faults or Faults()).model_dump_json()
        self._command = [sys.executable, "-m", "tests.emulators.vertex", "--latency", str(latency_seconds)]
        self._command += ["--faults", faults_json]
        self._process: subprocess.Popen[str] | None = None
        self._control: VertexControl | None = None
        self._host = ""

    @property
    def host(self) -> str:
        """`address:port`, as VERTEX_EMULATOR_HOST wants it; empty before the start."""
        return self._host

    @property
    def control(self) -> VertexControl:
        """The control of this process. Raises `RuntimeError` before the start."""
        if self._control is None:
            raise RuntimeError("The Vertex emulator is not running; call start() first.")
        return self._control

    @property
    def pid(self) -> int:
        """The process id. Raises `RuntimeError` before the start."""
        return self._running().pid

    def start(self) -> None:
        """Start, and return once it listens. Raises `RuntimeError` when it ends instead."""
        self._process = subprocess.Popen(self._command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        name, _, host = line.strip().partition("=")
        if name != "VERTEX_EMULATOR_HOST":
            code = self.stop()
            raise RuntimeError(f"The Vertex emulator did not start: exit code {code}; its stderr says why.")
        self._host = host
        self._control = VertexControl(host)

    def stop(self) -> int:
        """Ask it to stop, insist after ten seconds, return its exit code. `RuntimeError` before the start."""
        process = self._running()
        if self._control is not None:
            self._control.close()
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return process.returncode

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("The Vertex emulator was not started; call start() first.")
        return self._process
