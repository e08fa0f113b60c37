"""Standard streams that break: the work goes on, and the exit code is that of the work."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.acceptance.running import TIMEOUT_SECONDS, Ended, command, content_worker, environment, publish
from tests.builders import message_bytes

QUESTIONS = 12


class Desk:
    """A folder with questions in its queue."""

    def __init__(self, folder: Path, questions: int = QUESTIONS) -> None:
        self.folder = folder
        self.env = environment(
            WORKER_DATABASE=str(folder / "worker.db"),
            WORKER_IDLE_TIMEOUT_SECONDS="0.2",
            WORKER_MAX_RUNTIME_SECONDS="60",
            WORKER_CONCURRENCY="4",
            WORKER_MODELS="mock",
            WORKER_STUDENT_KEY="a key of the tests",
            LOG_FORMAT="json",
        )
        bodies = [
            message_bytes(request_id=f"q-{number}", student_query=f"how do magnets work in motor {number}")
            for number in range(questions)
        ]
        publish(folder / "worker.db", *bodies)

    def __call__(self, *arguments: str, stdin: str | None = None) -> Ended:
        return content_worker(*arguments, env=self.env, stdin=stdin)

    def redirected(self, redirection: str, *arguments: str) -> Ended:
        """A command whose streams the shell has set up."""
        shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *command(arguments)]
        process = subprocess.run(shell, env=self.env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        return Ended(code=process.returncode, stdout=process.stdout, stderr=process.stderr)

    def answered(self) -> int:
        """How many questions have their result, when nothing waits any more."""
        with closing(connect(self.folder / "worker.db")) as database:
            assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)
            query = "SELECT count(*) FROM content_results WHERE status = 'completed'"
            (answered,) = database.execute(query).fetchone()
        return int(answered)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("answered"))
    assert desk("run").code == 0
    return desk


@contextmanager
def unread_pipe(*, blocking: bool, reader_is_gone: bool) -> Iterator[int]:
    """The end of a pipe from which nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, blocking)
    if reader_is_gone:
        os.close(reader)
    else:
        os.write(writer, b"x" * (1 << 16))
    yield writer
    os.close(writer)
    if not reader_is_gone:
        os.close(reader)


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&- >&- <&-"])
def test_a_run_whose_log_cannot_be_written_answers_everything_and_ends_as_ever(
    desk: Desk, redirection: str
) -> None:
    ended = desk.redirected(redirection, "run", "--json")
    assert ended.code == 0
    assert desk.answered() == QUESTIONS
    if ">&- <&-" not in redirection:
        assert json.loads(ended.stdout)["results"] == {"completed": QUESTIONS}


@pytest.mark.parametrize(
    ("blocking", "reader_is_gone"),
    [(True, True), (True, False), (False, False)],
    ids=["gone", "hung", "non-blocking"],
)
def test_a_run_whose_log_nobody_reads_neither_hangs_nor_loses_anything(
    desk: Desk, blocking: bool, reader_is_gone: bool
) -> None:
    with unread_pipe(blocking=blocking, reader_is_gone=reader_is_gone) as log:
        ran = subprocess.run(
            command(["run", "--json"]),
            env=desk.env,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=TIMEOUT_SECONDS,
        )
    summary = json.loads(ran.stdout)
    assert (ran.returncode, summary["ending"], summary["results"]) == (0, "drained", {"completed": QUESTIONS})
    assert desk.answered() == QUESTIONS


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true"])
def test_a_summary_that_cannot_be_printed_changes_neither_the_work_nor_the_exit_code(
    desk: Desk, redirection: str
) -> None:
    # Given a standard output that takes nothing
    shell = f'{{ "$@"; echo "code $?" >&2; }} {redirection}'
    arguments = ["sh", "-c", shell, "sh", *command(["run"])]
    # When the queue is drained
    ran = subprocess.run(arguments, env=desk.env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    # Then that is what its exit code says, and nobody is shown a stack
    assert ran.stderr.splitlines()[-1] == "code 0"
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
    assert desk.answered() == QUESTIONS


@pytest.mark.parametrize("arguments", [("publish", "why is the sky blue"), ("heal", "--dry-run")])
def test_what_is_done_is_done_although_nobody_can_be_told(desk: Desk, arguments: tuple[str, ...]) -> None:
    ended = desk.redirected(">/dev/full", *arguments)
    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("results",), ("results", "--json")])
def test_what_was_asked_for_and_could_not_be_printed_is_an_error_with_its_cause_and_fix(
    answered: Desk, arguments: tuple[str, ...]
) -> None:
    ended = answered.redirected(">/dev/full", *arguments)
    cause, fix = ended.stderr.splitlines()
    assert (ended.code, cause) == (
        1,
        "content-worker: Standard output cannot be written: No space left on device.",
    )
    assert "make room" in fix


@pytest.mark.parametrize("arguments", [("results", "--json"), ("demo",)])
def test_a_reader_that_has_seen_enough_is_told_nothing(answered: Desk, arguments: tuple[str, ...]) -> None:
    ended = answered.redirected("| head -c 1", *arguments)
    assert ended.stderr == ""
