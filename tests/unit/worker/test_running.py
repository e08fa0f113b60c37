"""What a run says at its beginning and its end, to people on standard output and to programs in the log."""

import asyncio
import json
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from services.storage.patience import Patience
from tests.acceptance.running import Ended, content_worker, environment
from tests.builders import delivery
from tests.fakes import RecordingPublisher, ScriptedQueue
from worker.consumer import Consumer, Limits
from worker.handler import Handled
from worker.lease import InFlight, LeaseKeeper
from worker.origin import Origin
from worker.puller import Puller
from worker.running import run_and_tell
from worker.settlement import Action, Settlement
from worker.settler import Settler

TASK = {
    "CLOUD_RUN_JOB": "content-worker",
    "CLOUD_RUN_EXECUTION": "content-worker-abc12",
    "CLOUD_RUN_TASK_INDEX": "2",
    "CLOUD_RUN_TASK_COUNT": "4",
    "CLOUD_RUN_TASK_ATTEMPT": "1",
    "WORKER_IMAGE_DIGEST": "sha256:0123",
}


def run(folder: Path, *arguments: str, **variables: str) -> Ended:
    """`run` on an empty embedded queue, as a process of its own."""
    quick = {"WORKER_IDLE_TIMEOUT_SECONDS": "0.1", "LOG_FORMAT": "json"}
    return content_worker("run", *arguments, env=environment(**quick, **variables), cwd=folder)


def logged(ended: Ended, message: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")
    ]
    (found,) = [line for line in lines if line["message"] == message]
    return found


def test_a_task_that_finds_nothing_to_do_ends_well_and_says_which_task_it_is(tmp_path: Path) -> None:
    # Given an empty queue; when it is drained by a task of an execution that was started again
    ended = run(tmp_path, **TASK)
    # Then the task ends well, and its line begins with its name
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith("task 2 of content-worker-abc12: drained after ")
    assert "0 pulled, 0 answered, $0.0000" in ended.stdout
    # And its log begins with where it comes from, the further attempt too
    begun = logged(ended, "run.started")
    assert begun["severity"] == "INFO"
    facts = ("image_digest", "execution", "task_index", "task_count", "attempt")
    assert [begun[name] for name in facts] == ["sha256:0123", "content-worker-abc12", 2, 4, 1]


def test_the_log_ends_with_the_summary_that_is_printed_for_programs(tmp_path: Path) -> None:
    # Given a task; when it is asked for a summary in JSON
    ended = run(tmp_path, "--json", **TASK)
    # Then the last line of its log holds all of it, as a line that Cloud Logging understands
    line, summary = logged(ended, "run.ended"), json.loads(ended.stdout)
    assert line == {**summary, "message": "run.ended", "severity": "INFO", "time": line["time"]}
    assert json.loads(ended.stderr.splitlines()[-1]) == line
    # And what metrics and alerts are made of is there
    assert {"ending", "pulled", "settled", "results", "modes", "bugs", "cost_usd", "saved_usd"} <= set(line)
    assert {"seconds", "exit_code", "execution", "task_index", "image_digest"} <= set(line)


def test_a_run_by_hand_names_no_execution(tmp_path: Path) -> None:
    # Given a shell without Cloud Run's variables, but for an index that was left over
    ended = run(tmp_path, CLOUD_RUN_TASK_INDEX="2")
    # Then neither what is printed nor what is logged speaks of a task
    assert ended.stdout.startswith("drained after ")
    assert logged(ended, "run.started")["task_index"] is None
    assert (logged(ended, "run.ended")["execution"], logged(ended, "run.ended")["task_index"]) == (None, None)


def test_a_run_that_cannot_start_has_no_end_to_tell(tmp_path: Path) -> None:
    # Given a ladder that means nothing; when a task is started with it
    ended = run(tmp_path, WORKER_MODELS="vertex", **TASK)
    # Then the log says which task it was and why, and no run has ended that never began
    assert ended.code == 78
    assert logged(ended, "run.started")["execution"] == "content-worker-abc12"
    assert "WORKER_MODELS" in logged(ended, "run.not_started")["cause"]
    assert "run.ended" not in ended.stderr


def test_no_secret_is_among_the_settings_that_a_run_logs(tmp_path: Path) -> None:
    # Given a student key; when a run is started with it
    ended = run(tmp_path, WORKER_STUDENT_KEY="hunter2-hunter2-hunter2")
    # Then the log tells that it is set, but not what it is
    assert "hunter2" not in ended.everything
    assert set(logged(ended, "run.started")["settings"]["worker_student_key"]) == {"*"}


def test_a_bug_outside_of_any_message_ends_the_run_with_its_summary_and_code_1() -> None:
    async def scenario() -> None:
        # Given a queue that delivers a message, and then breaks in a way that nobody foresaw
        queue = ScriptedQueue([[delivery(message_id="a")], ValueError("what a student wrote")])
        # When it is consumed
        with capture_logs() as logs:
            summary = await run_and_tell(worker_on(queue), Origin(execution="content-worker-abc12"))
        # Then what was done is told all the same, and whose doing it was
        assert (summary.ending, summary.pulled, summary.exit_code) == ("crashed", 1, 1)
        assert [line["event"] for line in logs][-2:] == ["run.crashed", "run.ended"]
        assert logs[-1] == {"event": "run.ended", "log_level": "info", **summary.as_json()}
        assert logs[-1]["execution"] == "content-worker-abc12"
        # And the cause is a place, because the error's text may quote a message
        assert "ValueError at " in logs[-2]["cause"]
        assert "student" not in str(logs)

    asyncio.run(scenario())


def worker_on(queue: ScriptedQueue) -> Consumer:
    """A consumer that acks whatever it gets."""

    async def ack(_message: InFlight) -> Handled:
        return Handled(settlement=Settlement(action=Action.ACK, reason="stored"))

    return Consumer(
        queue=queue,
        puller=Puller(queue),
        handler=type("Handler", (), {"handle": staticmethod(ack)})(),
        leases=LeaseKeeper(queue, lease_seconds=60),
        settler=Settler(queue=queue, publisher=RecordingPublisher(), dead_letter_topic="dead"),
        limits=Limits(concurrency=8, idle_timeout_seconds=0.0, max_runtime_seconds=60.0, lease_seconds=60),
        patience=Patience(),
    )
