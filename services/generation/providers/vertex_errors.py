"""Says what a failed call to Vertex AI means: try again later, or an operator must act.

Decided by the class of the error, and by `google.rpc.ErrorInfo.reason` where the service sent one. Text is
looked at last and never passed on: servers quote the request in it, and the request holds a student's
question.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.rpc import error_details_pb2

from services.errors import ModelRejected, ModelUnavailable
from services.generation.providers.vertex_facts import Facts, Target
from services.generation.providers.vertex_refusals import no_credentials, refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Busy:
    """Worth another call."""

    kind: str
    code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Not worth another call."""

    code: int


_QUOTA, _TIMEOUT = Busy(kind="quota", code=429), Busy(kind="timeout", code=504)
_SERVER_ERROR = Busy(kind="server_error", code=500)

VERDICTS: Mapping[str, Busy | Refused] = {
    "TooManyRequests": _QUOTA,
    "ResourceExhausted": _QUOTA,
    "GatewayTimeout": _TIMEOUT,
    "DeadlineExceeded": _TIMEOUT,
    "ServiceUnavailable": Busy(kind="unavailable", code=503),
    "BadGateway": Busy(kind="unavailable", code=502),
    # When this process cancels a call, no such error arises: here the other side, or a proxy, closed the
    # stream.
    "Cancelled": Busy(kind="unavailable", code=499),
    "Aborted": Busy(kind="unavailable", code=409),
    "ServerError": _SERVER_ERROR,
    "InternalServerError": _SERVER_ERROR,
    "Unknown": _SERVER_ERROR,
    "DataLoss": _SERVER_ERROR,
    # An error without a status: the connection broke before there was one.
    "GoogleAPICallError": _SERVER_ERROR,
    # The library's uploads of files raise these; generating content does not.
    "ResumableTransferError": _SERVER_ERROR,
    "TransferStalledError": _SERVER_ERROR,
    "UnseekableStreamError": _SERVER_ERROR,
    "UploadCancelledError": _SERVER_ERROR,
    "MissingStatusHeaderError": _SERVER_ERROR,
    "BadRequest": Refused(code=400),
    "InvalidArgument": Refused(code=400),
    "OutOfRange": Refused(code=400),
    "FailedPrecondition": Refused(code=400),
    "Unauthorized": Refused(code=401),
    "Unauthenticated": Refused(code=401),
    "Forbidden": Refused(code=403),
    "PermissionDenied": Refused(code=403),
    "NotFound": Refused(code=404),
    # The host answered, but it is not this API: a wrong endpoint.
    "MethodNotImplemented": Refused(code=501),
    "MethodNotAllowed": Refused(code=405),
    "Redirection": Refused(code=308),
    "MovedPermanently": Refused(code=301),
    "NotModified": Refused(code=304),
    "TemporaryRedirect": Refused(code=307),
    "ResumeIncomplete": Refused(code=308),
    "ClientError": Refused(code=400),
    "Conflict": Refused(code=409),
    "AlreadyExists": Refused(code=409),
    "LengthRequired": Refused(code=411),
    "PreconditionFailed": Refused(code=412),
    "RequestRangeNotSatisfiable": Refused(code=416),
}
"""One row for each class of `google.api_core.exceptions`; a test tells when the library gains one."""

# A token that cannot be had reaches the caller as UNAVAILABLE, like a network fault (seen with grpcio 1.85).
_PLUGIN_FAILED = "Getting metadata from plugin failed"
_LASTING_REASONS = ("invalid_grant", "invalid_client", "unauthorized_client", "eauthentication")


def explain(
    error: api.GoogleAPICallError, target: Target, *, today: date
) -> ModelUnavailable | ModelRejected:
    """The project's own error for a failed call; `today` is compared with the table of models."""
    verdict = _verdict(error)
    text = error.message or ""
    if isinstance(verdict, Refused):
        return refusal(_facts(error, verdict.code, text), target, today=today)
    if text.startswith(_PLUGIN_FAILED) and any(word in text for word in _LASTING_REASONS):
        return no_credentials(target)
    is_quota = verdict.kind == "quota"
    return ModelUnavailable(
        f"{target}: {_quota_cause(error, text) if is_quota else _busy_cause(verdict, target, text)}",
        kind=verdict.kind,
        code=verdict.code,
        retry_after=_retry_after(error.details),
        lasts=is_quota and _is_used_up(error, text),
    )


def explain_auth(
    error: auth.GoogleAuthError | TimeoutError, target: Target
) -> ModelUnavailable | ModelRejected:
    """The project's own error for credentials that could not be found or renewed, or not in time."""
    passes = auth.TransportError | auth.TimeoutError | auth.ResponseError
    if isinstance(error, TimeoutError | passes) or error.retryable:
        return ModelUnavailable(f"{target}: the service that issues access tokens did not answer.")
    return no_credentials(target)


def _verdict(error: api.GoogleAPICallError) -> Busy | Refused:
    return next(VERDICTS[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in VERDICTS)


def _facts(error: api.GoogleAPICallError, code: int, text: str) -> Facts:
    return Facts(
        code=code,
        is_precondition=isinstance(error, api.FailedPrecondition),
        reason=error.reason or "",
        metadata=dict(error.metadata or {}),
        text=text,
    )


def _quota_cause(error: api.GoogleAPICallError, text: str) -> str:
    if _is_used_up(error, text):
        return "the project's quota for the day, or for longer, is used up (429). Ask for more quota."
    if error.reason == "RATE_LIMIT_EXCEEDED" or text.startswith("Quota exceeded"):
        return "the project's quota is used up (429). Ask for more quota or lower WORKER_CONCURRENCY."
    return "the capacity that all customers share is used up (429); no quota of the project is at fault."


# Names of limits as services write them: GenerateRequestsPerDayPerProjectPerModel, requests_per_day, "requests per day"
# (from literal logs in public issue threads), and the unit 1/d/{project} of Service Usage.
_LONG = re.compile(r"per[ _-]?(?:day|week|month|year)|\bdaily|^1/(?:d|w|mo?)\b", re.IGNORECASE)


def _is_used_up(error: api.GoogleAPICallError, text: str) -> bool:
    """Whether the quota is one that no retry outlasts: of a day or longer, or of nothing at all."""
    metadata = dict(error.metadata or {})
    if metadata.get("quota_limit_value") == "0":
        return True
    limits = (value for name, value in metadata.items() if name.startswith("quota_"))
    return any(_LONG.search(words) for words in (text, *limits, *_violations(error.details)))


def _violations(details: Sequence[object]) -> Iterator[str]:
    for detail in details or ():
        if isinstance(detail, error_details_pb2.QuotaFailure):
            for violation in detail.violations:
                yield from (violation.quota_id, violation.quota_metric, violation.description)


def _busy_cause(verdict: Busy, target: Target, text: str) -> str:
    if verdict.kind == "timeout":
        return "no answer in time (504)."
    if "DNS resolution failed" in text:
        return f"no such host {target.endpoint}. If the network is well, {target.location} is no location."
    if text.startswith(_PLUGIN_FAILED):
        return "the service that issues access tokens did not answer."
    return f"{target.endpoint} answered with {verdict.kind} ({verdict.code})."


def _retry_after(details: Sequence[object]) -> float | None:
    for detail in details or ():
        if isinstance(detail, error_details_pb2.RetryInfo):
            return float(detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9)
    return None
