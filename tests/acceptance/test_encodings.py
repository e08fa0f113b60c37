"""Output that is not UTF-8: what it cannot show is replaced, and JSON escapes it."""

import json
from collections.abc import Mapping

import pytest

from tests.acceptance.running import content_worker, environment, publish
from tests.builders import message_bytes

INTEREST = "fútbol ⚽ 足球"
NOTE = "día de prueba 測試"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A folder with a result and a dead letter in which there is more than Latin-1 can say."""
    database = tmp_path_factory.mktemp("encodings") / "worker.db"
    variables = environment(
        WORKER_DATABASE=str(database),
        WORKER_IDLE_TIMEOUT_SECONDS="0",
        WORKER_MODELS="mock",
        WORKER_STUDENT_KEY="a key of the tests",
    )
    publish(
        database,
        message_bytes(request_id="q-1", interest=INTEREST),
        f'{{"request_id": "q-2", "note": "{NOTE}"}}'.encode(),
    )
    assert content_worker("run", env=variables).code == 0
    return variables


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    "arguments",
    [("results",), ("results", "q-1"), ("dead-letters", "list"), ("dead-letters", "show", "q-2"), ("demo",)],
)
def test_what_cannot_be_shown_is_replaced(
    env: Mapping[str, str], encoding: str, arguments: tuple[str, ...]
) -> None:
    shown = content_worker(*arguments, env={**env, "PYTHONIOENCODING": encoding}, encoding=encoding)
    assert (shown.code, "Traceback" in shown.everything) == (0, False), shown.everything
    assert shown.stdout.isascii() or encoding != "ascii"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_says_everything_in_any_encoding(env: Mapping[str, str], encoding: str) -> None:
    narrow = {**env, "PYTHONIOENCODING": encoding}
    result = content_worker("results", "q-1", "--json", env=narrow, encoding=encoding).stdout
    letter = content_worker("dead-letters", "show", "q-2", "--json", env=narrow, encoding=encoding).stdout
    assert (result + letter).isascii()
    assert json.loads(result)["interest"]["name"] == INTEREST
    assert NOTE in json.loads(letter)["body"]


def test_json_for_people_stays_readable_where_it_can_be_shown(env: Mapping[str, str]) -> None:
    utf_8 = {**env, "PYTHONIOENCODING": "utf-8"}
    assert INTEREST in content_worker("results", "--json", env=utf_8, encoding="utf-8").stdout


def test_log_lines_are_json_in_any_encoding(env: Mapping[str, str]) -> None:
    ran = content_worker(
        "run",
        env={**env, "PYTHONIOENCODING": "ascii", "WORKER_TOPIC": "topic-ü", "LOG_FORMAT": "json"},
        encoding="ascii",
    )
    assert ran.code == 78
    ran = content_worker(
        "run",
        env={**env, "PYTHONIOENCODING": "ascii", "WORKER_IMAGE_DIGEST": "größe 測", "LOG_FORMAT": "json"},
        encoding="ascii",
    )
    assert json.loads(ran.stderr.splitlines()[0])["image_digest"] == "größe 測"


def test_what_a_command_is_given_may_be_no_text_at_all(env: Mapping[str, str]) -> None:
    for arguments in (
        ("results", "\udcff"),
        ("publish", "why is \udcff blue"),
        ("dead-letters", "show", "\udcff"),
    ):
        ended = content_worker(*arguments, env=env, encoding="utf-8")
        assert (ended.code, "Traceback" in ended.everything) == (1, False), ended.everything


def test_a_students_id_may_come_from_a_file_with_a_byte_order_mark(env: Mapping[str, str]) -> None:
    with_mark = "\ufeffstudent_001\r\n"
    arguments = ("forget", "--student", "-", "--dry-run", "--json")
    counted = content_worker(*arguments, env=env, stdin=with_mark, encoding="utf-8")
    assert json.loads(counted.stdout)["results"] == 1
