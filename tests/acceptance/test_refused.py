"""Queue and store that refuse the first look, or cannot be had: the cause and the fix in two lines, and 78."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.acceptance.running import Ended, content_worker, environment

COMMANDS = [("run",), ("results",), ("heal",), ("forget", "--student", "s", "--yes")]


class Refusing(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Google's services, as far as that they answer at all: Pub/Sub takes everything, Firestore refuses everything."""

    def service(self, details: Any) -> Any:
        def answer(_request: bytes, context: Any) -> bytes:
            if "firestore" in details.method:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid jwt")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def two_lines(ended: Ended) -> tuple[str, str]:
    """The last two facts that were told: the cause, and the fix."""
    assert "Traceback" not in ended.everything
    assert ended.stdout == ""
    last = ended.stderr.splitlines()[-1]
    if last.startswith("{"):
        line = json.loads(last)
        return line["cause"], line["fix"]
    cause, fix = ended.stderr.splitlines()[-2:]
    return cause.removeprefix("content-worker: "), fix.removeprefix("  fix: ")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_store_that_refuses_the_first_look_is_an_operators_case(
    refusing: str, arguments: tuple[str, ...]
) -> None:
    ended = content_worker(
        *arguments,
        env=environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT="school",
            PUBSUB_EMULATOR_HOST=refusing,
            FIRESTORE_EMULATOR_HOST=refusing,
            WORKER_STUDENT_KEY="a key of the tests",
            LOG_FORMAT="json",
        ),
    )
    cause, fix = two_lines(ended)
    assert (ended.code, "invalid jwt" in cause) == (78, True), ended.everything
    assert "GOOGLE_CLOUD_PROJECT" in fix


def _folder(at: Path) -> Path:
    at.mkdir()
    return at


def _no_database(at: Path) -> Path:
    at.write_text("a shopping list, and no database at all; " * 100)
    return at


def _below_a_file(at: Path) -> Path:
    at.write_text("")
    return at / "worker.db"


def _cut_off(at: Path) -> Path:
    at.write_bytes(b"SQLite format 3\0" + b"\x10" * 200)
    return at


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (_folder, ("run",)),
        (_folder, ("serve", "result")),
        (_no_database, ("results",)),
        (_no_database, ("run",)),
        (_below_a_file, ("publish", "why is the sky blue")),
        (_cut_off, ("dead-letters", "list")),
        (_cut_off, ("heal",)),
    ],
)
def test_a_file_that_can_be_no_database_is_named_with_what_to_do(
    tmp_path: Path, make: Any, arguments: tuple[str, ...]
) -> None:
    path = make(tmp_path / "worker.db")
    ended = content_worker(*arguments, env=environment(WORKER_DATABASE=str(path), LOG_FORMAT="json"))
    cause, fix = two_lines(ended)
    assert (ended.code, str(path) in cause) == (78, True), ended.everything
    assert "WORKER_DATABASE" in fix or "move it away" in fix


@pytest.mark.parametrize(
    "credentials", ["", "nothing-there.json", "key.json"], ids=["a folder", "missing", "no key"]
)
@pytest.mark.parametrize("arguments", [("run",), ("results",)])
def test_credentials_that_cannot_be_used_are_said_to_be_there(
    tmp_path: Path, credentials: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "key.json").write_text('{"type": "service_account"}')
    path = tmp_path / credentials
    ended = content_worker(
        *arguments,
        env=environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT="school",
            GOOGLE_APPLICATION_CREDENTIALS=str(path),
            LOG_FORMAT="json",
        ),
    )
    cause, fix = two_lines(ended)
    assert (ended.code, str(path) in cause) == (78, True), ended.everything
    assert "gcloud auth application-default login" in fix
