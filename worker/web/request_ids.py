"""Reading a request id from outside."""

from http import HTTPStatus

from pydantic import TypeAdapter, ValidationError

from services.content.models import RequestId
from worker.web.answers import HttpError
from worker.web.calls import Call

_request_id = TypeAdapter(RequestId)


def request_id_of(call: Call) -> str:
    """The id in the path, or else in the query. Raises `HttpError` for one that no request can have."""
    try:
        return _request_id.validate_python(call.path.strip("/") or call.query.get("request_id"))
    except ValidationError:
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            "invalid_request_id",
            "The path holds no request id: 1 to 128 of A-Z, a-z, 0-9 and _.:-, but not '.', '..' or __…__.",
            fix="Ask for /<request_id>, or ?request_id=<request_id>.",
        ) from None


def no_result() -> HttpError:
    """The error for a request of which nothing is known."""
    return HttpError(
        HTTPStatus.NOT_FOUND,
        "no_result",
        "There is no result for this request id: not submitted, not pulled by a worker yet, or expired.",
    )
