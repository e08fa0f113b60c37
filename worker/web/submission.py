"""The way in `submit`: a question is checked as the worker will, put on the topic, and announced."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog
from pydantic_core import from_json

from services.content.failures import place_of
from services.content.models import ContentRequest
from services.content.results import ResultPolicy, processing_document
from services.errors import ContentWorkerError, MessageDecodeError
from services.messaging.port import Message, MessagePublisher
from services.storage.port import Document, RequestAnnouncer, ResultReader
from worker.messages import MAX_BYTES, decode
from worker.web.answers import Answer
from worker.web.calls import Call, json_body_of

log = structlog.get_logger()

STALE_AFTER = timedelta(minutes=10)
"""After this long without a result a question is published again: its message may have been lost by hand."""

# https://www.w3.org/TR/trace-context/#traceparent-header and Google's older header of the same meaning.
_TRACES = (
    ("traceparent", re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b")),
    ("x-cloud-trace-context", re.compile(r"([0-9a-f]{32})(?:/|;|$)")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A valid question, and the bytes that say it on the topic."""

    request: ContentRequest
    data: bytes


def submission_of(data: bytes, *, trace_id: str | None, new_id: Callable[[], str]) -> Submission:
    """The question in a body. One without `request_id` gets a new one, one without `correlation_id` the trace's.

    Raises `MessageDecodeError` as the worker would for the same bytes; it never quotes them.
    """
    missing = _missing(data, {"request_id": new_id(), "correlation_id": trace_id})
    if missing:
        data = _with(data, missing)
    return Submission(request=decode(data), data=data)


def must_publish(known: Document | None, *, now: datetime) -> bool:
    """Whether a question is to be put on the topic, although this may be known of it already."""
    if known is None or known["status"] == "failed":
        return True
    return known["status"] == "processing" and bool(now - known["created_at"] >= STALE_AFTER)


def trace_id_of(headers: Mapping[str, str]) -> str | None:
    """The id of the trace that a call belongs to, where it says one."""
    for name, pattern in _TRACES:
        if (match := pattern.match(headers.get(name, ""))) is not None:
            return match[1]
    return None


class Submit:
    """Takes questions. Publishing comes first and the announcement after it: nothing is lost in between."""

    def __init__(
        self,
        *,
        results: ResultReader,
        publisher: MessagePublisher,
        announcements: RequestAnnouncer,
        topic: str,
        policy: ResultPolicy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._results = results
        self._publisher = publisher
        self._announcements = announcements
        self._topic = topic
        self._policy = policy
        self._now = now
        self._new_id = new_id

    async def __call__(self, call: Call) -> Answer:
        """202 when an answer is on its way, 200 when there is one. The same id may be submitted any number of times."""
        body = await json_body_of(call, limit=MAX_BYTES)
        submission = submission_of(body, trace_id=trace_id_of(call.headers), new_id=self._new_id)
        request_id = submission.request.request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        known = await self._results.get(request_id)
        if known is None or must_publish(known, now=self._now()):
            await self._publish(submission)
            return _taken(request_id, "processing")
        return _taken(request_id, known["status"])

    async def _publish(self, submission: Submission) -> None:
        (message_id,) = await self._publisher.publish(self._topic, [Message(data=submission.data)])
        document = processing_document(
            submission.request, self._policy, message_id=message_id, now=self._now()
        )
        try:
            await self._announcements.announce(submission.request.request_id, document)
        except ContentWorkerError as error:
            _not_announced(error.message)
        except Exception as error:  # noqa: BLE001  # the question is taken: an error would have it sent twice
            _not_announced(f"{type(error).__name__} at {place_of(error)}: a bug; please report the place.")


def _not_announced(cause: str) -> None:
    fix = "Nothing is lost: the message is in the queue. Until a worker has it, `result` answers 404."
    log.warning("request.not_announced", cause=cause, fix=fix)


def _missing(data: bytes, defaults: Mapping[str, str | None]) -> dict[str, str]:
    """Those of the defaults that the body leaves open; none for a body that is no JSON object at all."""
    try:
        decode(data)
    except MessageDecodeError as error:
        if error.kind != "invalid_fields":
            return {}
    fields = _object(data)
    return {name: value for name, value in defaults.items() if value and fields.get(name) is None}


def _with(data: bytes, missing: Mapping[str, str]) -> bytes:
    """The JSON object with more fields, all else as the client wrote it: of two values of a field the last counts."""
    rest = data.rstrip().removesuffix(b"}")
    comma = b", " if _object(data) else b""
    return rest + comma + json.dumps(missing).removeprefix("{").encode()


def _object(data: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = from_json(data.decode("utf-8-sig"))
    return fields


def _taken(request_id: str, status: str) -> Answer:
    return Answer(
        status=HTTPStatus.ACCEPTED if status == "processing" else HTTPStatus.OK,
        body={"request_id": request_id, "status": status, "result": f"/{request_id}"},
    )
