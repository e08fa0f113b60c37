"""The starter of Google's emulators: it leaves nothing behind and says what is missing."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.emulators.google import (
    Container,
    EmulatorHosts,
    EmulatorsUnavailable,
    GoogleEmulators,
    firestore_command,
    pubsub_command,
)

ROOT = Path(__file__).parents[2]

START_AND_WAIT = """
from tests.emulators.google import GoogleEmulators

hosts = GoogleEmulators().start()
print(hosts.pubsub, hosts.firestore, flush=True)
input()
"""


def answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/", timeout=5):
            return True
    except OSError:
        return False


def wait_until_gone(host: str) -> None:
    give_up = time.monotonic() + 30
    while answers(host):
        assert time.monotonic() < give_up, f"{host} still answers"
        time.sleep(0.05)


@pytest.mark.emulators
def test_emulators_that_run_already_are_used(
    google_emulators: EmulatorHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google_emulators.pubsub)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", google_emulators.firestore)

    # When
    with GoogleEmulators() as hosts:
        pass

    # Then
    assert hosts == google_emulators
    assert answers(google_emulators.pubsub)
    assert answers(google_emulators.firestore)


@pytest.mark.emulators
def test_emulators_go_when_the_process_that_started_them_is_killed(google_emulators: EmulatorHosts) -> None:
    # Given
    starter = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    hosts = starter.stdout.readline().split()
    assert [answers(host) for host in hosts] == [True, True]

    # When
    starter.kill()
    starter.communicate(timeout=30)

    # Then
    for host in hosts:
        wait_until_gone(host)


def test_where_no_emulators_are_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("CLOUDSDK_ROOT", os.fspath(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")

    # When
    with pytest.raises(EmulatorsUnavailable) as caught:
        GoogleEmulators().start()

    # Then
    assert "gcloud components install pubsub-emulator cloud-firestore-emulator" in str(caught.value)
    assert "PUBSUB_EMULATOR_HOST" in str(caught.value)


def test_an_emulator_that_ends_at_once_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a Cloud SDK whose Java is broken
    jars = tmp_path / "platform" / "pubsub-emulator" / "lib"
    jars.mkdir(parents=True)
    (jars / "cloud-pubsub-emulator-1.0-all.jar").touch()
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 3\n")
    java.chmod(0o755)
    monkeypatch.setenv("CLOUDSDK_ROOT", os.fspath(tmp_path))
    monkeypatch.setenv("PATH", os.fspath(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")

    # When / Then
    with pytest.raises(EmulatorsUnavailable, match="ended at once"):
        GoogleEmulators().start()


def test_without_a_cloud_sdk_docker_runs_the_emulators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_ROOT", os.fspath(tmp_path))
    assert pubsub_command(8801) == Container(emulator="pubsub", ready="Server started, listening on")
    assert firestore_command(8802) == Container(emulator="firestore", ready="Dev App Server is now running")


@pytest.mark.emulators
def test_docker_is_left_alone_where_emulators_run_or_are_installed(google_emulators: EmulatorHosts) -> None:
    # Given a process of its own, as others in this one may have imported anything
    script = "import sys\n" + START_AND_WAIT.replace("input()", "print('testcontainers' in sys.modules)")
    installed = {name: value for name, value in os.environ.items() if not name.endswith("_EMULATOR_HOST")}
    running = {
        **installed,
        "PUBSUB_EMULATOR_HOST": google_emulators.pubsub,
        "FIRESTORE_EMULATOR_HOST": google_emulators.firestore,
    }
    for env in (running, installed):
        # When the emulators are started
        ran = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True
        )
        # Then nothing of Docker's was imported
        assert ran.stdout.endswith("\nFalse\n"), ran.stderr
