"""The container image: rules of the Dockerfile, and, where an engine is, what the built image does.

docker build -t content-worker .
CONTENT_WORKER_TEST_IMAGE=content-worker scripts/test tests/acceptance/test_image.py
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1 import Client
from google.pubsub_v1 import PublisherClient, types

from tests.acceptance.running import ROOT, TIMEOUT_SECONDS, Ended
from tests.builders import message_bytes
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_process import VertexProcess

HARDENED = [
    "--pull=never",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=host",
]
STOP_SECONDS = 10  # what Cloud Run gives a container between SIGTERM and SIGKILL

WHAT_PYTHON_SEES = """
import importlib.util, json, os, sys
import services.generation.providers.vertex, services.messaging.pubsub, services.storage.firestore, worker.running
files = [module.__spec__ for module in list(sys.modules.values()) if getattr(module, "__spec__", None)]
print(json.dumps({
    "uid": os.getuid(),
    "gid": os.getgid(),
    "tools": [name for name in ("pip", "setuptools", "wheel") if importlib.util.find_spec(name)],
    "uncompiled": [spec.name for spec in files
                   if (spec.origin or "").startswith(sys.prefix) and spec.cached and not os.path.exists(spec.cached)],
    "writable": [folder for folder, _, _ in os.walk(sys.prefix) if os.access(folder, os.W_OK)],
}))
"""


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments; continued lines are joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    split = (line.partition(" ") for line in joined.splitlines())
    return [(word.upper(), arguments.strip()) for word, _, arguments in split]


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    return instructions((ROOT / "Dockerfile").read_text())


def arguments_of(wanted: str, dockerfile: list[tuple[str, str]]) -> list[str]:
    return [arguments for word, arguments in dockerfile if word == wanted]


def last_stage(dockerfile: list[tuple[str, str]]) -> list[tuple[str, str]]:
    begin = max(index for index, (word, _) in enumerate(dockerfile) if word == "FROM")
    return dockerfile[begin:]


def test_the_base_is_a_slim_python_that_a_build_argument_can_pin(dockerfile: list[tuple[str, str]]) -> None:
    assert [base.split()[0] for base in arguments_of("FROM", dockerfile)] == ["${PYTHON_IMAGE}"] * 2
    (default,) = (text for text in arguments_of("ARG", dockerfile) if text.startswith("PYTHON_IMAGE="))
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim[a-z-]*(@sha256:[0-9a-f]{64})?", default)


def test_the_worker_is_the_entry_point_and_not_a_shell(dockerfile: list[tuple[str, str]]) -> None:
    assert [json.loads(text) for text in arguments_of("ENTRYPOINT", dockerfile)] == [["content-worker"]]
    assert [json.loads(text) for text in arguments_of("CMD", dockerfile)] == [["run"]]


def test_the_last_stage_installs_nothing_and_ends_as_a_numbered_user(
    dockerfile: list[tuple[str, str]],
) -> None:
    final = last_stage(dockerfile)
    assert arguments_of("RUN", final) == []
    assert all(text.startswith("--from=build ") for text in arguments_of("COPY", final))
    # A number, because an orchestrator that demands "not root" cannot look names up.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", arguments_of("USER", final)[-1])


def test_whatever_is_installed_is_locked_by_hash(dockerfile: list[tuple[str, str]]) -> None:
    commands = [part for text in arguments_of("RUN", dockerfile) for part in text.split("&&")]
    installs = [part for part in commands if re.search(r"\bpip\b.* install ", part)]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-deps" in part for part in installs)
    for name in ("runtime.txt", "build.txt"):
        locked = (ROOT / "requirements" / name).read_text()
        entries = re.sub(r"\\\n\s*", " ", locked).splitlines()
        wanted = [entry for entry in entries if entry and not entry.lstrip().startswith("#")]
        assert wanted
        assert all("==" in entry and "--hash=sha256:" in entry for entry in wanted)
        assert "://" not in locked  # whose index it was is nobody's business


def test_only_what_is_copied_reaches_the_builder(dockerfile: list[tuple[str, str]]) -> None:
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    own = [text for text in arguments_of("COPY", dockerfile) if not text.startswith("--from=")]
    copied = {Path(source).parts[0] for text in own for source in text.split()[:-1]}
    assert ignore[0] == "*"
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied


@pytest.fixture(scope="session")  # as wide as the emulators, which need not start where this skips
def image() -> str:
    """The image under test. Where there is none its tests are skipped, in CI too: not every runner has an engine."""
    if not (name := os.environ.get("CONTENT_WORKER_TEST_IMAGE")):
        pytest.skip("Build the image and name it in CONTENT_WORKER_TEST_IMAGE; see the top of this file.")
    if not shutil.which("docker") or docker("version").code != 0:
        pytest.skip(f"No Docker daemon answers, so the image {name} cannot be run.")
    return name


def docker(*arguments: str) -> Ended:
    process = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    return Ended(code=process.returncode, stdout=process.stdout, stderr=process.stderr)


class Project:
    """A project on the emulators, filled and looked at with Google's own clients."""

    def __init__(self, image: str, hosts: EmulatorHosts, vertex: VertexProcess, project: str) -> None:
        self.id = project
        self._image = image
        variables = {
            "GOOGLE_CLOUD_PROJECT": project,
            "PUBSUB_EMULATOR_HOST": hosts.pubsub,
            "FIRESTORE_EMULATOR_HOST": hosts.firestore,
            "VERTEX_EMULATOR_HOST": vertex.host,
            "WORKER_IDLE_TIMEOUT_SECONDS": "2",
            "WORKER_STUDENT_KEY": "a key of the tests",
        }
        self._env = [f"--env={name}={value}" for name, value in variables.items()]

    def run(self, *arguments: str, options: tuple[str, ...] = ("--rm",)) -> Ended:
        return docker("run", *options, *HARDENED, *self._env, self._image, *arguments)

    def publish(self, *bodies: bytes) -> None:
        with PublisherClient() as client:
            messages = [types.PubsubMessage(data=body) for body in bodies]
            client.publish(topic=f"projects/{self.id}/topics/content-requests", messages=messages, timeout=30)

    def documents(self) -> dict[str, dict[str, Any]]:
        client = Client(project=self.id)
        found = {
            document.id: document.to_dict() for document in client.collection("content_results").stream()
        }
        client.close()
        return found


@pytest.fixture
def deployed(
    image: str, google_emulators: EmulatorHosts, google_environment: None, project: str
) -> Iterator[Project]:
    """The image in a project whose topics and subscriptions it has made itself."""
    with VertexProcess() as vertex:
        made = Project(image, google_emulators, vertex, project)
        provisioned = made.run("provision")
        assert provisioned.code == 0, provisioned.everything
        yield made


def test_it_says_its_version_and_its_commands(image: str) -> None:
    version = docker("run", "--rm", *HARDENED, image, "--version")
    helped = docker("run", "--rm", *HARDENED, image, "--help")
    assert (version.code, helped.code) == (0, 0), version.stderr + helped.stderr
    assert re.fullmatch(r"content-worker, version \d+\.\d+\.\d+\n", version.stdout)
    assert "provision" in helped.stdout


def test_it_is_not_root_owns_nothing_holds_no_build_tools_and_is_compiled(image: str) -> None:
    seen = docker("run", "--rm", *HARDENED, "--entrypoint=python", image, "-c", WHAT_PYTHON_SEES)
    assert seen.code == 0, seen.stderr
    assert json.loads(seen.stdout) == {
        "uid": 10001,
        "gid": 10001,
        "tools": [],
        "uncompiled": [],
        "writable": [],
    }


def test_without_a_project_it_says_what_is_missing(image: str) -> None:
    ran = docker("run", "--rm", *HARDENED, image)
    assert ran.code == 78
    assert "GOOGLE_CLOUD_PROJECT" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.emulators
def test_it_drains_a_queue_and_ends(deployed: Project) -> None:
    # Given twenty questions of an independent publisher
    ids = {f"image-{number:02}" for number in range(20)}
    deployed.publish(*(message_bytes(request_id=name) for name in sorted(ids)))
    # When the image is run as it is
    ran = deployed.run()
    # Then it ends by itself and every question has its completed document
    assert ran.code == 0, ran.everything
    documents = deployed.documents()
    assert set(documents) == ids
    assert {document["status"] for document in documents.values()} == {"completed"}
    assert {document["mode"] for document in documents.values()} == {"live"}


@pytest.mark.emulators
def test_docker_stop_ends_it_in_good_order(deployed: Project) -> None:
    # Given a container that would run for ever, and has begun
    started = deployed.run("run", "--continuous", "--json", options=("--detach",))
    container = started.stdout.strip()
    assert started.code == 0, started.everything
    try:
        deployed.publish(message_bytes(request_id="image-stop"))
        with subprocess.Popen(
            ["docker", "logs", "--follow", container],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as logs:
            assert logs.stderr is not None
            assert any("message.settled" in line for line in logs.stderr)
            logs.terminate()
        # When it is told to stop, as an orchestrator does it
        docker("stop", f"--time={STOP_SECONDS}", container)
        # Then it has ended by itself, in time, with its summary said
        ended = json.loads(docker("inspect", "--format={{json .State}}", container).stdout)
        assert ended["ExitCode"] == 0, docker("logs", container).stderr[-3000:]
        assert json.loads(docker("logs", container).stdout)["ending"] == "stopped"
    finally:
        docker("rm", "--force", container)
