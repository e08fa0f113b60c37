"""Why Vertex AI refuses a call for good, and what to do about it, in words that may be printed.

The wordings that are looked for are from literal logs in public issue threads (2026-11-20).
"""

from datetime import date

from services.errors import ModelRejected
from services.generation.known_models import Diagnosis, explain_not_found
from services.generation.providers.vertex_facts import Facts, Target
from services.generation.providers.vertex_forbidden import forbidden


def refusal(facts: Facts, target: Target, *, today: date) -> ModelRejected:
    """The error for a refusal, with its likely cause and the fix."""
    if facts.code == 401:
        return no_credentials(target, what="the access token was not accepted (401)")
    if facts.code == 403:
        return _rejected(target, "permission_denied", 403, forbidden(facts, target))
    if facts.code == 404:
        diagnosis = explain_not_found(target.model, target.location, today=today)
        found = Diagnosis(cause=f"not found; {diagnosis.cause}", fix=diagnosis.fix)
        return _rejected(target, "model_not_found", 404, found)
    if facts.code in _NOT_THIS_API:
        return _rejected(target, "model_not_found", facts.code, _wrong_endpoint(target))
    if facts.is_precondition:
        return _rejected(target, "permission_denied", 400, _precondition(facts, target))
    return _rejected(target, "invalid_request", facts.code, _bad_request(facts))


def no_credentials(target: Target, *, what: str = "no usable Google credentials") -> ModelRejected:
    """The error for credentials that are missing, expired or revoked."""
    fix = (
        "On a workstation run: gcloud auth application-default login. On Cloud Run give the job a service "
        "account with roles/aiplatform.user. Unset GOOGLE_APPLICATION_CREDENTIALS when it names an old key."
    )
    return _rejected(target, "unauthenticated", 401, Diagnosis(cause=what, fix=fix))


def _rejected(target: Target, kind: str, code: int, diagnosis: Diagnosis) -> ModelRejected:
    return ModelRejected(f"{target}: {diagnosis.cause}.", kind=kind, code=code, fix=diagnosis.fix)


# Statuses of a host that answers but does not serve this API.
_NOT_THIS_API = frozenset({301, 307, 308, 405, 501})

_BAD_REQUESTS = (
    (
        "input token count",
        "the prompt is longer than the model takes",
        "Shorten what the stage puts into its prompt.",
    ),
    (
        "ending with a model turn",
        "the request ended with the model's turn",
        "Update the worker: this is a mistake in its request.",
    ),
    ("thinking_level", "the model takes no thinking level LOW", "Choose a current model in WORKER_MODELS."),
    (
        "response_json_schema",
        "the model does not take the answer's schema",
        "Choose a current model in WORKER_MODELS.",
    ),
)


def _bad_request(facts: Facts) -> Diagnosis:
    text = facts.text.lower()
    for needle, cause, fix in _BAD_REQUESTS:
        if needle in text:
            return Diagnosis(cause=f"{cause} ({facts.code})", fix=fix)
    fix = "If every message fails like this, choose another model in WORKER_MODELS."
    return Diagnosis(cause=f"the request was called invalid ({facts.code})", fix=fix)


def _precondition(facts: Facts, target: Target) -> Diagnosis:
    if "not allowed to use publisher model" in facts.text.lower():
        cause = f"the model is not enabled in project {target.project} (400 FAILED_PRECONDITION)"
        return Diagnosis(
            cause=cause, fix="Enable it in Model Garden, or choose another one in WORKER_MODELS."
        )
    cause = f"forbidden by a policy of the organisation over {target.project} (400 FAILED_PRECONDITION)"
    fix = f"Allow the model in constraints/vertexai.allowedModels: publishers/google/models/{target.model}."
    return Diagnosis(cause=cause, fix=fix)


def _wrong_endpoint(target: Target) -> Diagnosis:
    cause = f"{target.endpoint} does not serve Vertex AI's prediction service"
    return Diagnosis(cause=cause, fix="Set GOOGLE_CLOUD_LOCATION to global, us, eu or a region of Vertex AI.")
