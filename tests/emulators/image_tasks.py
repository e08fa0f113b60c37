"""Containers of the worker's image, run as Cloud Run runs the tasks of one execution of a job."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

STOP_SECONDS = 10
"""What Cloud Run gives a container between SIGTERM and SIGKILL."""

HARDENED = (
    "--pull=never",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
"""Stricter than Cloud Run, whose file system is writable, in memory: the image must not need that."""


class DockerFailed(RuntimeError):  # noqa: N818  # named as the errors of services.errors are
    """A docker command failed; the message is what it said."""


def docker(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """What a docker command prints. Raises `DockerFailed`, with its last line, when it fails."""
    env = {**os.environ, **(variables or {})}
    ran = subprocess.run(["docker", *arguments], env=env, capture_output=True, text=True)
    if ran.returncode:
        raise DockerFailed((ran.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return ran.stdout.strip()


class ImageTasks:
    """The tasks of one execution, one container each. Use as a context: afterwards no container is left.

    `variables` go to every container, `options` to `docker create`, `arguments` to the worker. What the containers
    say goes to the standard streams of this process. Raises `DockerFailed` on entry when one cannot be made.
    """

    def __init__(
        self,
        image: str,
        *,
        execution: str,
        number: int,
        variables: Mapping[str, str],
        options: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        self._image = image
        self._names = [f"{execution}-{index}" for index in range(number)]
        self._variables = {**variables, "CLOUD_RUN_EXECUTION": execution, "CLOUD_RUN_TASK_COUNT": str(number)}
        self._options = options
        self._arguments = arguments
        self._attached: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            for index, name in enumerate(self._names):
                self._create(index, name)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def run(self) -> int:
        """Run all of them side by side to their end, and return the highest exit code.

        A KeyboardInterrupt stops them as Cloud Run would, a second one at once.
        """
        try:
            for name in self._names:
                # A session of its own: Ctrl-C is for this process, which knows how to pass it on.
                attach = ["docker", "start", "--attach", name]
                self._attached.append(
                    subprocess.Popen(attach, stdin=subprocess.DEVNULL, start_new_session=True)
                )
            return self._wait()
        except KeyboardInterrupt:
            print(f"run-image: SIGTERM; in {STOP_SECONDS} s SIGKILL", file=sys.stderr)
            self._stop()
            return self._wait()

    def _create(self, index: int, name: str) -> None:
        variables = {**self._variables, "CLOUD_RUN_TASK_INDEX": str(index), "CLOUD_RUN_TASK_ATTEMPT": "0"}
        # Names alone: values, a secret key among them, do not belong into the list of processes.
        names = [f"--env={variable}" for variable in variables]
        command = [
            "create",
            f"--name={name}",
            *HARDENED,
            *self._options,
            *names,
            self._image,
            *self._arguments,
        ]
        docker(*command, variables=variables)

    def _wait(self) -> int:
        codes = [process.wait() for process in self._attached]
        for name in self._names:
            if json.loads(docker("inspect", "--format={{json .State.OOMKilled}}", name)):
                print(f"run-image: {name} was killed: it took more than its memory", file=sys.stderr)
        return max(codes, default=0)

    def _stop(self) -> None:
        # Again, as long as one runs: the first time its start may not have reached the engine.
        while any(process.poll() is None for process in self._attached):
            docker("stop", "-t", str(STOP_SECONDS), *self._names)

    def _remove(self) -> None:
        with suppress(DockerFailed):  # some may never have been made
            docker("rm", "--force", *self._names)
        for process in self._attached:
            process.wait()
