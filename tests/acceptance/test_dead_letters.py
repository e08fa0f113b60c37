"""What an operator does about messages that could not be answered, on both backends, by the command line alone."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.messaging.port import Delivery, Message, MessagePublisher, MessageQueue
from services.messaging.pubsub import PubSubPublisher, PubSubQueue
from services.messaging.sqlite import SqlitePublisher, SqliteQueue
from tests.acceptance.running import Ended, content_worker, environment, provision
from tests.builders import message_bytes
from tests.emulators.google import EmulatorHosts

TOPIC, SUBSCRIPTION = "content-requests", "content-requests-worker"
NOT_UTF8 = b'{"request_id": "bad", "student_query": "\xff\xfe"}'


class Place:
    """Where commands are typed, and a publisher and a puller that know nothing of the worker."""

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        *,
        publisher: Callable[[], MessagePublisher],
        queue: Callable[[], MessageQueue],
    ) -> None:
        self.env = {
            "WORKER_IDLE_TIMEOUT_SECONDS": "0.2",
            "WORKER_MODELS": "mock",
            "LOG_FORMAT": "json",
            **env,
        }
        self.folder = folder
        self._publisher = publisher
        self._queue = queue

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        return content_worker(*arguments, env={**self.env, **variables}, cwd=self.folder)

    def letters(self, *arguments: str, **variables: str) -> Ended:
        return self("dead-letters", *arguments, **variables)

    def groups(self) -> dict[str, dict[str, Any]]:
        """What `list` says, by the kind of what went wrong."""
        listed = self.letters("list", "--json")
        assert listed.code == 0, listed.everything
        return {group["kind"]: group for group in map(json.loads, listed.stdout.splitlines())}

    def publish(self, *bodies: bytes, **attributes: str) -> None:
        async def send() -> None:
            publisher = self._publisher()
            await publisher.publish(TOPIC, [Message(data=body, attributes=attributes) for body in bodies])
            await publisher.close()  # type: ignore[attr-defined]  # both of them can

        asyncio.run(send())

    def take(self) -> Delivery:
        """The next message for the worker, taken away from it."""

        async def pull() -> Delivery:
            queue = self._queue()
            (delivery,) = await queue.pull(1, wait_seconds=5)
            await queue.acknowledge(delivery)
            await queue.close()  # type: ignore[attr-defined]  # both of them can
            return delivery

        return asyncio.run(pull())


@pytest.fixture
def desk(tmp_path: Path) -> Place:
    """A folder with the embedded backend."""
    path = tmp_path / ".local" / "worker.db"
    made = Place(
        environment(),
        tmp_path,
        publisher=lambda: SqlitePublisher(path=path),
        queue=lambda: SqliteQueue(path=path, subscription=SUBSCRIPTION),
    )
    provision(made.env, cwd=made.folder)
    return made


@pytest.fixture
def cloud(google_emulators: EmulatorHosts, google_environment: None, project: str, tmp_path: Path) -> Place:
    """A project on the emulators in which nothing is provisioned yet."""
    env = environment(
        WORKER_BACKEND="google",
        GOOGLE_CLOUD_PROJECT=project,
        PUBSUB_EMULATOR_HOST=google_emulators.pubsub,
        FIRESTORE_EMULATOR_HOST=google_emulators.firestore,
        WORKER_STUDENT_KEY="a key of the tests",
        WORKER_IDLE_TIMEOUT_SECONDS="2",
    )
    return Place(
        env,
        tmp_path,
        publisher=lambda: PubSubPublisher(project=project),
        queue=lambda: PubSubQueue(project=project, subscription=SUBSCRIPTION),
    )


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.emulators)])
def place(request: pytest.FixtureRequest) -> Place:
    """Each backend in turn, provisioned."""
    made: Place = request.getfixturevalue("cloud" if request.param == "google" else "desk")
    if request.param == "google":
        provision(made.env, cwd=made.folder)
    return made


def test_what_failed_is_found_mended_and_answered(place: Place) -> None:
    # Given a good question, two without a proper grade, and one that is no text
    wrong = [message_bytes(request_id=f"wrong-{number}", grade_level="seven") for number in range(2)]
    place.publish(message_bytes(request_id="good"), *wrong, NOT_UTF8, tenant="north")
    assert place("run").code == 0

    # When the operator looks, there are two causes
    groups = place.groups()
    assert {kind: group["count"] for kind, group in groups.items()} == {"invalid_fields": 2, "not_utf8": 1}
    group = groups["invalid_fields"]
    assert (group["stage"], group["attempts"], group["cost_usd"], group["cost_is_complete"]) == (
        "decode",
        1,
        0.0,
        True,
    )
    assert "grade_level" in group["cause"]
    # And one letter can be seen whole
    shown = place.letters("show", "wrong-1")
    assert shown.code == 0, shown.everything
    assert '"grade_level": "seven"' in shown.stdout
    assert "tenant" in shown.stdout

    # When it is tried what mending would do
    mend = ("redrive", "--fingerprint", group["fingerprint"], "--set", "grade_level=7")
    tried = place.letters(*mend)
    # Then it is told and nothing has changed
    assert tried.code == 0, tried.everything
    assert "To send 2 messages to content-requests" in tried.stdout
    assert "--execute" in tried.stdout
    assert place.groups() == groups

    # When it is done
    done = place.letters(*mend, "--execute")
    assert (done.code, "sent 2 messages" in done.stdout) == (0, True), done.everything
    # Then the letters are gone, the other one is still there, and the questions are answered
    assert set(place.groups()) == {"not_utf8"}
    answered = json.loads(place("run", "--json").stdout)
    assert (answered["pulled"], answered["results"]) == (2, {"completed": 2})


def test_a_redriven_message_carries_where_it_comes_from_through_its_next_dead_letter(place: Place) -> None:
    # Given a dead letter
    place.publish(message_bytes(request_id="again", grade_level="seven"), tenant="north")
    place("run")
    # When it is redriven
    redriven = place.letters("redrive", "--id", "again", "--set", "grade_level=7", "--execute", "--json")
    assert redriven.code == 0, redriven.everything
    told = json.loads(redriven.stdout)
    # Then the message has its own attributes and its lineage, and nothing of the reason
    first = place.take()
    assert first.message_id == told["sent_as"]
    lineage = {name: value for name, value in first.attributes.items() if name != "redriven_at"}
    assert lineage == {
        "tenant": "north",
        "redrive_count": "1",
        "redriven_from": told["source_message_id"],
        "first_message_id": told["source_message_id"],
    }
    # When it fails once more
    place.publish(message_bytes(request_id="again", grade_level="eight"), **first.attributes)
    place("run")
    # Then its dead letter knows, and so does what is sent next
    letter = json.loads(place.letters("show", "again", "--json").stdout)
    assert {name: letter["attributes"][name] for name in lineage} == lineage
    place.letters("redrive", "--all", "--set", "grade_level=8", "--execute")
    second = place.take().attributes
    assert second["redrive_count"] == "2"
    assert second["redriven_from"] == letter["attributes"]["source_message_id"]
    assert second["first_message_id"] == told["source_message_id"]


def test_an_export_holds_every_byte_and_leaves_the_letters_in_place(place: Place) -> None:
    # Given
    place.publish(NOT_UTF8, "{not json ü".encode())
    place("run")
    # When
    exported = place.letters("export", "--output", "letters.jsonl")
    # Then
    assert (exported.code, exported.stdout) == (0, ""), exported.everything
    file = place.folder / "letters.jsonl"
    letters = {
        letter["attributes"]["error_kind"]: letter
        for letter in map(json.loads, file.read_text().splitlines())
    }
    assert base64.b64decode(letters["not_utf8"]["body_base64"]) == NOT_UTF8
    assert letters["not_json"]["body"] == "{not json ü"
    assert file.stat().st_mode & 0o077 == 0
    # And the same comes out once more
    again = place.letters("export")
    assert sorted(again.stdout.splitlines()) == sorted(file.read_text().splitlines())
    # And where it cannot be written, it is said
    refused = place.letters("export", "--output", "missing-folder/letters.jsonl")
    assert (refused.code, "missing-folder" in refused.stderr) == (1, True), refused.everything


def test_what_would_fail_again_stays_and_the_exit_code_says_so(desk: Place) -> None:
    # Given
    desk.publish(NOT_UTF8, message_bytes(request_id="wrong", grade_level="seven"))
    desk("run")
    # When all are redriven, with a change that helps only one of them
    done = desk.letters("redrive", "--all", "--set", "grade_level=7", "--execute")
    # Then
    assert done.code == 1
    assert "no JSON object" in done.stdout
    assert "sent 1 message to content-requests; 1 of 2 left" in done.stdout
    assert set(desk.groups()) == {"not_utf8"}


def test_neither_questions_nor_student_ids_are_logged_or_told_by_accident(desk: Place) -> None:
    # Given
    desk.publish(message_bytes(student_query="MARKER-QUESTION " * 200, student_id="MARKER-STUDENT"))
    desk("run")
    # When
    listed = desk.letters("list", LOG_LEVEL="DEBUG")
    redriven = desk.letters("redrive", "--all", "--execute", LOG_LEVEL="DEBUG")
    # Then
    assert (listed.code, redriven.code) == (0, 1)
    assert "MARKER" not in listed.everything + redriven.everything


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["list"], 0),
        (["redrive", "--all", "--execute"], 0),
        (["show", "anything"], 1),
    ],
)
def test_without_dead_letters_a_kind_sentence_says_so(desk: Place, arguments: list[str], code: int) -> None:
    ended = desk.letters(*arguments)
    assert (ended.code, ended.stdout) == (code, "")
    assert "No dead letters are waiting in content-requests-dead-review" in ended.stderr


def test_a_letter_that_is_not_there_is_said_and_not_invented(desk: Place) -> None:
    # Given
    desk.publish(NOT_UTF8)
    desk("run")
    for arguments in (["show", "nobody"], ["redrive", "--fingerprint", "nobody"]):
        # When
        ended = desk.letters(*arguments)
        # Then
        assert (ended.code, ended.stdout) == (1, "")
        assert "nobody" in ended.stderr
        assert "dead-letters list" in ended.stderr


def test_one_request_id_is_not_set_for_several_messages(desk: Place) -> None:
    # Given
    desk.publish(message_bytes(request_id=...), message_bytes(request_id=..., grade_level=5))
    desk("run")
    # When
    refused = desk.letters("redrive", "--all", "--set", "request_id=mine", "--execute")
    # Then
    assert refused.code == 2
    assert "would make 2 messages one" in refused.stderr
    assert desk.groups()["invalid_fields"]["count"] == 2


@pytest.mark.emulators
def test_a_missing_subscription_ends_a_command_with_78_and_the_fix(cloud: Place) -> None:
    ended = cloud.letters("list")
    assert ended.code == 78, ended.everything
    assert "WORKER_DEAD_LETTER_SUBSCRIPTION" in ended.stderr
    assert "content-worker provision" in ended.stderr


@pytest.mark.emulators
def test_a_queue_that_cannot_be_reached_ends_a_command_with_75(cloud: Place) -> None:
    ended = cloud.letters("redrive", "--all", "--execute", PUBSUB_EMULATOR_HOST="127.0.0.1:9")
    assert ended.code == 75, ended.everything
    assert "Traceback" not in ended.everything
