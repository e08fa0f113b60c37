"""The way in `feedback`: what people think of results."""

from http import HTTPStatus

import structlog
from pydantic import ValidationError

from services.learning.feedback import Feedback, FeedbackDesk, Reception
from worker.web.answers import Answer, HttpError
from worker.web.calls import Call, json_body_of
from worker.web.request_ids import no_result

MAX_BYTES = 16 * 1024
"""Room for the longest comment as the wordiest JSON writes it: twelve bytes a character, as \\ud83d\\ude00."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class GiveFeedback:
    """Takes opinions."""

    def __init__(self, desk: FeedbackDesk) -> None:
        self._desk = desk

    async def __call__(self, call: Call) -> Answer:
        """204 when it is kept. Raises `HttpError`: 400, 404 without a result, 409 while it is in progress."""
        feedback = feedback_of(await json_body_of(call, limit=MAX_BYTES))
        structlog.contextvars.bind_contextvars(request_id=feedback.request_id)
        match await self._desk.receive(feedback):
            case Reception.NO_RESULT:
                raise no_result()
            case Reception.IN_PROGRESS:
                raise HttpError(
                    HTTPStatus.CONFLICT, "in_progress", "There is no result yet; rate it when it is there."
                )
        return Answer(status=HTTPStatus.NO_CONTENT)


def feedback_of(data: bytes) -> Feedback:
    """The opinion in a body. Raises `HttpError` naming every field that breaks a rule, and quoting none."""
    try:
        return Feedback.model_validate_json(data.removeprefix(_BYTE_ORDER_MARK))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        message = "; ".join(": ".join([*map(str, one["loc"]), one["msg"]]) for one in problems)
        raise HttpError(HTTPStatus.BAD_REQUEST, "invalid_feedback", message) from None
