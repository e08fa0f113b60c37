"""`scripts/run-image`: the worker's image against the emulators, with what Cloud Run sets."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from tests.bench.questions import questions
from tests.emulators.image_tasks import DockerFailed, ImageTasks, docker

ROOT = Path(__file__).resolve().parents[2]
JOB = "content-worker"
STUDENT_KEY = "the key of a local run"
HANDED_ON = ("WORKER_", "LOG_", "GOOGLE_CLOUD_LOCATION")
LOOPBACK = ("127.0.0.1", "localhost")
HOST_OF_DESKTOP = "host.docker.internal"


class Unavailable(click.ClickException):
    """Something that only a person can mend; EX_UNAVAILABLE of sysexits.h."""

    exit_code = 69


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  scripts/run-image --questions 20                  build, publish 20 questions, answer them
  scripts/run-image --questions 200 --tasks 4       four tasks of one execution share the queue
  scripts/run-image --image content-worker -- run --json
  scripts/run-image -- results                      against emulators that keep running: run scripts/emulators
                                                    in another terminal, paste its export lines here first
\b
The containers are read-only, without capabilities, not root, and limited in memory. They get CLOUD_RUN_JOB,
_EXECUTION, _TASK_INDEX, _TASK_COUNT and _TASK_ATTEMPT, WORKER_IMAGE_DIGEST (the image's id), LOG_FORMAT=json, and
the WORKER_… and LOG_… variables that are set here. Ctrl-C is SIGTERM to all of them, ten seconds later SIGKILL.

\b
Works with a Docker engine on this Linux machine (the containers share its network), and with Docker Desktop
(they reach the emulators as host.docker.internal). A rootless engine does not reach them.

\b
Exit codes: the highest of the containers' (see: content-worker run --help); 69 when there is no Docker, no image
or no emulator.
""",
)
@click.option("--image", help="The image to run. Default: this checkout, built as content-worker.")
@click.option(
    "--tasks", type=click.IntRange(1, 50), default=1, show_default=True, help="Containers side by side."
)
@click.option(
    "--questions", "number", type=click.IntRange(0, 10_000), default=0, help="Publish that many first."
)
@click.option(
    "--memory", default="512m", show_default=True, help="What one container may take, as of docker."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(image: str | None, tasks: int, number: int, memory: str, arguments: Sequence[str]) -> None:
    """Run the worker's image against the emulators, as Cloud Run would run it.

    ARGUMENTS after -- go to the image instead of `run`.
    """
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, signal.default_int_handler)
    try:
        engine = _engine()
        name = image or _built()
        digest = _digest(name)
        limits = [f"--memory={memory}", f"--memory-swap={memory}"]
        sys.exit(_run(name, digest, engine, tasks=tasks, number=number, limits=limits, arguments=arguments))
    except DockerFailed as error:
        raise Unavailable(str(error)) from error


def _run(
    image: str,
    digest: str,
    engine: str,
    *,
    tasks: int,
    number: int,
    limits: Sequence[str],
    arguments: Sequence[str],
) -> int:
    from tests.emulators.local_cloud import local_cloud  # brings Google's clients; --help needs none

    with local_cloud() as exports:
        if number:
            _publish(number, exports)
        network, reached = _reached(exports, engine)
        with ImageTasks(
            image,
            execution=f"{JOB}-{uuid.uuid4().hex[:5]}",
            number=tasks,
            variables=_variables(reached, digest),
            options=[*network, *limits],
            arguments=arguments,
        ) as execution:
            return execution.run()


def _engine() -> str:
    """What the engine runs on. Raises `Unavailable` when there is none."""
    if not shutil.which("docker"):
        raise Unavailable("There is no docker on PATH. Install Docker Engine, or Docker Desktop.")
    try:
        return docker("info", "--format={{.OperatingSystem}}")
    except DockerFailed as error:
        raise Unavailable(
            f"No Docker engine answers: {error}\n"
            "Start it (sudo systemctl start docker, or Docker Desktop), and check that you may use it: docker info"
        ) from error


def _built() -> str:
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    revision = subprocess.run(describe, capture_output=True, text=True).stdout.strip()
    build = ["docker", "build", f"--tag={JOB}", f"--build-arg=REVISION={revision}", str(ROOT)]
    if subprocess.run(build, stdout=sys.stderr).returncode:
        raise Unavailable("The image could not be built; Docker says above why.")
    return JOB


def _digest(image: str) -> str:
    try:
        return docker("image", "inspect", "--format={{.Id}}", image)
    except DockerFailed as error:
        raise Unavailable(
            f"Docker has no image {image}: {error}\n"
            f"Pull it, or build it: docker build -t {image} . (without --image that is done for you)"
        ) from error


def _publish(number: int, exports: Mapping[str, str]) -> None:
    rows = ({**fields, "request_id": f"local-{uuid.uuid4().hex[:12]}"} for fields in questions(number))
    published = subprocess.run(
        [sys.executable, "-m", "worker", "publish", "--file=-"],
        env={**os.environ, **exports},
        input="".join(json.dumps(row) + "\n" for row in rows),
        text=True,
        stdout=sys.stderr,
    )
    if published.returncode:
        raise Unavailable("The questions could not be published; it says above why.")


def _reached(exports: Mapping[str, str], engine: str) -> tuple[Sequence[str], dict[str, str]]:
    """The network options of containers, and the variables that lead from within them to the emulators."""
    if sys.platform == "linux" and engine != "Docker Desktop":
        return ["--network=host"], dict(exports)
    return [], {name: _from_desktop(value) for name, value in exports.items()}


def _from_desktop(value: str) -> str:
    host, colon, port = value.partition(":")
    return f"{HOST_OF_DESKTOP}:{port}" if colon and host in LOOPBACK else value


def _variables(exports: Mapping[str, str], digest: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)}
    return {
        "LOG_FORMAT": "json",
        "WORKER_STUDENT_KEY": STUDENT_KEY,
        **own,
        **exports,
        "CLOUD_RUN_JOB": JOB,
        "WORKER_IMAGE_DIGEST": digest,
    }


if __name__ == "__main__":
    main(prog_name="scripts/run-image")
