"""SIGTERM counts from the first instant, also where the kernel gives it to nobody who does not ask for it: to PID 1.

The signal comes while the process imports a certain module, so what has happened by then is the same every time.
"""

import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.acceptance.running import TIMEOUT_SECONDS, Ended, command, environment, publish
from tests.builders import message_bytes

# Imported by every Python process before anything else, from the path that the environment names.
SITECUSTOMIZE = """
import os, signal, sys

class Signalling:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["SIGNAL_AT"]:
            os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))

sys.meta_path.insert(0, Signalling())
"""
SCRIPT = ["-c", "import sys; from worker.__main__ import main; sys.exit(main())"]
AS_PID_1 = ("unshare", "--pid", "--fork", "--kill-child")


class Desk:
    """A folder with one question in its queue."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "worker.db"
        self.env = environment(
            WORKER_DATABASE=str(self.database),
            WORKER_MODELS="mock",
            WORKER_STUDENT_KEY="a key of the tests",
            LOG_FORMAT="json",
        )
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
        self.signalled = {**self.env, "PYTHONPATH": str(folder), "SIGNAL": "SIGTERM"}
        publish(self.database, message_bytes())

    def __call__(
        self, arguments: Sequence[str], *, at: str, number: str = "SIGTERM", prefix: Sequence[str] = ()
    ) -> Ended:
        """Run something that gets a signal while it imports the module `at`."""
        env = {**self.signalled, "SIGNAL_AT": at, "SIGNAL": number}
        process = subprocess.run(
            [*prefix, *arguments], env=env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
        return Ended(code=process.returncode, stdout=process.stdout, stderr=process.stderr)

    def waiting(self) -> tuple[int, int]:
        """How many messages wait, and how often the most delivered one of them was delivered."""
        with closing(connect(self.database)) as database:
            count, attempt = database.execute("SELECT count(*), max(attempt) FROM messages").fetchone()
        return count, attempt


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(params=["ordinary", "PID 1"])
def prefix(request: pytest.FixtureRequest) -> Sequence[str]:
    if request.param == "ordinary":
        return ()
    tried = subprocess.run([*AS_PID_1, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no process can be made PID 1 here: {tried.stderr.strip()}")
    return AS_PID_1


EARLY = [
    "click",
    "worker.cli",
    "worker.settings",
    "pydantic_core",
    "worker.running",
    "worker.wiring.backends",
]


@pytest.mark.parametrize("at", [*EARLY, "services.storage.sqlite", "services.messaging.sqlite"])
def test_a_run_that_is_told_to_stop_while_it_starts_ends_well_without_a_pull(
    desk: Desk, prefix: Sequence[str], at: str
) -> None:
    ended = desk(command(["run", "--continuous"]), at=at, prefix=prefix)
    assert (ended.code, ended.stdout) == (0, "stopped after 0.0 s, 0 pulled, 0 answered, $0.0000\n"), (
        ended.stderr
    )
    assert '"run.stopping"' in ended.stderr
    assert "Traceback" not in ended.stderr
    assert desk.waiting() == (1, 0)


def test_the_installed_command_listens_as_early(desk: Desk, prefix: Sequence[str]) -> None:
    python = command([])[0]
    ended = desk([python, *SCRIPT, "run"], at="worker.cli", prefix=prefix)
    assert (ended.code, desk.waiting()) == (0, (1, 0))


def test_the_installed_command_is_the_one_that_listens() -> None:
    # Given what the package says to be its command
    pyproject = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    # Then it is the function that the tests here call
    assert 'content-worker = "worker.__main__:main"' in pyproject


@pytest.mark.parametrize("at", ["worker.cli", "services.storage.sqlite"])
def test_a_server_that_is_told_to_stop_while_it_starts_ends_well(
    desk: Desk, prefix: Sequence[str], at: str
) -> None:
    ended = desk(command(["serve", "push", "--host", "127.0.0.1", "--port", "18080"]), at=at, prefix=prefix)
    assert ended.code == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert '"serve.ended"' in ended.stderr


@pytest.mark.parametrize("at", ["worker.healing", "services.storage.sqlite"])
def test_healing_that_is_told_to_stop_while_it_starts_ends_well(
    desk: Desk, prefix: Sequence[str], at: str
) -> None:
    ended = desk(command(["heal"]), at=at, prefix=prefix)
    assert (ended.code, "Traceback" in ended.stderr) == (0, False), ended.stderr


@pytest.mark.parametrize("at", ["worker.cli", "services.messaging.sqlite"])
def test_a_command_that_is_cut_off_says_so_by_its_exit_code_and_has_done_nothing(
    desk: Desk, prefix: Sequence[str], at: str
) -> None:
    ended = desk(command(["publish", "why is the sky blue"]), at=at, prefix=prefix)
    assert (ended.code, ended.everything) == (143, "")
    assert desk.waiting() == (1, 0)


@pytest.mark.parametrize("at", ["worker.cli", "services.storage.sqlite"])
def test_ctrl_c_shows_nobody_a_stack(desk: Desk, at: str) -> None:
    ended = desk(command(["results"]), at=at, number="SIGINT")
    assert ended.code in (1, 130)
    assert "Traceback" not in ended.stderr
