"""The way in `result`: what has become of a question."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog

from services.storage.port import Document, ResultReader
from worker.web.answers import Answer
from worker.web.calls import Call
from worker.web.request_ids import no_result, request_id_of

LOOK_AGAIN_SECONDS = 2
"""When a client may ask again for a result in progress."""

KEPT_INSIDE = ("claim", "debt", "student_ref")
"""Fields of a result that are nobody's business outside: whose it is, and what the worker needs to do its work."""


class Result:
    """Answers with results."""

    def __init__(self, results: ResultReader) -> None:
        self._results = results

    async def __call__(self, call: Call) -> Answer:
        """200 with the result, 202 while it is in progress. Raises `HttpError`, 404 for an unknown id."""
        request_id = request_id_of(call)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        document = await self._results.get(request_id)
        if document is None:
            raise no_result()
        if document["status"] == "processing":
            body = {"request_id": request_id, "status": "processing"}
            headers = {"Retry-After": str(LOOK_AGAIN_SECONDS)}
            return Answer(status=HTTPStatus.ACCEPTED, body=body, headers=headers)
        return Answer(status=HTTPStatus.OK, body=shown(document))


def shown(document: Document) -> dict[str, Any]:
    """The result as a client gets it; times are ISO 8601 in UTC."""
    return {name: _plain(value) for name, value in document.items() if name not in KEPT_INSIDE}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
    return value
