"""Tells apart the causes that share the status 403, by the reason that comes with it.

Reasons: https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto
"""

import re
from collections.abc import Callable, Mapping

from services.generation.known_models import Diagnosis
from services.generation.providers.vertex_facts import Facts, Target

# Projects of Google's own tools. When the API is "disabled" in one of them, the credentials lack a quota
# project.
_GOOGLES_OWN_PROJECTS = frozenset({"32555940559", "563584335869", "764086051850"})
_PLAIN = re.compile(r"[\w./:-]{1,120}")


def forbidden(facts: Facts, target: Target) -> Diagnosis:
    """The cause and the fix of a 403."""
    explain = _FORBIDDEN.get(facts.reason)
    if explain is not None:
        return explain(facts, target)
    cause = f"permission denied on project {target.project} (403)"
    fix = "Grant roles/aiplatform.user on it to the worker's service account, and check GOOGLE_CLOUD_PROJECT."
    return Diagnosis(cause=cause, fix=fix)


def _service_disabled(facts: Facts, target: Target) -> Diagnosis:
    consumer = _metadata(facts, "consumer").removeprefix("projects/")
    if consumer in _GOOGLES_OWN_PROJECTS:
        cause = (
            "the credentials have no quota project, so the call counts for one of Google's own projects (403)"
        )
        return Diagnosis(
            cause=cause, fix=f"Run: gcloud auth application-default set-quota-project {target.project}"
        )
    cause = f"the Vertex AI API is not enabled in project {consumer or target.project} (403 SERVICE_DISABLED)"
    fix = f"Run: gcloud services enable aiplatform.googleapis.com --project={target.project}"
    if consumer and consumer != target.project:
        fix += f" (unless {consumer} is not its number: then correct the credentials' quota project)"
    return Diagnosis(cause=cause, fix=fix)


def _iam_denied(facts: Facts, target: Target) -> Diagnosis:
    permission = _metadata(facts, "permission") or "aiplatform.endpoints.predict"
    cause = f"the worker's account lacks {permission} on project {target.project}, or it does not exist (403)"
    fix = (
        f"Run: gcloud projects add-iam-policy-binding {target.project} "
        "--member=serviceAccount:WORKER_ACCOUNT --role=roles/aiplatform.user"
    )
    return Diagnosis(cause=cause, fix=fix)


def _consumer_invalid(_facts: Facts, target: Target) -> Diagnosis:
    cause = f"there is no project {target.project} (403 CONSUMER_INVALID)"
    return Diagnosis(
        cause=cause, fix="Set GOOGLE_CLOUD_PROJECT to the project's id; its display name does not do."
    )


def _user_project_denied(_facts: Facts, target: Target) -> Diagnosis:
    cause = "the account may not use the credentials' quota project (403 USER_PROJECT_DENIED)"
    fix = (
        f"Run: gcloud auth application-default set-quota-project {target.project}, and grant "
        "roles/serviceusage.serviceUsageConsumer on it."
    )
    return Diagnosis(cause=cause, fix=fix)


def _billing_disabled(_facts: Facts, target: Target) -> Diagnosis:
    cause = f"billing is off in project {target.project} (403 BILLING_DISABLED)"
    fix = f"Run: gcloud billing projects link {target.project} --billing-account=ACCOUNT_ID"
    return Diagnosis(cause=cause, fix=fix)


def _consumer_suspended(_facts: Facts, target: Target) -> Diagnosis:
    cause = f"Google has suspended project {target.project} (403 CONSUMER_SUSPENDED)"
    return Diagnosis(cause=cause, fix="Look for Google's notice to the project's owners and appeal there.")


def _perimeter(facts: Facts, target: Target) -> Diagnosis:
    uid = _metadata(facts, "uid")
    found_by = f", unique id {uid}" if uid else ""
    cause = f"a VPC Service Controls perimeter stands before project {target.project} (403{found_by})"
    fix = "Let the worker's account reach aiplatform.googleapis.com; the id finds the entry in the audit log."
    return Diagnosis(cause=cause, fix=fix)


_FORBIDDEN: Mapping[str, Callable[[Facts, Target], Diagnosis]] = {
    "SERVICE_DISABLED": _service_disabled,
    "IAM_PERMISSION_DENIED": _iam_denied,
    "CONSUMER_INVALID": _consumer_invalid,
    "USER_PROJECT_DENIED": _user_project_denied,
    "BILLING_DISABLED": _billing_disabled,
    "CONSUMER_SUSPENDED": _consumer_suspended,
    "SECURITY_POLICY_VIOLATED": _perimeter,
}


def _metadata(facts: Facts, key: str) -> str:
    """A value of ErrorInfo, where it is an identifier and nothing else."""
    value = facts.metadata.get(key, "")
    return value if _PLAIN.fullmatch(value) else ""
