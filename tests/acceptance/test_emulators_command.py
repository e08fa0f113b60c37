"""`content-worker emulators`: everything starts, a command can run against it, everything stops."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.acceptance.running import TIMEOUT_SECONDS, command, content_worker, environment, started
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_process import VertexProcess

pytestmark = pytest.mark.emulators


HAS_WORK_LEFT = """
import os, signal, socket

def listens(name):
    host, port = os.environ[f"{name}_EMULATOR_HOST"].split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
print("begun", flush=True)
signal.sigwait({signal.SIGTERM})
print(all(listens(name) for name in ("PUBSUB", "FIRESTORE", "VERTEX") for _ in range(200)))
"""
"""A command that would give its work back before it ends. The many looks are for an emulator that is just going."""


@pytest.fixture(autouse=True)
def _installed(google_emulators: EmulatorHosts) -> None:
    """Skips where Google's emulators are missing."""


@pytest.fixture
def running(google_emulators: EmulatorHosts) -> Iterator[dict[str, str]]:
    """Emulators that somebody else has started, by the variables that name them."""
    with VertexProcess() as vertex:
        yield {
            "PUBSUB_EMULATOR_HOST": google_emulators.pubsub,
            "FIRESTORE_EMULATOR_HOST": google_emulators.firestore,
            "VERTEX_EMULATOR_HOST": vertex.host,
        }


def is_listening(host: str) -> bool:
    name, port = host.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((name, int(port))) == 0


def test_a_command_runs_against_emulators_with_everything_provisioned(running: dict[str, str]) -> None:
    # Given a command that publishes and drains, and one that fails
    script = f"{sys.executable} -m worker publish 'how do magnets work in motors' && {sys.executable} -m worker run"
    env = environment(WORKER_IDLE_TIMEOUT_SECONDS="1", WORKER_STUDENT_KEY="a key of the tests")
    # When they are run, the first against fresh emulators
    ran = content_worker("emulators", "--", "sh", "-c", script, env=env)
    # Then the work was done live, and the exit code is the command's
    assert ran.code == 0, ran.everything
    assert "1 answered (1 completed) (1 live)" in ran.stdout
    assert content_worker("emulators", "--", "sh", "-c", "exit 7", env={**env, **running}).code == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_command_the_export_lines_are_printed_and_a_signal_stops_everything(
    number: signal.Signals,
) -> None:
    # Given running emulators
    with started("emulators", env=environment()) as process:
        assert process.stdout is not None
        exports = {}
        for line in process.stdout:
            if line.startswith("#"):
                break
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = value
        hosts = [exports[f"{name}_EMULATOR_HOST"] for name in ("PUBSUB", "FIRESTORE", "VERTEX")]
        assert all(map(is_listening, hosts))
        assert (exports["WORKER_BACKEND"], bool(exports["GOOGLE_CLOUD_PROJECT"])) == ("google", True)
        # When they are told to stop
        process.send_signal(number)
        process.communicate(timeout=60)
    # Then nothing of them is left
    assert not any(map(is_listening, hosts))
    assert process.returncode in (0, 128 + number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_the_emulators_stay_until_it_has_ended(
    number: signal.Signals,
) -> None:
    # Given a command against the emulators, in a session of its own as under a terminal
    arguments = command(["emulators", "--", sys.executable, "-c", HAS_WORK_LEFT])
    with subprocess.Popen(
        arguments, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        # When a terminal sends Ctrl-C to all processes, or an orchestrator SIGTERM to the first
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    # Then the command was asked to end, found its emulators still there, and its exit code counts
    assert (process.returncode, said) == (0, "True\n")


def test_emulators_that_the_environment_names_are_used_and_stay(running: dict[str, str]) -> None:
    # Given emulators that run already, of some project
    exports = {**running, "WORKER_BACKEND": "google", "GOOGLE_CLOUD_PROJECT": "some-project"}
    # When a command is run against emulators with their variables set
    ran = content_worker("emulators", "--", "env", env={**environment(), **exports})
    # Then it has got these, and they are still there afterwards
    assert ran.code == 0, ran.everything
    assert set(ran.stdout.splitlines()) >= {f"{name}={value}" for name, value in exports.items()}
    assert len(running) == 3
    assert all(map(is_listening, running.values()))
