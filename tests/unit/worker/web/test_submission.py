"""What is made of a submitted question, and when it is put on the topic."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.content.results import ResultPolicy
from services.errors import MessageDecodeError, StoreUnavailable
from services.messaging.port import Message
from tests.builders import NOON, message_bytes, request_fields
from tests.unit.worker.web.calling import call
from worker.messages import MAX_BYTES, decode
from worker.web.submission import STALE_AFTER, Submit, must_publish, submission_of, trace_id_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
POLICY = ResultPolicy(student_key=b"key", ttl=timedelta(days=30), image_digest=None)


def submission(data: bytes, trace_id: str | None = None) -> Any:
    return submission_of(data, trace_id=trace_id, new_id=lambda: "made-up-id")


def test_what_a_worker_would_understand_is_published_byte_by_byte() -> None:
    data = b"\xef\xbb\xbf" + message_bytes(unknown=[1, {"deep": None}])
    assert submission(data).data == data


def test_a_missing_id_is_made_up_and_nothing_else_is_changed() -> None:
    fields = request_fields(request_id=..., unknown={"kept": True})
    made = submission(json.dumps(fields).encode())
    assert made.request.request_id == "made-up-id"
    assert json.loads(made.data) == {**fields, "request_id": "made-up-id"}
    assert decode(made.data) == made.request


@pytest.mark.parametrize(
    "odd",
    [
        b'"big": ' + b"9" * 4000,
        b'"large": 1e400',
        b'"text": "\\ud83d\\ude00 }"',
        b'"request_id": null',
        b'"a": 1, "a": 2',
    ],
)
def test_odd_fields_that_a_worker_ignores_do_not_keep_a_question_from_getting_its_id(odd: bytes) -> None:
    data = message_bytes(request_id=...).removesuffix(b"}") + b", " + odd + b" \n} \n"
    made = submission(data)
    assert made.request.request_id == "made-up-id"
    assert odd in made.data


def test_an_empty_object_is_told_what_it_lacks() -> None:
    with pytest.raises(MessageDecodeError) as caught:
        submission(b"{}")
    assert "student_query" in caught.value.message


def test_a_trace_becomes_the_correlation_id_unless_there_is_one() -> None:
    assert submission(message_bytes(), TRACE).request.correlation_id == TRACE
    assert submission(message_bytes(correlation_id="own"), TRACE).request.correlation_id == "own"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"student_query": "\xff"}',
        message_bytes(grade_level=13),
        message_bytes(request_id="/", student_query="secret words"),
        message_bytes(request_id=7),
        b'{"padding": "' + b"x" * MAX_BYTES + b'"}',
    ],
)
def test_what_a_worker_would_refuse_is_refused_for_the_same_reason(data: bytes) -> None:
    with pytest.raises(MessageDecodeError) as worker_says:
        decode(data)
    with pytest.raises(MessageDecodeError) as caught:
        submission(data, TRACE)
    assert (caught.value.kind, caught.value.message) == (worker_says.value.kind, worker_says.value.message)
    assert "secret words" not in caught.value.message


def test_a_question_without_id_that_is_wrong_otherwise_is_told_the_other_reason_alone() -> None:
    with pytest.raises(MessageDecodeError) as caught:
        submission(message_bytes(request_id=..., grade_level=13))
    assert "grade_level" in caught.value.message
    assert "request_id" not in caught.value.message


def test_a_body_that_an_added_id_makes_too_large_is_refused_instead_of_published() -> None:
    padding = "x" * (MAX_BYTES - len(message_bytes(request_id=..., padding="")))
    data = message_bytes(request_id=..., padding=padding)
    assert len(data) == MAX_BYTES
    with pytest.raises(MessageDecodeError) as caught:
        submission(data)
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize(
    ("known", "publishes"),
    [
        (None, True),
        ({"status": "failed"}, True),
        ({"status": "completed"}, False),
        ({"status": "blocked"}, False),
        ({"status": "needs_clarification"}, False),
        ({"status": "out_of_scope"}, False),
        ({"status": "processing", "created_at": NOON}, False),
        ({"status": "processing", "created_at": NOON - STALE_AFTER + timedelta(seconds=1)}, False),
        ({"status": "processing", "created_at": NOON - STALE_AFTER}, True),
    ],
)
def test_a_question_is_published_unless_its_answer_is_there_or_on_its_way(
    known: dict[str, Any] | None, publishes: bool
) -> None:
    assert must_publish(known, now=NOON) is publishes


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"x-cloud-trace-context": f"{TRACE}/123;o=1"}, TRACE),
        ({"x-cloud-trace-context": TRACE}, TRACE),
        ({"traceparent": "nonsense", "x-cloud-trace-context": f"{TRACE}/1"}, TRACE),
        ({"traceparent": f"00-{TRACE}"}, None),
        ({}, None),
    ],
)
def test_the_trace_is_read_from_either_header(headers: dict[str, str], trace_id: str | None) -> None:
    assert trace_id_of(headers) == trace_id


class Parts:
    """Reader, publisher and announcer in one, which note the order of what they are asked for."""

    def __init__(self, known: Mapping[str, Any] | None = None, announcing: Exception | None = None) -> None:
        self.known = known
        self.announcing = announcing
        self.asked: list[str] = []

    async def get(self, request_id: str) -> Mapping[str, Any] | None:
        self.asked.append("get")
        return self.known

    async def newest(self, limit: int, *, status: str | None = None) -> Sequence[Mapping[str, Any]]:
        return []

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        self.asked.append(f"publish {len(messages)}")
        return ["m-1"]

    async def announce(self, request_id: str, document: Mapping[str, Any]) -> None:
        self.asked.append(f"announce {document['message_id']} {document['status']}")
        if self.announcing:
            raise self.announcing


def submit(parts: Parts) -> Any:
    endpoint = Submit(
        results=parts, publisher=parts, announcements=parts, topic="t", policy=POLICY, now=lambda: NOON
    )
    return asyncio.run(endpoint(call(message_bytes(request_id="q-1"))))


def test_it_is_published_first_and_announced_with_the_id_of_its_message_after_that() -> None:
    parts = Parts()
    answer = submit(parts)
    assert answer.status == 202
    assert answer.body == {"request_id": "q-1", "status": "processing", "result": "/q-1"}
    assert parts.asked == ["get", "publish 1", "announce m-1 processing"]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("a bug")])
def test_a_published_question_is_taken_although_it_could_not_be_announced(failure: Exception) -> None:
    assert submit(Parts(announcing=failure)).status == 202


def test_a_finished_result_is_told_and_nothing_is_published() -> None:
    parts = Parts(known={"status": "blocked"})
    answer = submit(parts)
    assert (answer.status, answer.body["status"]) == (200, "blocked")
    assert parts.asked == ["get"]
