"""What an endpoint answers, and the error that is an answer, too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from services.errors import ConfigurationError, ContentWorkerError, MessageDecodeError, TransientError

RETRY_AFTER_SECONDS = 5
"""When a client may try again after queue or store were away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A status, and a JSON object or nothing."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpError(Exception):
    """Ends a call with an answer that says why. `kind` is a short stable word for programs, `fix` what to do."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        fix: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.fix = fix
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The same as an answer."""
        error = {"kind": self.kind, "message": self.message}
        if self.fix is not None:
            error["fix"] = self.fix
        return Answer(status=self.status, body={"error": error}, headers=self.headers)


def come_again(kind: str, message: str, *, seconds: int, status: int = 503) -> HttpError:
    """An error that passes: the same call may succeed after `seconds`."""
    return HttpError(
        status,
        kind,
        message,
        fix="Send the same request again later.",
        headers={"Retry-After": str(max(1, seconds))},
    )


def http_error_of(error: ContentWorkerError) -> HttpError:
    """What a client is told of an error raised on purpose. Hosts, projects and settings are named in the log alone."""
    if isinstance(error, MessageDecodeError):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if error.kind == "too_large" else HTTPStatus.BAD_REQUEST
        return HttpError(status, error.kind, error.message)
    if isinstance(error, TransientError):
        message = "Something that this service needs is away; its log says what."
        return come_again(error.kind, message, seconds=RETRY_AFTER_SECONDS)
    if isinstance(error, ConfigurationError):
        return come_again(
            error.kind, "This service is not set up correctly; its log says what to mend.", seconds=60
        )
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, error.kind, "The request could not be handled.")
