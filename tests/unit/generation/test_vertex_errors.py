from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from services.errors import ModelRejected, ModelUnavailable
from services.generation.providers.vertex_errors import VERDICTS, Refused, explain, explain_auth
from services.generation.providers.vertex_facts import Target
from services.generation.refusals import LASTING
from tests.unit.generation.doubles import MARKER

TODAY = date(2026, 11, 20)


def target(model: str = "gemini-3.8-flash", location: str = "global") -> Target:
    return Target(project="school", model=model, location=location, endpoint="aiplatform.googleapis.com")


def said(error: api.GoogleAPICallError, to: Target | None = None) -> ModelUnavailable | ModelRejected:
    return explain(error, to or target(), today=TODAY)


def denied(reason: str, **metadata: str) -> api.GoogleAPICallError:
    info = error_details_pb2.ErrorInfo(reason=reason, domain="googleapis.com", metadata=metadata)
    return api.PermissionDenied(f"No. {MARKER}", error_info=info)


def call_errors(parent: type[Any] = api.GoogleAPICallError) -> Iterator[type[Any]]:
    yield parent
    for child in parent.__subclasses__():
        yield from call_errors(child)


@pytest.mark.parametrize("error_class", list(call_errors()))
def test_every_error_of_the_library_has_a_verdict_of_its_own(error_class: type[Any]) -> None:
    # Given an error class of google-api-core, with the question in its text
    error = error_class(f"Something about {MARKER}")
    # When it is explained
    verdict = VERDICTS.get(error_class.__name__)
    explained = said(error)
    # Then the table has a row for it, and the question is gone
    assert verdict is not None, f"add a row for {error_class.__name__} to VERDICTS"
    assert isinstance(explained, ModelRejected if isinstance(verdict, Refused) else ModelUnavailable)
    assert MARKER not in repr(vars(explained))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (api.ResourceExhausted("x"), "quota", 429),
        (api.DeadlineExceeded("x"), "timeout", 504),
        (api.ServiceUnavailable("x"), "unavailable", 503),
        (api.InternalServerError("x"), "server_error", 500),
        (api.Unknown("x"), "server_error", 500),
        (api.Cancelled("x"), "unavailable", 499),
        (api.GoogleAPICallError("x"), "server_error", 500),
    ],
)
def test_what_may_pass_is_unavailable(error: api.GoogleAPICallError, kind: str, code: int) -> None:
    # Given an error that may pass
    # When it is explained
    explained = said(error)
    # Then it may be retried
    assert isinstance(explained, ModelUnavailable)
    assert (explained.kind, explained.code, explained.retry_after) == (kind, code, None)
    assert explained.message.startswith("gemini-3.8-flash at global: ")


def test_the_time_that_the_service_asks_to_wait_is_passed_on() -> None:
    # Given an error with RetryInfo among its details
    delay = duration_pb2.Duration(seconds=2, nanos=500_000_000)
    details = [error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo(retry_delay=delay)]
    # When it is explained
    explained = said(api.ResourceExhausted("x", details=details))
    # Then the seconds are there
    assert isinstance(explained, ModelUnavailable)
    assert explained.retry_after == 2.5


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Resource exhausted. Please try again later.", "the capacity that all customers share"),
        ("Quota exceeded for aiplatform.googleapis.com/x with base model: y.", "the project's quota"),
    ],
)
def test_shared_capacity_is_told_apart_from_a_quota(text: str, cause: str) -> None:
    # Given one of the two texts of a 429
    # When it is explained
    explained = said(api.ResourceExhausted(text))
    # Then nobody is sent to the quota page in vain
    assert cause in explained.message


def exceeded(text: str = "Quota exceeded.", **metadata: str) -> api.ResourceExhausted:
    info = error_details_pb2.ErrorInfo(reason="RATE_LIMIT_EXCEEDED", metadata=metadata)
    return api.ResourceExhausted(text, error_info=info)


def violation(**fields: str) -> api.ResourceExhausted:
    failure = error_details_pb2.QuotaFailure(violations=[error_details_pb2.QuotaFailure.Violation(**fields)])
    return api.ResourceExhausted("Quota exceeded.", details=[failure])


@pytest.mark.parametrize(
    ("error", "lasts"),
    [
        (exceeded(quota_limit="GenerateContentRequestsPerDayPerProjectPerBaseModel"), True),
        (exceeded(quota_metric="aiplatform.googleapis.com/generate_content_requests_per_day"), True),
        (exceeded(quota_limit="TokensPerMonth"), True),
        (exceeded(quota_unit="1/d/{project}"), True),
        (exceeded(quota_limit="RequestsPerMinute", quota_limit_value="0"), True),
        (exceeded("Quota exceeded for 'Requests' and limit 'Requests per day per user'."), True),
        (exceeded("Daily Limit Exceeded"), True),
        (violation(quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier"), True),
        (violation(description="Requests per week"), True),
        (exceeded(quota_limit="GenerateContentRequestsPerMinutePerProjectPerBaseModel"), False),
        (exceeded(quota_unit="1/min/{project}"), False),
        (violation(quota_id="GenerateContentInputTokensPerModelPerMinute-FreeTier"), False),
        (api.ResourceExhausted("Resource exhausted. Please try again later."), False),
        (api.ServiceUnavailable("The daily maintenance is under way."), False),
    ],
)
def test_a_quota_of_a_day_or_longer_lasts(error: api.GoogleAPICallError, lasts: bool) -> None:
    # Given a 429 that names its limit, or another error
    # When it is explained
    explained = said(error)
    # Then only what no retry outlasts is said to last
    assert isinstance(explained, ModelUnavailable)
    assert explained.lasts == lasts
    assert ("for the day" in explained.message) == lasts


@pytest.mark.parametrize(
    ("error", "kind", "code", "cause", "fix"),
    [
        (
            denied("SERVICE_DISABLED", consumer="projects/123", service="aiplatform.googleapis.com"),
            "permission_denied",
            403,
            "API is not enabled in project 123",
            "gcloud services enable aiplatform.googleapis.com --project=school (unless 123 is not its number",
        ),
        (
            denied("SERVICE_DISABLED", consumer="projects/764086051850"),
            "permission_denied",
            403,
            "no quota project",
            "gcloud auth application-default set-quota-project school",
        ),
        (
            denied("IAM_PERMISSION_DENIED", permission="aiplatform.endpoints.predict"),
            "permission_denied",
            403,
            "lacks aiplatform.endpoints.predict on project school",
            "--role=roles/aiplatform.user",
        ),
        (denied("CONSUMER_INVALID"), "permission_denied", 403, "no project school", "GOOGLE_CLOUD_PROJECT"),
        (
            denied("USER_PROJECT_DENIED"),
            "permission_denied",
            403,
            "quota project",
            "serviceusage.serviceUsageConsumer",
        ),
        (
            denied("BILLING_DISABLED"),
            "permission_denied",
            403,
            "billing is off",
            "gcloud billing projects link",
        ),
        (denied("CONSUMER_SUSPENDED"), "permission_denied", 403, "suspended", "appeal"),
        (denied("SECURITY_POLICY_VIOLATED", uid="abc-1"), "permission_denied", 403, "abc-1", "audit log"),
        (denied("SOMETHING_NEW"), "permission_denied", 403, "permission denied", "roles/aiplatform.user"),
        (api.Forbidden("x"), "permission_denied", 403, "permission denied", "roles/aiplatform.user"),
        (api.Unauthenticated("x"), "unauthenticated", 401, "token was not accepted", "gcloud auth"),
        (api.NotFound("x"), "model_not_found", 404, "not found; served there", "GOOGLE_CLOUD_PROJECT"),
        (
            api.MethodNotImplemented("x"),
            "model_not_found",
            501,
            "aiplatform.googleapis.com does not serve",
            "GOOGLE_CLOUD_LOCATION",
        ),
        (
            api.FailedPrecondition("disallowed by the organization's policy"),
            "permission_denied",
            400,
            "policy of the organisation",
            "constraints/vertexai.allowedModels",
        ),
        (
            api.FailedPrecondition("Project 1 is not allowed to use Publisher Model `x`"),
            "permission_denied",
            400,
            "not enabled in project school",
            "Model Garden",
        ),
        (
            api.InvalidArgument("The input token count (2000000) exceeds the maximum"),
            "invalid_request",
            400,
            "the prompt is longer",
            "Shorten",
        ),
        (
            api.InvalidArgument(f"Bad: {MARKER}"),
            "invalid_request",
            400,
            "called invalid (400)",
            "WORKER_MODELS",
        ),
    ],
)
def test_a_refusal_names_its_cause_and_its_fix(
    error: api.GoogleAPICallError, kind: str, code: int, cause: str, fix: str
) -> None:
    # Given a refusal
    # When it is explained
    explained = said(error)
    # Then an operator knows the model, the place, the cause and the fix, and no server text comes along
    assert isinstance(explained, ModelRejected)
    assert (explained.kind, explained.code) == (kind, code)
    assert explained.message.startswith("gemini-3.8-flash at global: ")
    assert cause in explained.message
    assert fix in explained.fix
    assert MARKER not in explained.message + explained.fix


def test_a_retired_model_is_explained_as_a_whole_sentence() -> None:
    # Given a model that is no more
    # When its 404 is explained
    explained = said(api.NotFound("Publisher model ... was not found"), target("gemini-2.0-flash"))
    # Then cause and fix read like this
    assert isinstance(explained, ModelRejected)
    assert f"{explained.message} {explained.fix}" == (
        "gemini-2.0-flash at global: not found; retired on 2026-06-01 (table of 2026-11-20). "
        "Replace it in WORKER_MODELS by vertex:gemini-3.8-flash."
    )


def test_a_policy_closes_the_model_for_everybody_and_a_bad_request_does_not() -> None:
    # Given two refusals with status 400
    policy, request = said(api.FailedPrecondition("x")), said(api.InvalidArgument("x"))
    # When their kinds are looked at
    lasting = [error.kind in LASTING for error in (policy, request)]
    # Then only the policy lasts
    assert lasting == [True, False]


@pytest.mark.parametrize("consumer", [f"projects/{MARKER} and more words", "", "projects/" + "9" * 200])
def test_metadata_that_is_not_an_identifier_is_not_repeated(consumer: str) -> None:
    # Given metadata that holds prose
    # When the refusal is explained
    explained = said(denied("SERVICE_DISABLED", consumer=consumer))
    # Then the configured project stands in its place
    assert "is not enabled in project school" in explained.message
    assert MARKER not in repr(vars(explained))


def test_a_made_up_region_is_recognised_by_its_host() -> None:
    # Given a host that no name server knows
    # When the error is explained
    explained = said(
        api.ServiceUnavailable("DNS resolution failed for mars-aiplatform"), target(location="mars")
    )
    # Then the location is doubted
    assert isinstance(explained, ModelUnavailable)
    assert "mars is no location" in explained.message


@pytest.mark.parametrize(
    ("text", "rejected"),
    [
        ("Getting metadata from plugin failed with error: ('invalid_grant: Bad Request', {})", True),
        ("Getting metadata from plugin failed with error: Reauthentication is needed.", True),
        ("Getting metadata from plugin failed with error: HTTPSConnectionPool(...)", False),
        ("failed to connect to all addresses", False),
    ],
)
def test_a_token_that_cannot_be_renewed_is_told_apart_from_a_bad_network(text: str, rejected: bool) -> None:
    # Given gRPC's one status for both
    # When the error is explained
    explained = said(api.ServiceUnavailable(text))
    # Then only lost credentials are for good
    assert isinstance(explained, ModelRejected) == rejected
    assert isinstance(explained, ModelUnavailable) != rejected


@pytest.mark.parametrize(
    ("error", "rejected"),
    [
        (auth.DefaultCredentialsError("Your default credentials were not found."), True),
        (auth.RefreshError("invalid_grant"), True),
        (auth.MalformedError("no key"), True),
        (auth.RefreshError("try again", retryable=True), False),
        (auth.TransportError("connection refused"), False),
    ],
)
def test_credentials_that_are_missing_or_dead_need_an_operator(
    error: auth.GoogleAuthError, rejected: bool
) -> None:
    # Given an error of google-auth
    # When it is explained
    explained = explain_auth(error, target())
    # Then what may pass is retried, and the rest says how to log in
    if rejected:
        assert isinstance(explained, ModelRejected)
        assert (explained.kind, explained.code) == ("unauthenticated", 401)
        assert "gcloud auth application-default login" in explained.fix
    else:
        assert isinstance(explained, ModelUnavailable)
