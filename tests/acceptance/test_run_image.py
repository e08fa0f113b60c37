"""`scripts/run-image`: what it asks of Docker, noted by a stand-in; and the real thing where an image is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import ROOT, TIMEOUT_SECONDS, Ended, environment
from tests.acceptance.test_image import docker, image  # noqa: F401  # the fixture
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_process import VertexProcess

STAND_IN = """
import json, os, sys
from pathlib import Path

with Path(os.environ["DOCKER_NOTES"]).open("a") as notes:
    print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}), file=notes)
answers = json.loads(os.environ["DOCKER_ANSWERS"])
said, code = answers.get(sys.argv[1], ["", 0])
print(said, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
DIGEST = "sha256:" + "ab" * 32
ANSWERS = {"info": ["Debian GNU/Linux", 0], "image": [DIGEST, 0], "inspect": ["false", 0]}
SECRET = "a key of the tests"

Calls = list[dict[str, Any]]


class Desk:
    """A terminal in which `docker` is a stand-in, and emulators run already."""

    def __init__(self, folder: Path, emulators: dict[str, str]) -> None:
        self._folder = folder
        docker = folder / "docker"
        docker.write_text(f"#!{sys.executable}\n{STAND_IN}")
        docker.chmod(0o755)
        self._env = {**emulators, "DOCKER_NOTES": str(folder / "notes"), "WORKER_STUDENT_KEY": SECRET}

    def __call__(self, *arguments: str, answers: dict[str, list[Any]] | None = None) -> Ended:
        env = environment(**self._env, DOCKER_ANSWERS=json.dumps({**ANSWERS, **(answers or {})}))
        env["PATH"] = f"{self._folder}{os.pathsep}{env['PATH']}"
        return run_image(*arguments, env=env)

    def calls(self, command: str) -> Calls:
        """What docker was asked for, by its first word."""
        lines = (self._folder / "notes").read_text().splitlines()
        return [call for line in lines if (call := json.loads(line))["arguments"][0] == command]


def run_image(*arguments: str, env: dict[str, str]) -> Ended:
    ran = subprocess.run(
        command(*arguments), cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    return Ended(code=ran.returncode, stdout=ran.stdout, stderr=ran.stderr)


def command(*arguments: str) -> list[str]:
    """As scripts/run-image does it, without looking whether something is to be installed."""
    return [sys.executable, "-m", "tests.emulators.run_image", *arguments]


@pytest.fixture
def running(google_emulators: EmulatorHosts, project: str) -> Iterator[dict[str, str]]:
    """The lines that scripts/emulators exports."""
    with VertexProcess() as vertex:
        yield {
            "WORKER_BACKEND": "google",
            "GOOGLE_CLOUD_PROJECT": project,
            "PUBSUB_EMULATOR_HOST": google_emulators.pubsub,
            "FIRESTORE_EMULATOR_HOST": google_emulators.firestore,
            "VERTEX_EMULATOR_HOST": vertex.host,
        }


@pytest.fixture
def desk(tmp_path: Path, running: dict[str, str]) -> Desk:
    return Desk(tmp_path, running)


def test_the_script_starts_it() -> None:
    last = (ROOT / "scripts" / "run-image").read_text().splitlines()[-1]
    assert last == 'exec .venv/bin/python -m tests.emulators.run_image "$@"'


def test_help_shows_examples_and_what_is_set() -> None:
    helped = run_image("--help", env=environment())
    assert helped.code == 0
    for part in ("Examples:", "--tasks 4", "CLOUD_RUN_JOB", "Docker Desktop", "Exit codes:"):
        assert part in helped.stdout


def test_without_docker_it_says_what_to_install(tmp_path: Path) -> None:
    ran = run_image(env={**environment(), "PATH": str(tmp_path)})
    assert ran.code == 69
    assert "no docker on PATH" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.emulators
def test_an_engine_that_does_not_answer_and_an_image_that_is_not_there_are_told_with_the_fix(
    desk: Desk,
) -> None:
    no_engine = desk(answers={"info": ["Cannot connect to the Docker daemon", 1]})
    assert no_engine.code == 69
    assert "Cannot connect to the Docker daemon" in no_engine.stderr
    assert "systemctl start docker" in no_engine.stderr
    no_image = desk("--image=absent", answers={"image": ["No such image: absent", 1]})
    assert no_image.code == 69
    assert "docker build -t absent ." in no_image.stderr
    no_build = desk(answers={"build": ["failed to solve", 1]})
    assert no_build.code == 69
    assert "failed to solve" in no_build.stderr
    assert "Traceback" not in no_engine.stderr + no_image.stderr + no_build.stderr
    assert desk.calls("create") == []


@pytest.mark.emulators
def test_tasks_are_made_hardened_with_what_cloud_run_sets_and_no_secret_in_the_list_of_processes(
    desk: Desk, running: dict[str, str]
) -> None:
    # When two tasks are run with a command of their own
    ran = desk("--image=some-image", "--tasks=2", "--memory=256m", "--", "results", "--json")
    assert ran.code == 0, ran.everything
    # Then nothing was built, and each container is as bare as it can be
    assert desk.calls("build") == []
    created = desk.calls("create")
    assert len(created) == 2
    for call in created:
        assert set(call["arguments"]) >= {
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--memory=256m",
            "--memory-swap=256m",
            "--network=host",
        }
        assert call["arguments"][-3:] == ["some-image", "results", "--json"]
        # And knows where it is
        given = {
            name: call["environment"][name]
            for argument in call["arguments"]
            if (name := argument.removeprefix("--env=")) != argument
        }
        assert given.items() >= running.items()
        assert given["CLOUD_RUN_JOB"] == "content-worker"
        assert (given["CLOUD_RUN_TASK_COUNT"], given["CLOUD_RUN_TASK_ATTEMPT"]) == ("2", "0")
        assert (given["WORKER_IMAGE_DIGEST"], given["LOG_FORMAT"]) == (DIGEST, "json")
        assert given["WORKER_STUDENT_KEY"] == SECRET
        assert SECRET not in " ".join(call["arguments"])
    assert [call["environment"]["CLOUD_RUN_TASK_INDEX"] for call in created] == ["0", "1"]
    (execution,) = {call["environment"]["CLOUD_RUN_EXECUTION"] for call in created}
    # And all of them are started, and gone in the end
    names = {f"{execution}-0", f"{execution}-1"}
    assert {call["arguments"][-1] for call in desk.calls("start")} == names
    assert set(desk.calls("rm")[-1]["arguments"]) >= names


@pytest.mark.emulators
def test_without_an_image_this_checkout_is_built_with_its_revision(desk: Desk) -> None:
    assert desk().code == 0
    (built,) = desk.calls("build")
    assert built["arguments"][-1] == str(ROOT)
    assert "--tag=content-worker" in built["arguments"]
    assert any(argument.startswith("--build-arg=REVISION=") for argument in built["arguments"])


@pytest.mark.emulators
def test_under_docker_desktop_containers_reach_the_emulators_by_the_name_of_the_host(
    desk: Desk, running: dict[str, str]
) -> None:
    assert desk("--image=some-image", answers={"info": ["Docker Desktop", 0]}).code == 0
    (created,) = desk.calls("create")
    assert not any(argument.startswith("--network") for argument in created["arguments"])
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "VERTEX_EMULATOR_HOST"):
        expected = running[name].replace("127.0.0.1", "host.docker.internal")
        assert created["environment"][name] == expected


@pytest.mark.emulators
def test_the_exit_code_is_the_highest_and_what_could_not_be_made_is_removed(desk: Desk) -> None:
    assert desk("--image=some-image", "--tasks=2", answers={"start": ["", 75]}).code == 75
    removed = len(desk.calls("rm"))
    failed = desk("--image=some-image", answers={"create": ["invalid memory", 1]})
    assert (failed.code, "invalid memory" in failed.stderr) == (69, True)
    assert len(desk.calls("rm")) == removed + 1


@pytest.fixture
def terminal(image: str, running: dict[str, str]) -> dict[str, str]:  # noqa: F811  # the fixture
    """The environment of a terminal with a real Docker, and emulators that run already."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    return environment(**kept, **running, WORKER_IDLE_TIMEOUT_SECONDS="4", WORKER_STUDENT_KEY=SECRET)


@pytest.mark.emulators
def test_questions_are_published_and_answered_by_two_tasks_and_can_be_read(
    image: str,  # noqa: F811  # the fixture
    terminal: dict[str, str],
) -> None:
    # When twelve questions are put to two tasks
    ran = run_image(f"--image={image}", "--questions=12", "--tasks=2", "--", "run", "--json", env=terminal)
    # Then they were answered, by both together
    assert ran.code == 0, ran.everything
    summaries = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(summaries) == 2
    assert sum(summary["results"].get("completed", 0) for summary in summaries) == 12
    # And the results say which image made them
    shown = run_image(f"--image={image}", "--", "results", "--json", env=terminal)
    assert shown.code == 0, shown.everything
    documents = [json.loads(line) for line in shown.stdout.splitlines()]
    digest = docker("image", "inspect", "--format={{.Id}}", image).stdout.strip()
    assert [document["image_digest"] for document in documents] == [digest] * 12


@pytest.mark.emulators
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_containers_end_in_good_order_and_leaves_none(
    image: str,  # noqa: F811  # the fixture
    terminal: dict[str, str],
    number: signal.Signals,
) -> None:
    # Given a container that would run for ever, and has begun
    arguments = command(f"--image={image}", "--questions=1", "--", "run", "--continuous", "--json")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        arguments, cwd=ROOT, env=terminal, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "message.settled" in line:
                break
        # When it is told to stop, by all processes of a terminal or alone
        os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
        stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    # Then the container has ended by itself
    assert process.returncode == 0, "".join(said) + stderr
    assert json.loads(stdout)["ending"] == "stopped"
    # And is gone
    (execution,) = {
        json.loads(line)["execution"] for line in said if line.startswith("{") and '"run.started"' in line
    }
    assert docker("ps", "--all", "--quiet", f"--filter=name={execution}").stdout == ""
