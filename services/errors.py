"""Every error this project raises on purpose, split by what the caller does next.

    ContentWorkerError
    ├─ TransientError          trying again later can help         → RETRY
    │  ├─ ModelUnavailable       overloaded, timed out, 5xx; may carry retry_after
    │  │  └─ NoModelAnswered       the same for a whole ladder
    │  ├─ StoreUnavailable
    │  └─ QueueUnavailable
    ├─ PermanentError          trying the same again cannot help   → DEAD_LETTER at once
    │  ├─ MessageDecodeError     the bytes on the queue are not a request
    │  ├─ ModelRejected          this model will refuse every such call: retired, forbidden, malformed
    │  └─ ModelAnswerInvalid     the model answered, but not what was asked, twice
    ├─ RequestFailed           every model failed at this request  → RETRY, counted; DEAD_LETTER after five alike
    ├─ ClaimLost               somebody else owns the request now  → drop the work quietly
    └─ ConfigurationError      the operator must act               → exit 78 before anything is pulled

A request that is already finished is no error: the store reports it as a value and the message is acked.
Messages never hold a student's words or ids: they are printed, logged and put on dead letters.
"""


class ContentWorkerError(Exception):
    """Base of all errors raised on purpose. `kind` is a short stable word for logs, results and counting."""

    kind = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TransientError(ContentWorkerError):
    """Trying again later can help."""

    kind = "transient"


class StoreUnavailable(TransientError):
    """The result store did not answer."""

    kind = "store_unavailable"


class QueueUnavailable(TransientError):
    """The message queue did not answer."""

    kind = "queue_unavailable"


class ModelUnavailable(TransientError):
    """A model did not answer, but may later.

    `kind` is one of `quota`, `timeout`, `unavailable`, `server_error`; `code` the HTTP status it
    amounts to; `retry_after` the seconds the service asked to wait, where it said so. `lasts` tells that it will not
    answer for hours, though nobody said for how many: the quota of a day is used up.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "unavailable",
        code: int = 503,
        retry_after: float | None = None,
        lasts: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.retry_after = retry_after
        self.lasts = lasts


class NoModelAnswered(ModelUnavailable):
    """Every rung of a stage's ladder failed, one of them at least for want of a service; the message says why.

    `retry_after` is there when every model is left alone for a while: the seconds until the first is asked again.
    """

    kind = "no_answer"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, kind=NoModelAnswered.kind, retry_after=retry_after)


class PermanentError(ContentWorkerError):
    """Trying the same again cannot help."""

    kind = "permanent"


class MessageDecodeError(PermanentError):
    """The bytes on the queue are not a content request.

    `kind` names the rule that was broken (`empty`, `too_large`, `not_base64`, `not_utf8`, `not_json`,
    `not_an_object`, `invalid_fields`); `request_id` is there where it could be read.
    """

    def __init__(self, message: str, *, kind: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.request_id = request_id


class ModelRejected(PermanentError):
    """A model refuses every call like this one; mostly only an operator can mend it.

    `kind` is one of `model_not_found`, `permission_denied`, `unauthenticated`, `invalid_request`; `code` the
    HTTP status; `fix` the sentence that tells the operator what to change.
    """

    def __init__(self, message: str, *, kind: str, code: int, fix: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"


class ModelAnswerInvalid(PermanentError):
    """A model answered twice, and neither answer was what the task asks for.

    `kind` is one of `invalid_json`, `invalid_answer`, `truncated`, `empty`, `recitation`.
    """

    code = 200

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class RequestFailed(ContentWorkerError):
    """Every rung of the ladder of `stage` failed, and each because of this very request.

    Another time may bring another answer, but not for ever: these failures are counted. `kind` is that of the last
    rung which failed at it; rungs that were only out of the message's calls or seconds say nothing.
    """

    def __init__(self, message: str, *, stage: str, kind: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.kind = kind


class ClaimLost(ContentWorkerError):
    """Another worker owns the request now; whatever this one still holds must be dropped."""

    kind = "claim_lost"


class ConfigurationError(ContentWorkerError):
    """Only a person can mend this. `fix` says how, naming the setting or the command."""

    kind = "configuration"

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"
