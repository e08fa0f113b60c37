"""`content-worker emulators`: everything starts, a command can run against it, everything stops."""

import signal
import socket
import sys

import pytest

from tests.acceptance.running import content_worker, environment, started
from tests.emulators.google import EmulatorHosts

pytestmark = pytest.mark.emulators


@pytest.fixture(autouse=True)
def _installed(google_emulators: EmulatorHosts) -> None:
    """Skips where Google's emulators are missing; the ones of this session are not used here."""


def is_listening(host: str) -> bool:
    name, port = host.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((name, int(port))) == 0


def test_a_command_runs_against_emulators_with_everything_provisioned() -> None:
    # Given a command that publishes and drains, and one that fails
    script = f"{sys.executable} -m worker publish 'how do magnets work in motors' && {sys.executable} -m worker run"
    env = environment(WORKER_IDLE_TIMEOUT_SECONDS="1", WORKER_STUDENT_KEY="a key of the tests")
    # When they are run against fresh emulators
    ran = content_worker("emulators", "--", "sh", "-c", script, env=env)
    # Then the work was done live, and the exit code is the command's
    assert ran.code == 0, ran.everything
    assert "1 answered (1 completed) (1 live)" in ran.stdout
    assert content_worker("emulators", "--", "sh", "-c", "exit 7", env=env).code == 7


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
