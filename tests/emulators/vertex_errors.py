"""What the service says when it refuses a call: status, wording, and the typed details clients read.

The wordings are Google's, as quoted in public issue threads; reasons and metadata keys are those of
`google/api/error_reason.proto`. A missing model carries no details at all, as with the real service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

ErrorName = Literal[
    "retired",
    "not_found",
    "service_disabled",
    "iam_denied",
    "project_invalid",
    "billing_disabled",
    "token_expired",
    "capacity",
    "quota",
]

ERROR_NAMES: tuple[str, ...] = get_args(ErrorName)

STATUS_NAMES: tuple[str, ...] = tuple(code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One refused call. An empty `reason` means: no ErrorInfo; no `retry_after_seconds` means: no RetryInfo."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = "googleapis.com"
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None

    def details(self) -> list[Any]:
        """The messages that travel in `grpc-status-details-bin`, none when there is nothing to say."""
        found: list[Any] = []
        if self.reason:
            found.append(
                error_details_pb2.ErrorInfo(
                    reason=self.reason, domain=self.domain, metadata=dict(self.metadata)
                )
            )
        if self.retry_after_seconds is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(round(self.retry_after_seconds * 1e9))
            found.append(error_details_pb2.RetryInfo(retry_delay=delay))
        return found


class RefusedError(Exception):
    """Ends a call inside the emulator; the server turns it into a gRPC status."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


async def abort(context: Any, refusal: Refusal) -> None:
    """End the call with the refusal's status, its details as real trailing metadata."""
    details = refusal.details()
    if not details:
        await context.abort(refusal.code, refusal.message)
    rich = status_pb2.Status(code=refusal.code.value[0], message=refusal.message)
    for detail in details:
        rich.details.add().Pack(detail)
    status = rpc_status.to_status(rich)
    await context.abort(status.code, status.details, status.trailing_metadata)


def known_error(name: str, *, model_path: str) -> Refusal:
    """The refusal that goes by this name, worded for the model that was asked for."""
    project = _segment(model_path, "projects")
    model = model_path.rsplit("/", 1)[-1]
    return _BUILDERS[name](model_path, project, model)


def plain_error(status: str) -> Refusal:
    """A refusal by status name alone, with the service's usual words where it has any."""
    code = grpc.StatusCode[status]
    return Refusal(code=code, message=_USUAL_WORDS.get(status, f"The emulator was told to answer {status}."))


def _segment(path: str, collection: str) -> str:
    parts = path.split("/")
    return parts[parts.index(collection) + 1] if collection in parts[:-1] else "unknown"


def _consumer(project: str) -> dict[str, str]:
    return {"service": "aiplatform.googleapis.com", "consumer": f"projects/{project}"}


def _retired(path: str, _project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.NOT_FOUND,
        message=f"Publisher Model `{path}` was not found or your project does not have access to it. "
        "Please ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def _not_found(path: str, _project: str, _model: str) -> Refusal:
    return Refusal(code=grpc.StatusCode.NOT_FOUND, message=f"Publisher Model `{path}` not found.")


def _service_disabled(_path: str, project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.PERMISSION_DENIED,
        message=f"Vertex AI API has not been used in project {project} before or it is disabled. "
        "Enable it by visiting https://console.developers.google.com/apis/api/aiplatform.googleapis.com/"
        f"overview?project={project} then retry. If you enabled this API recently, "
        "wait a few minutes for the action to propagate to our systems and retry.",
        reason="SERVICE_DISABLED",
        metadata=_consumer(project),
    )


def _iam_denied(path: str, _project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.PERMISSION_DENIED,
        message="Permission 'aiplatform.endpoints.predict' denied on resource "
        f"'//aiplatform.googleapis.com/{path}' (or it may not exist).",
        reason="IAM_PERMISSION_DENIED",
        domain="aiplatform.googleapis.com",
        metadata={"permission": "aiplatform.endpoints.predict", "resource": path},
    )


def _project_invalid(_path: str, project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.PERMISSION_DENIED,
        message=f"Permission denied on resource project {project}.",
        reason="CONSUMER_INVALID",
        metadata=_consumer(project),
    )


def _billing_disabled(_path: str, project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.PERMISSION_DENIED,
        message="This API method requires billing to be enabled. Please enable billing on project "
        f"#{project} by visiting https://console.developers.google.com/billing/enable?project={project} then retry. "
        "If you enabled billing for this project recently, wait a few minutes for the action to propagate to our "
        "systems and retry.",
        reason="BILLING_DISABLED",
        metadata=_consumer(project),
    )


def _token_expired(_path: str, _project: str, _model: str) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.UNAUTHENTICATED,
        message="Request had invalid authentication credentials. Expected OAuth 2 access token, "
        "login cookie or other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
        reason="ACCESS_TOKEN_EXPIRED",
        metadata={"service": "aiplatform.googleapis.com"},
    )


def _capacity(_path: str, _project: str, _model: str) -> Refusal:
    return plain_error("RESOURCE_EXHAUSTED")


def _quota(_path: str, project: str, model: str) -> Refusal:
    metric = "aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model"
    return Refusal(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        message=f"Quota exceeded for {metric} with base model: {model}. "
        "Please submit a quota increase request.",
        reason="RATE_LIMIT_EXCEEDED",
        metadata={
            **_consumer(project),
            "quota_metric": metric,
            "quota_limit": "GenerateContentRequestsPerMinutePerProjectPerBaseModel",
        },
    )


_BUILDERS = {
    "retired": _retired,
    "not_found": _not_found,
    "service_disabled": _service_disabled,
    "iam_denied": _iam_denied,
    "project_invalid": _project_invalid,
    "billing_disabled": _billing_disabled,
    "token_expired": _token_expired,
    "capacity": _capacity,
    "quota": _quota,
}

_USUAL_WORDS = {
    "RESOURCE_EXHAUSTED": "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "INTERNAL": "Internal error encountered.",
    "DEADLINE_EXCEEDED": "Deadline expired before operation could complete.",
    "INVALID_ARGUMENT": "Request contains an invalid argument.",
    "PERMISSION_DENIED": "The caller does not have permission",
}
