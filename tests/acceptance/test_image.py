"""The container image: rules of the Dockerfile, and, where an engine is, what the built image does.

docker build -t content-worker .
CONTENT_WORKER_TEST_IMAGE=content-worker scripts/test tests/acceptance/test_image.py
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud.firestore_v1 import Client
from google.pubsub_v1 import PublisherClient, SubscriberClient, types

from tests.acceptance.running import ROOT, TIMEOUT_SECONDS, Ended
from tests.builders import message_bytes
from tests.emulators.google import LOOPBACK, EmulatorHosts, free_port
from tests.emulators.image_tasks import HARDENED, STOP_SECONDS
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

MEMORY = "512m"  # what Cloud Run gives a job that does not ask for more
FLAGS = [*HARDENED, "--network=host", f"--memory={MEMORY}", f"--memory-swap={MEMORY}"]
LARGEST = 350_000_000
PATIENT_SECONDS = 60
API_SECRET = "a-secret-of-the-tests"

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


def test_the_revision_is_a_label_that_changes_no_layer(dockerfile: list[tuple[str, str]]) -> None:
    words = [word for word, _ in last_stage(dockerfile)]
    arguments = [text for _, text in last_stage(dockerfile)]
    place = arguments.index('REVISION=""')
    assert 'org.opencontainers.image.revision="${REVISION}"' in arguments[place + 1 :]
    assert set(words[place:]) == {"ARG", "LABEL"}


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
        self.vertex = vertex
        self.digest = docker("image", "inspect", "--format={{.Id}}", image).stdout.strip()
        self._image = image
        variables = {
            "GOOGLE_CLOUD_PROJECT": project,
            "PUBSUB_EMULATOR_HOST": hosts.pubsub,
            "FIRESTORE_EMULATOR_HOST": hosts.firestore,
            "VERTEX_EMULATOR_HOST": vertex.host,
            "WORKER_IDLE_TIMEOUT_SECONDS": "2",
            "WORKER_STUDENT_KEY": "a key of the tests",
            "WORKER_IMAGE_DIGEST": self.digest,
            "LOG_FORMAT": "json",
        }
        self._env = [f"--env={name}={value}" for name, value in variables.items()]

    def run(self, *arguments: str, options: tuple[str, ...] = ("--rm",)) -> Ended:
        return docker("run", *options, *FLAGS, *self._env, self._image, *arguments)

    @contextmanager
    def container(self, *arguments: str, **variables: str) -> Iterator[str]:
        """A container that runs on beside the test, by its id; afterwards it is gone."""
        own = [f"--env={name}={value}" for name, value in variables.items()]
        started = self.run(*arguments, options=("--detach", *own))
        assert started.code == 0, started.everything
        container = started.stdout.strip()
        try:
            yield container
        finally:
            docker("rm", "--force", container)

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

    def is_drained(self) -> bool:
        """Whether the queue holds nothing any more, acked or given back by nobody."""
        path = f"projects/{self.id}/subscriptions/content-requests-worker"
        with SubscriberClient() as client:
            return not client.pull(subscription=path, max_messages=1, timeout=3, retry=None).received_messages

    def calls(self) -> Counter[str]:
        """What the model was asked for so far, by stage."""
        return Counter(request.stage for request in self.vertex.control.requests())


def wait_until(condition: Callable[[], bool], container: str) -> None:
    """Return once it is so. Fails with what the container says where that takes too long."""
    give_up = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < give_up, docker("logs", container).everything
        time.sleep(0.05)


def events(container: str) -> list[dict[str, Any]]:
    """What a container has logged so far."""
    return [json.loads(line) for line in docker("logs", container).stderr.splitlines()]


def has_logged(event: str, container: str) -> bool:
    return any(entry["message"] == event for entry in events(container))


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def ended(container: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a container that has been told to stop, or ends by itself, and its summary."""
    code = int(docker("wait", container).stdout)
    logs = docker("logs", container)
    assert logs.stdout, logs.stderr[-3000:]
    return code, json.loads(logs.stdout)


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


def test_it_is_small_enough_to_be_started_often(image: str) -> None:
    assert int(docker("image", "inspect", "--format={{.Size}}", image).stdout) < LARGEST


def test_it_says_its_version_and_its_commands(image: str) -> None:
    version = docker("run", "--rm", *FLAGS, image, "--version")
    helped = docker("run", "--rm", *FLAGS, image, "--help")
    assert (version.code, helped.code) == (0, 0), version.stderr + helped.stderr
    assert re.fullmatch(r"content-worker, version \d+\.\d+\.\d+\n", version.stdout)
    assert "provision" in helped.stdout


def test_it_is_not_root_owns_nothing_holds_no_build_tools_and_is_compiled(image: str) -> None:
    seen = docker("run", "--rm", *FLAGS, "--entrypoint=python", image, "-c", WHAT_PYTHON_SEES)
    assert seen.code == 0, seen.stderr
    assert json.loads(seen.stdout) == {
        "uid": 10001,
        "gid": 10001,
        "tools": [],
        "uncompiled": [],
        "writable": [],
    }


def test_without_a_project_it_says_what_is_missing(image: str) -> None:
    ran = docker("run", "--rm", *FLAGS, image)
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
    # Then it ends by itself and every question has its completed document, which names the image
    assert ran.code == 0, ran.everything
    documents = deployed.documents()
    assert set(documents) == ids
    assert {document["status"] for document in documents.values()} == {"completed"}
    assert {document["mode"] for document in documents.values()} == {"live"}
    assert {document["image_digest"] for document in documents.values()} == {deployed.digest}
    # And so does the first thing that it says
    greeting = json.loads(ran.stderr.splitlines()[0])
    assert (greeting["message"], greeting["image_digest"]) == ("run.started", deployed.digest)


@pytest.mark.emulators
def test_docker_stop_ends_it_in_good_order(deployed: Project) -> None:
    # Given a container that would run for ever, and has begun
    with deployed.container("run", "--continuous", "--json") as container:
        deployed.publish(message_bytes(request_id="image-stop"))
        wait_until(lambda: has_logged("message.settled", container), container)
        # When it is told to stop, as an orchestrator does it
        docker("stop", "-t", str(STOP_SECONDS), container)
        # Then it has ended by itself, in time, with its summary said
        code, summary = ended(container)
        assert (code, summary["ending"]) == (0, "stopped")


@pytest.mark.emulators
def test_a_message_in_flight_at_sigterm_is_answered_by_the_next_container_and_paid_once(
    deployed: Project,
) -> None:
    # Given a container that waits for a script longer than it may live once it is told to stop
    deployed.vertex.control.set_faults(Faults(rules=[Rule(stage="script", latency_seconds=90)]))
    deployed.publish(message_bytes(request_id="image-cut"))
    with deployed.container("run", "--json") as container:
        wait_until(lambda: deployed.calls()["script"] == 1, container)
        # When it is told to stop; a busy machine may take its time to end the process
        docker("stop", "-t", str(PATIENT_SECONDS), container)
        # Then it was not killed, and says that it answered nothing
        code, summary = ended(container)
        assert (code, summary["ending"], summary["pulled"]) == (0, "stopped", 1)
        assert summary["results"] == {}
        # And by its own clock it was done before Cloud Run would have killed it
        said = {entry["message"]: datetime.fromisoformat(entry["time"]) for entry in events(container)}
        assert said["run.ended"] - said["run.stopping"] < timedelta(seconds=STOP_SECONDS)
    # When the model is quick again and another container runs
    deployed.vertex.control.set_faults(Faults())
    ran = deployed.run("run", "--json")
    # Then it has the message, and there is one result
    assert ran.code == 0, ran.everything
    (document,) = deployed.documents().values()
    assert (document["request_id"], document["status"], document["mode"]) == (
        "image-cut",
        "completed",
        "live",
    )
    assert deployed.is_drained()
    # And what the first one had stored was not paid for again: only the script was asked for twice
    assert deployed.calls() == {"nlu": 1, "interest": 1, "script": 2}
    assert [document["stages"][stage]["cached"] for stage in ("nlu", "interest", "script")] == [
        True,
        True,
        False,
    ]


@pytest.mark.emulators
def test_two_tasks_of_one_execution_share_a_queue_and_answer_each_message_once(deployed: Project) -> None:
    # Given two containers that look into an empty queue, with few slots and a model that takes its time
    deployed.vertex.control.set_faults(Faults(rules=[Rule(latency_seconds=0.2)]))
    variables = {
        "CLOUD_RUN_EXECUTION": "content-worker-abcde",
        "CLOUD_RUN_TASK_COUNT": "2",
        "WORKER_CONCURRENCY": "4",
        "WORKER_IDLE_TIMEOUT_SECONDS": "6",
    }
    with ExitStack() as stack:
        tasks = [
            stack.enter_context(
                deployed.container("run", "--json", **variables, CLOUD_RUN_TASK_INDEX=str(index))
            )
            for index in range(2)
        ]
        for task in tasks:
            wait_until(partial(has_logged, "run.pulling", task), task)
        # When forty questions come in
        ids = {f"image-{number:02}" for number in range(40)}
        deployed.publish(
            *(
                message_bytes(request_id=name, student_query=f"Explain photosynthesis in leaves, {name}")
                for name in sorted(ids)
            )
        )
        outcomes = [ended(task) for task in tasks]
        # Then both have ended well and worked, and each says which task it was
        assert [code for code, _ in outcomes] == [0, 0]
        answered = [sum(summary["results"].values()) for _, summary in outcomes]
        assert all(answered)
        assert sum(answered) == 40
        greetings = [events(task)[0] for task in tasks]
        assert [(said["execution"], said["task_index"], said["task_count"]) for said in greetings] == [
            ("content-worker-abcde", 0, 2),
            ("content-worker-abcde", 1, 2),
        ]
        assert {said["image_digest"] for said in greetings} == {deployed.digest}
    # And every question has one document, made at the first attempt, and was paid for once
    documents = deployed.documents()
    assert set(documents) == ids
    assert {(found["status"], found["attempt"]) for found in documents.values()} == {("completed", 1)}
    assert {found["image_digest"] for found in documents.values()} == {deployed.digest}
    assert deployed.is_drained()
    assert deployed.calls() == {"nlu": 40, "interest": 40, "script": 40}


@pytest.mark.emulators
def test_a_way_in_is_served_by_the_same_image_with_nothing_to_write_to(deployed: Project) -> None:
    # Given the image serving on a free port
    port = free_port()
    arguments = ("serve", "submit", f"--host={LOOPBACK}", f"--port={port}")
    with deployed.container(*arguments, WORKER_API_KEYS=f"test:{API_SECRET}") as container:
        wait_until(partial(is_listening, port), container)
        # When a question is posted
        answer = httpx.post(
            f"http://{LOOPBACK}:{port}/",
            content=message_bytes(request_id="image-http"),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {API_SECRET}"},
            timeout=30,
        )
        # Then it is taken, and the container ends by itself when it is told to
        assert answer.status_code == 202, answer.text
        docker("stop", "-t", str(PATIENT_SECONDS), container)
        assert docker("wait", container).stdout.strip() == "0"
        assert not [entry for entry in events(container) if entry["severity"] == "ERROR"]
    # And the worker answers it
    assert deployed.run().code == 0
    assert deployed.documents()["image-http"]["status"] == "completed"
