"""What a newcomer types, on a fresh machine: no settings, no cloud, no emulators."""

import json
import os
import pty
import re
import signal
import subprocess
import termios
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.acceptance.running import Ended, command, content_worker, environment, started


class Desk:
    """An empty folder in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = environment(WORKER_IDLE_TIMEOUT_SECONDS="0.2", LOG_FORMAT="json")

    def __call__(self, *arguments: str, stdin: str | None = None, **variables: str) -> Ended:
        return content_worker(*arguments, env={**self.env, **variables}, cwd=self.folder, stdin=stdin)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def events(ended: Ended) -> list[dict[str, object]]:
    return [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]


def test_the_demo_shows_a_result_of_every_kind(desk: Desk) -> None:
    shown = desk("demo")
    assert shown.code == 0, shown.stderr
    statuses = ("completed", "processing", "needs_clarification", "out_of_scope", "blocked", "failed")
    for word in (*statuses, "dead letter"):
        assert word in shown.stdout
    for told in ("Quantum entanglement", "soccer", "mock", "To remember", "14 pulled"):
        assert told in shown.stdout
    assert list(desk.folder.iterdir()) == []


def test_the_demo_is_the_same_in_a_shell_that_is_set_up_for_production(desk: Desk) -> None:
    production = {
        "WORKER_BACKEND": "google",
        "WORKER_MODELS": "vertex:gemini-3.8-flash",
        "WORKER_MODELS_SCRIPT": "vertex:gemini-3.8-flash",
        "WORKER_ON_OUTAGE": "hold",
        "GOOGLE_CLOUD_PROJECT": "school-project",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
        "VERTEX_EMULATOR_HOST": "127.0.0.1:9",
    }
    shown = desk("demo", **production)
    assert shown.code == 0, shown.everything
    assert "(12 mock)" in shown.stdout


def test_a_question_is_published_answered_and_shown(desk: Desk) -> None:
    # Given a published question
    published = desk(
        "publish",
        "why do my ears pop on a plane",
        "--grade",
        "6",
        "--interest",
        "chess",
        "--request-id",
        "q-1",
    )
    assert published.code == 0, published.stderr
    assert "q-1" in published.stdout
    # When the queue is drained
    ran = desk("run")
    assert ran.code == 0, ran.stderr
    assert "1 answered (1 completed) (1 mock)" in ran.stdout
    # Then the result can be read as a table, by a person and by a program
    assert "q-1" in desk("results").stdout
    assert "To remember" in desk("results", "q-1").stdout
    document = json.loads(desk("results", "q-1", "--json").stdout)
    assert (document["status"], document["mode"], document["degraded"]) == ("completed", "mock", True)
    assert document["nlu"]["topic_id"] in ("physics.air_pressure", "biology.ear")
    sections = document["script"]["sections"]
    assert sum(section["duration_seconds"] for section in sections) == document["script"]["duration_seconds"]


def test_the_same_question_again_is_acked_and_changes_nothing(desk: Desk) -> None:
    desk("publish", "why do my ears pop on a plane", "--request-id", "q-1")
    desk("run")
    before = desk("results", "q-1", "--json").stdout
    desk("publish", "why do my ears pop on a plane", "--request-id", "q-1")
    again = json.loads(desk("run", "--json").stdout)
    assert (again["pulled"], again["settled"], again["results"]) == (1, {"ack": 1}, {})
    assert desk("results", "q-1", "--json").stdout == before


def test_a_file_of_questions_is_published_whole_or_not_at_all(desk: Desk) -> None:
    good = {"student_query": "how do magnets work inside a motor", "grade_level": 7}
    bad = {"student_query": "no", "grade_level": 7}
    # Given a file with a bad line
    (desk.folder / "questions.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\nnot json\n")
    refused = desk("publish", "--file", "questions.jsonl")
    assert refused.code == 1
    assert "question 2: student_query" in refused.stderr
    assert "question 3: not a JSON object" in refused.stderr
    # When it is mended and sent through standard input
    sent = desk("publish", "--file", "-", "--json", stdin="\n".join([json.dumps(good)] * 3))
    assert sent.code == 0, sent.stderr
    assert len({json.loads(line)["request_id"] for line in sent.stdout.splitlines()}) == 3
    # Then only what was sent the second time is answered
    assert json.loads(desk("run", "--json").stdout)["results"] == {"completed": 3}


def test_a_run_with_nothing_to_do_ends_well(desk: Desk) -> None:
    ran = desk("run")
    assert (ran.code, ran.stdout.startswith("drained")) == (0, True)


def test_several_workers_share_one_queue_without_doing_anything_twice(desk: Desk) -> None:
    # Given 60 questions, and three workers that start at once
    rows = [
        {"student_query": f"how do magnets work in motor {number}", "grade_level": 7} for number in range(60)
    ]
    desk("publish", "--file", "-", stdin="\n".join(map(json.dumps, rows)))
    with ExitStack() as running:
        workers = [
            running.enter_context(started("run", "--json", env=desk.env, cwd=desk.folder)) for _ in range(3)
        ]
        # When all have ended
        outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    # Then together they did each of them once
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sum(json.loads(output)["pulled"] for output in outputs) == 60
    documents = [json.loads(line) for line in desk("results", "--limit", "100", "--json").stdout.splitlines()]
    assert [(document["status"], document["attempt"]) for document in documents] == [("completed", 1)] * 60


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_continuous_run_goes_on_past_its_limits_until_a_signal_ends_it_well(
    desk: Desk, number: signal.Signals
) -> None:
    # Given a run that would be over by now, were it not continuous
    env = {**desk.env, "WORKER_MAX_RUNTIME_SECONDS": "0.01", "WORKER_IDLE_TIMEOUT_SECONDS": "0"}
    with started("run", "--continuous", "--json", env=env, cwd=desk.folder) as running:
        assert running.stderr is not None
        # When a question arrives while it waits, is answered, and then a signal comes
        desk("publish", "how do magnets work")
        for line in running.stderr:
            if '"message.settled"' in line:
                break
        running.send_signal(number)
        stdout, _ = running.communicate(timeout=30)
    # Then it ends well
    summary = json.loads(stdout)
    assert (running.returncode, summary["ending"], summary["results"]) == (0, "stopped", {"completed": 1})


def test_what_an_operator_should_know_is_logged_once_with_its_fix(desk: Desk) -> None:
    logged = events(desk("run", WORKER_CONCURENCY="5"))
    warnings = {str(event["message"]): event for event in logged if event["severity"] == "WARNING"}
    assert set(warnings) == {"setting.unknown", "student_key.missing", "model.offline"}
    assert all(event["fix"] for event in warnings.values())
    assert "WORKER_CONCURRENCY" in str(warnings["setting.unknown"]["fix"])


def test_neither_questions_nor_student_ids_are_logged(desk: Desk) -> None:
    rows = [
        {"student_query": "why is MARKER-QUESTION blue", "student_id": "MARKER-STUDENT", "grade_level": 5},
        {
            "student_query": "how do i make a bomb MARKER-BOMB",
            "student_id": "MARKER-STUDENT",
            "grade_level": 5,
        },
    ]
    desk("publish", "--file", "-", stdin="\n".join(map(json.dumps, rows)))
    ran = desk("run", LOG_LEVEL="DEBUG")
    assert ran.code == 0
    assert "MARKER" not in ran.everything


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WORKER_CONCURRENCY", "lots", "WORKER_CONCURRENCY"),
        ("WORKER_MODELS", "gemini-3.8-flash", "WORKER_MODELS"),
        ("WORKER_MODELS_SCRIPT", "vertx:gemini-3.8-flash, mock", "WORKER_MODELS_SCRIPT"),
        ("WORKER_MODELS", "vertex:gemni-3.8-flsh, mock", "gemini-3.8-flash"),
        ("WORKER_BACKEND", "google", "GOOGLE_CLOUD_PROJECT"),
        ("WORKER_ON_OUTAGE", "hold", "WORKER_ON_OUTAGE"),
        ("WORKER_DATABASE", "/proc/nowhere/worker.db", "/proc/nowhere"),
    ],
)
def test_a_setting_that_cannot_work_ends_the_run_with_78_before_anything_is_pulled(
    desk: Desk, variable: str, value: str, says: str
) -> None:
    ran = desk("run", **{variable: value})
    assert ran.code == 78, ran.everything
    assert says in ran.everything
    assert "fix" in ran.everything
    assert "Traceback" not in ran.everything
    assert ran.stdout == ""


def test_a_result_that_is_not_there_is_said_and_not_invented(desk: Desk) -> None:
    shown = desk("results", "nobody")
    assert (shown.code, shown.stdout) == (1, "")
    assert "nobody" in shown.stderr


@pytest.mark.parametrize("name", ["run", "publish", "results", "demo", "emulators", "provision"])
def test_every_command_explains_itself_with_an_example(desk: Desk, name: str) -> None:
    helped = desk(name, "--help")
    assert helped.code == 0
    assert f"content-worker {name}" in helped.stdout
    assert "Example" in helped.stdout


@pytest.mark.parametrize(("columns", "headings"), [(80, "request status topic title"), (200, None)])
def test_on_a_terminal_the_demos_table_fits_it(desk: Desk, columns: int, headings: str | None) -> None:
    # Given a terminal of this width
    terminal, screen = pty.openpty()
    termios.tcsetwinsize(screen, (50, columns))
    # When the demo is shown on it
    with subprocess.Popen(
        command(["demo"]), env=desk.env, cwd=desk.folder, stdin=screen, stdout=screen
    ) as process:
        os.close(screen)
        output = b""
        # At its end a terminal that nobody holds any more is an error, and no end of a file
        with suppress(OSError):
            while chunk := os.read(terminal, 65536):
                output += chunk
    os.close(terminal)
    # Then no line of the table is longer, or goes on on the next one
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("request"))
    table = lines[start : start + 16]
    assert max(map(len, table)) <= columns
    assert [line.split()[0] for line in table[1:]] == [*sorted(line.split()[0] for line in table[1:])]
    assert table[0].split() == (headings or "request status mode topic interest title cost age").split()
    assert process.returncode == 0
