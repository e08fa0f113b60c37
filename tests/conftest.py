"""What every test may rely on: a clean environment, no way to Google, and emulators for those that ask."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.distribution import (  # noqa: F401  # hooks of pytest
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from tests.emulators.google import EmulatorHosts, EmulatorsUnavailable, GoogleEmulators

# How long an example takes says more about the machine than about the code, and the first text of a new checkout takes
# seconds: Hypothesis makes its table of characters then.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

OUTSIDE = ("WORKER_", "GOOGLE_", "GCLOUD_", "CLOUD_RUN_", "LOG_")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OUTSIDE) or name.endswith("_EMULATOR_HOST"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_google_credentials(
    _clean_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Google's clients look in the environment, in gcloud's folder, at the metadata server: none of them is there."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.getbasetemp() / "no-gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="session")
def google_emulators() -> Iterator[EmulatorHosts]:
    """Pub/Sub and Firestore emulators, started once. Where they are missing tests are skipped, but fail in CI."""
    emulators = GoogleEmulators()
    try:
        hosts = emulators.start()
    except EmulatorsUnavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield hosts
    emulators.stop()


@pytest.fixture
def google_environment(google_emulators: EmulatorHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's clients made by this test talk to the emulators."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google_emulators.pubsub)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", google_emulators.firestore)


@pytest.fixture
def project() -> str:
    """A project id that no other test uses: on the emulators that is a world of its own."""
    return f"test-{uuid.uuid4().hex[:20]}"


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """Where this test's embedded queue and store may lie; the file is not there yet."""
    return tmp_path / "embedded" / "worker.db"
