"""How a way in starts and ends as a process; on the embedded backend, without any cloud."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.http_serving import Served, serving, wait_for
from tests.acceptance.running import ROOT, content_worker, environment
from tests.builders import EXAMPLE
from tests.emulators.google import LOOPBACK, free_port

SECRET = "the-secret-of-the-app"
NOWHERE = "/no/such/folder"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(
        WORKER_DATABASE=str(tmp_path / "worker.db"),
        WORKER_IDLE_TIMEOUT_SECONDS="0.2",
        WORKER_STUDENT_KEY="a key of the tests",
        LOG_FORMAT="json",
    )


@pytest.fixture
def submit(env: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    with serving("submit", env=env, log=tmp_path / "submit.log") as served:
        yield served


def test_without_any_cloud_a_question_is_taken_answered_looked_at_and_rated(
    env: dict[str, str], submit: Served, tmp_path: Path
) -> None:
    with (
        serving("result", env=env, log=tmp_path / "result.log") as result,
        serving("feedback", env=env, log=tmp_path / "feedback.log") as feedback,
    ):
        path = f"/{EXAMPLE['request_id']}"
        opinion = {"request_id": EXAMPLE["request_id"], "rating": 4}
        assert result.get(path).status_code == 404
        assert submit.post(EXAMPLE).status_code == 202
        assert result.get(path).status_code == 202
        assert feedback.post(opinion).status_code == 409
        assert content_worker("run", env=env).code == 0
        shown = result.get(path)
        assert (shown.status_code, shown.json()["script"]["title"] != "") == (200, True)
        assert feedback.post(opinion).status_code == 204
        assert submit.post(EXAMPLE).status_code == 200


def test_without_any_cloud_a_message_can_be_pushed(env: dict[str, str], tmp_path: Path) -> None:
    with serving("push", env=env, log=tmp_path / "push.log") as push:
        assert push.post(EXAMPLE).status_code == 204
        assert push.post(b"not json").status_code == 204
    assert "completed" in content_worker("results", env=env).stdout
    assert "not_json" in content_worker("dead-letters", "list", env=env).stdout


def test_it_says_what_it_is_and_ends_well_although_a_client_keeps_its_connection(submit: Served) -> None:
    (line,) = submit.events("serve.started")
    assert (line["target"], line["port"], line["backend"]) == ("submit", submit.port, "embedded")
    assert line["settings"]["worker_student_key"] == "**********"
    with httpx.Client(base_url=submit.url) as client:
        assert client.get("/").status_code == 405
        assert submit.terminate() == 0
    assert submit.events("serve.stopping")
    assert submit.events("serve.ended")


def test_a_client_that_never_ends_its_body_does_not_keep_it_from_ending(submit: Served) -> None:
    with socket.create_connection((LOOPBACK, submit.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert submit.terminate() == 0
        assert b"503" in client.recv(200)
    assert "Traceback" not in submit.log


def test_a_body_without_end_is_refused_and_the_connection_closed(submit: Served) -> None:
    # Given a client that sends without end and never said how much
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection((LOOPBACK, submit.port), timeout=60) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        # When it goes on and on, then it cannot for long
        with pytest.raises(ConnectionError):
            client.sendall(chunk * 2_000)
    # And a client that reads its answer gets one, whether it said how much it sends or not
    for body in (b"x" * 4_000_000, iter([chunk] * 60)):
        assert httpx.post(submit.url, content=body, timeout=60).status_code == 413


def test_what_is_no_http_is_answered_and_not_quoted_in_the_log(submit: Served) -> None:
    with socket.create_connection((LOOPBACK, submit.port)) as client:
        client.sendall(b"words of a student\r\n\r\n")
        assert b"400" in client.recv(200)
    assert submit.post(EXAMPLE).status_code == 202
    assert "words of a student" not in submit.log


def test_it_needs_no_folder_to_write_to(env: dict[str, str], tmp_path: Path) -> None:
    alone = {**env, "HOME": NOWHERE, "TMPDIR": NOWHERE, "XDG_RUNTIME_DIR": NOWHERE}
    with serving("submit", env=alone, log=tmp_path / "alone.log") as served:
        assert served.post(EXAMPLE).status_code == 202
        assert served.terminate() == 0


@pytest.mark.parametrize("keys", ["app:short", SECRET, f"app:{SECRET},app:{SECRET}x"])
def test_bad_keys_end_it_with_78_before_it_listens_and_are_not_quoted(env: dict[str, str], keys: str) -> None:
    ended = content_worker(
        "serve", "submit", "--port", str(free_port()), env={**env, "WORKER_API_KEYS": keys}
    )
    assert ended.code == 78, ended.everything
    assert "WORKER_API_KEYS" in ended.stderr
    assert SECRET not in ended.everything
    assert "short," not in ended.everything
    assert "Traceback" not in ended.everything


def test_a_bad_ladder_ends_push_with_78_before_it_listens(env: dict[str, str]) -> None:
    ended = content_worker(
        "serve", "push", "--port", str(free_port()), env={**env, "WORKER_MODELS": "no-such-provider:x"}
    )
    assert ended.code == 78, ended.everything
    assert "WORKER_MODELS" in ended.stderr
    assert "Traceback" not in ended.everything


def test_a_port_that_is_taken_ends_it_with_78_and_says_which(env: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = content_worker("serve", "submit", "--host", LOOPBACK, env={**env, "PORT": port})
    assert ended.code == 78, ended.everything
    assert port in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.everything


def test_an_unknown_target_is_refused_with_those_that_there_are(env: dict[str, str]) -> None:
    ended = content_worker("serve", "everything", env=env)
    assert ended.code == 2
    for target in ("submit", "result", "feedback", "push"):
        assert target in ended.stderr


def test_the_framework_serves_the_targets_by_itself_too(env: dict[str, str], tmp_path: Path) -> None:
    # Given the framework's own command, as where functions are deployed from source
    port, source = free_port(), ROOT / "worker" / "functions.py"
    arguments = ["--target", "submit", "--source", str(source), "--host", LOOPBACK, "--port", str(port)]
    framework = [str(Path(sys.executable).with_name("functions-framework")), *arguments]
    # It warns of things that are not ours
    own = {**env, "PYTHONWARNINGS": "default", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    with subprocess.Popen(
        framework, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_for(process, port)
            # When a question is submitted, then it is taken
            answer = httpx.post(f"http://{LOOPBACK}:{port}", json=EXAMPLE, timeout=60)
            assert answer.status_code == 202
            process.terminate()
            process.wait(timeout=30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_commands_that_serve_nothing_do_not_load_a_web_framework() -> None:
    check = (
        "import sys, worker.cli, worker.running, worker.publishing, worker.healing;"
        "print(sorted({'functions_framework', 'flask', 'starlette', 'uvicorn', 'gunicorn'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
