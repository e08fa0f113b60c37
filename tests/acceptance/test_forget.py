"""What becomes of a student's data on demand: the command `forget`, run as a process on both backends."""

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.messaging.port import Message
from services.messaging.pubsub import PubSubPublisher
from services.messaging.sqlite import SqlitePublisher
from services.storage.firestore import FirestoreResultReader, FirestoreResultStore
from services.storage.firestore_feedback import FirestoreFeedbackStore
from services.storage.port import Document
from services.storage.sqlite import SqliteResultReader, SqliteResultStore
from services.storage.sqlite_feedback import SqliteFeedbackStore
from tests.acceptance.running import TIMEOUT_SECONDS, Ended, command, content_worker, environment, provision
from tests.builders import message_bytes
from tests.emulators.google import EmulatorHosts

ANNA, BEN = "MARKER-anna", "MARKER-ben"
QUESTION = "Explain photosynthesis in leaves, MARKER-question"
KEY, OLD_KEY = "the key of the tests", "the key before it"
NOTHING = {
    "dry_run": False,
    "results": 0,
    "feedback": 0,
    "dead_letters": 0,
    "in_work": 0,
    "unreadable_dead_letters": 0,
    "complete": True,
}


class Place:
    """Where commands are typed, on a backend whose parts can be used beside them."""

    def __init__(
        self,
        env: dict[str, str],
        folder: Path,
        **parts: Callable[[], Any],
    ) -> None:
        self.env = {"WORKER_MODELS": "mock", "WORKER_STUDENT_KEY": KEY, "LOG_FORMAT": "json", **env}
        self.env["LOG_LEVEL"] = "DEBUG"
        self.folder = folder
        self._parts = parts

    def __call__(self, *arguments: str, stdin: str | None = None, **variables: str) -> Ended:
        return content_worker(*arguments, env={**self.env, **variables}, cwd=self.folder, stdin=stdin)

    def forget(self, student: str, *arguments: str, **variables: str) -> Ended:
        ended = self("forget", "--student", "-", *arguments, stdin=f"{student}\n", **variables)
        assert "MARKER" not in ended.everything
        assert "Traceback" not in ended.everything
        return ended

    def counts(self, student: str, *arguments: str, **variables: str) -> dict[str, Any]:
        """What `forget` says in numbers; only those that differ from nothing."""
        ended = self.forget(student, "--json", *arguments, **variables)
        said: dict[str, Any] = json.loads(ended.stdout)
        assert said.keys() == NOTHING.keys()
        assert (ended.code == 0) == (said["complete"] or said["dry_run"]), ended.everything
        return {name: value for name, value in said.items() if value != NOTHING[name]}

    def use(self, part: str, work: Callable[[Any], Awaitable[object]]) -> None:
        async def used() -> None:
            made = self._parts[part]()
            await work(made)
            await made.close()

        asyncio.run(used())

    def publish(self, *bodies: bytes) -> None:
        messages = [Message(data=body) for body in bodies]
        self.use("publisher", lambda publisher: publisher.publish("content-requests", messages))

    def give_feedback(self, student: str, request_id: str, *, key: str = KEY) -> None:
        now = datetime.now(UTC)
        document = {
            "request_id": request_id,
            "rating": 5,
            "comment": "MARKER-comment",
            "student_ref": ref_of(student, key),
            "created_at": now,
            "expires_at": now + timedelta(days=30),
        }
        self.use("feedback", lambda feedback: feedback.keep(request_id, document))

    def announce(self, student: str, request_id: str) -> None:
        now = datetime.now(UTC)
        document = {
            "request_id": request_id,
            "message_id": "m-1",
            "student_ref": ref_of(student, KEY),
            "created_at": now,
            "expires_at": now + timedelta(days=30),
        }
        self.use("store", lambda store: store.announce(request_id, document))

    def results(self) -> set[str]:
        """The ids of all results, looked up beside the command line."""
        documents: list[Document] = []

        async def read(reader: Any) -> None:
            documents.extend(await reader.newest(100))

        self.use("reader", read)
        return {document["request_id"] for document in documents}

    def dead_letters(self) -> set[str]:
        exported = self("dead-letters", "export")
        assert exported.code == 0, exported.everything
        return {json.loads(line)["body"] for line in exported.stdout.splitlines()}


def ref_of(student: str, key: str) -> str:
    """The handle, worked out without the worker's help."""
    return hmac.new(key.encode(), student.encode(), hashlib.sha256).hexdigest()[:32]


def question(student: str, request_id: str, **changes: Any) -> bytes:
    return message_bytes(student_id=student, request_id=request_id, student_query=QUESTION, **changes)


@pytest.fixture
def desk(tmp_path: Path) -> Place:
    """A folder with the embedded backend."""
    path = tmp_path / ".local" / "worker.db"
    return Place(
        environment(WORKER_IDLE_TIMEOUT_SECONDS="0.2"),
        tmp_path,
        publisher=lambda: SqlitePublisher(path=path),
        store=lambda: SqliteResultStore(path=path),
        reader=lambda: SqliteResultReader(path=path),
        feedback=lambda: SqliteFeedbackStore(path=path),
    )


@pytest.fixture
def cloud(google_emulators: EmulatorHosts, google_environment: None, project: str, tmp_path: Path) -> Place:
    """A project on the emulators."""
    return Place(
        environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT=project,
            PUBSUB_EMULATOR_HOST=google_emulators.pubsub,
            FIRESTORE_EMULATOR_HOST=google_emulators.firestore,
            WORKER_IDLE_TIMEOUT_SECONDS="2",
        ),
        tmp_path,
        publisher=lambda: PubSubPublisher(project=project),
        store=lambda: FirestoreResultStore(project=project),
        reader=lambda: FirestoreResultReader(project=project),
        feedback=lambda: FirestoreFeedbackStore(project=project),
    )


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.emulators)])
def place(request: pytest.FixtureRequest) -> Place:
    """Each backend in turn, provisioned."""
    made: Place = request.getfixturevalue("cloud" if request.param == "google" else "desk")
    provision(made.env, cwd=made.folder)
    return made


def test_one_student_is_forgotten_and_the_other_keeps_everything(place: Place) -> None:
    # Given two students with two results, feedback and a dead letter each
    for student, name in ((ANNA, "a"), (BEN, "b")):
        wrong = question(student, f"{name}-3", grade_level="seven")
        place.publish(question(student, f"{name}-1"), question(student, f"{name}-2"), wrong)
        place.give_feedback(student, f"{name}-1")
    assert place("run").code == 0
    letters = place.dead_letters()
    # The reason why the letter is one stands in a result that names no student
    assert place.results() == {"a-1", "a-2", "a-3", "b-1", "b-2", "b-3"}

    # When it is counted what there is of one of them
    counted = place.counts(ANNA, "--dry-run")
    # Then nothing has changed
    assert counted == {"dry_run": True, "results": 2, "feedback": 1, "dead_letters": 1}
    assert place.results() == {"a-1", "a-2", "a-3", "b-1", "b-2", "b-3"}
    assert place.dead_letters() == letters

    # When the student is to be forgotten
    ended = place.forget(ANNA)
    # Then it is said in one line
    assert (ended.code, ended.stdout) == (0, "erased 2 results, 1 piece of feedback, 1 dead letter\n")
    assert place.results() == {"a-3", "b-1", "b-2", "b-3"}
    assert place.dead_letters() == {letter for letter in letters if BEN in letter}

    # When it is asked for again there is nothing, and a hint where else it might be
    again = place.forget(ANNA)
    assert (again.code, again.stdout) == (0, "nothing is stored about this student\n")
    assert "WORKER_FORMER_STUDENT_KEYS" in again.stderr
    assert place.counts(BEN) == {"results": 2, "feedback": 1, "dead_letters": 1}


def test_what_was_stored_under_former_keys_is_found_when_they_are_named(place: Place) -> None:
    # Given a result from before the key was rotated, and one from after
    for request_id, key in (("before", OLD_KEY), ("after", KEY)):
        place.publish(question(ANNA, request_id))
        assert place("run", WORKER_STUDENT_KEY=key).code == 0
        place.give_feedback(ANNA, request_id, key=key)
    # When / Then
    assert place.counts(ANNA) == {"results": 1, "feedback": 1}
    assert place.counts(ANNA, WORKER_FORMER_STUDENT_KEYS=f"older still, {OLD_KEY}") == {
        "results": 1,
        "feedback": 1,
    }
    assert place.results() == set()


def test_results_that_are_still_to_come_stay_and_the_exit_code_says_so(place: Place) -> None:
    # Given a result, and a question that is on its way
    place.publish(question(ANNA, "done"))
    assert place("run").code == 0
    place.publish(question(ANNA, "to-come"))
    place.announce(ANNA, "to-come")
    # When
    ended = place.forget(ANNA)
    # Then
    assert (ended.code, place.results()) == (75, {"to-come"})
    assert ended.stdout == (
        "erased 1 result, 0 pieces of feedback, 0 dead letters; "
        "1 is being worked on: run this again when they are done\n"
    )
    assert place.counts(ANNA) == {"in_work": 1, "complete": False}
    # When it has been answered
    assert place("run").code == 0
    # Then it can be erased, too
    assert place.counts(ANNA) == {"results": 1}


def test_a_dead_letter_that_cannot_be_read_stays_and_is_counted(place: Place) -> None:
    # Given one that is cut off before the id, and one after it
    place.publish(b'{"request_id": "cut", "stud', question(ANNA, "also-cut")[:-4])
    assert place("run").code == 0
    # When / Then
    assert place.counts(ANNA) == {"dead_letters": 1, "unreadable_dead_letters": 1}
    assert place.dead_letters() == {'{"request_id": "cut", "stud'}


def test_without_a_key_nothing_can_be_found_and_that_is_said(desk: Place) -> None:
    ended = desk.forget(ANNA, WORKER_STUDENT_KEY="")
    assert (ended.code, ended.stdout) == (78, "")
    assert "WORKER_STUDENT_KEY is not set" in ended.stderr
    assert "fix: " in ended.stderr


@pytest.mark.parametrize("student", ["", "x" * 129, f"{ANNA}\n{BEN}"], ids=["none", "too long", "two"])
def test_what_is_no_id_is_refused_unquoted(desk: Place, student: str) -> None:
    ended = desk.forget(student)
    assert (ended.code, ended.stdout) == (2, "")


def test_an_id_may_stand_on_the_command_line(desk: Place) -> None:
    # Given
    desk.give_feedback(ANNA, "a-1")
    # When
    ended = desk("forget", "--student", ANNA)
    # Then
    assert (ended.code, ended.stdout) == (0, "erased 0 results, 1 piece of feedback, 0 dead letters\n")
    assert "MARKER" not in ended.everything


@pytest.mark.emulators
def test_a_store_that_cannot_be_reached_ends_it_with_75_and_nothing_is_erased(cloud: Place) -> None:
    # Given
    provision(cloud.env)
    cloud.publish(question(ANNA, "wrong", grade_level="seven"))
    assert cloud("run").code == 0
    # When
    ended = cloud.forget(ANNA, FIRESTORE_EMULATOR_HOST="127.0.0.1:9")
    # Then
    assert (ended.code, ended.stdout) == (75, ""), ended.everything
    assert len(cloud.dead_letters()) == 1


@pytest.mark.emulators
def test_a_missing_subscription_ends_it_with_78_and_nothing_is_erased(cloud: Place) -> None:
    # Given
    cloud.give_feedback(ANNA, "a-1")
    # When
    ended = cloud.forget(ANNA)
    # Then
    assert (ended.code, ended.stdout) == (78, ""), ended.everything
    assert "WORKER_DEAD_LETTER_SUBSCRIPTION" in ended.stderr
    provision(cloud.env)
    assert cloud.counts(ANNA) == {"feedback": 1}


def at_terminal(place: Place, *arguments: str, answers: Sequence[tuple[str, str]] = ()) -> Ended:
    """Run `forget` with a person before it, who waits for each of the questions and answers it."""
    keyboard, terminal = os.openpty()
    try:
        with subprocess.Popen(
            command(["forget", *arguments]),
            env=place.env,
            cwd=place.folder,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # or a hidden prompt would look for the terminal of whoever runs the tests
        ) as process:
            said = b""
            for prompt, answer in answers:
                said += read_until(process, prompt)
                os.write(keyboard, answer.encode())
            stdout, rest = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        os.close(terminal)
        os.close(keyboard)
    return Ended(code=process.returncode, stdout=stdout.decode(), stderr=(said + rest).decode())


def read_until(process: subprocess.Popen[bytes], prompt: str) -> bytes:
    said = b""
    assert process.stderr is not None
    while not said.endswith(prompt.encode()):
        char = process.stderr.read(1)
        assert char, said
        said += char
    return said


def test_at_a_terminal_it_asks_first(desk: Place) -> None:
    # Given
    desk.give_feedback(ANNA, "a-1")
    asked = "This would erase 0 results, 1 piece of feedback, 0 dead letters. Erase it for good?"
    # When the person says no
    no = at_terminal(desk, "--student", ANNA, answers=[("[y/N]:", "n\n")])
    # Then nothing is erased
    assert (no.code, no.stdout) == (1, ""), no.everything
    assert asked in no.stderr
    assert desk.counts(ANNA, "--dry-run") == {"dry_run": True, "feedback": 1}
    # When the person types the id, and says yes
    yes = at_terminal(desk, "--student", "-", answers=[("id: ", f"{ANNA}\n"), ("[y/N]:", "y\n")])
    # Then
    assert yes.code == 0, yes.everything
    assert yes.stdout == "erased 0 results, 1 piece of feedback, 0 dead letters\n"
    assert asked in yes.stderr
    assert "MARKER" not in yes.everything


def test_at_a_terminal_it_does_not_ask_where_there_is_nothing_or_nothing_to_ask(desk: Place) -> None:
    # When / Then
    nothing = at_terminal(desk, "--student", ANNA)
    assert (nothing.code, nothing.stdout) == (0, "nothing is stored about this student\n")
    desk.give_feedback(ANNA, "a-1")
    erased = at_terminal(desk, "--student", ANNA, "--yes")
    assert (erased.code, erased.stdout) == (0, "erased 0 results, 1 piece of feedback, 0 dead letters\n")
