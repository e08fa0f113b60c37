"""What infra/ and the code must agree on: names, settings, rights, collections, fields, events."""

import ast
import re

from services.content.models import ContentResult
from services.storage import firestore_answers, firestore_documents
from tests.unit.infra.terraform_text import ROOT, all_sources, local_list, local_text, resources, source
from worker.settings import Settings

SETTING = re.compile(r"\b(?:WORKER|LOG|GOOGLE_CLOUD)_[A-Z][A-Z_]*\b")
ANCHORS = {
    "alert-oldest-unacked",
    "alert-dead-letters",
    "alert-failed-executions",
    "alert-degraded-share",
    "alert-daily-cost",
}
# Written by the HTTP target `feedback`; its name is part of the public interface.
FEEDBACK = "content_feedback"


def python_sources(*folders: str) -> list[str]:
    return [path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_setting_that_infra_names_is_one_that_the_worker_reads() -> None:
    # Given the names of the worker's settings, and all names in infra that look like one
    known = {field.upper() for field in Settings.model_fields}
    example = (ROOT / "infra/terraform.tfvars.example").read_text()

    # When / Then
    assert set(SETTING.findall(all_sources() + example)) - known == set()


def test_settings_that_hold_secrets_stay_out_of_worker_settings() -> None:
    # Given the settings that the worker keeps secret
    secrets = {
        name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
    }

    # When / Then
    text = source("environment.tf")
    assert secrets <= {*local_list(text, "managed_settings"), *local_list(text, "secret_settings")}


def test_topics_and_subscriptions_have_the_names_that_the_worker_expects_by_default() -> None:
    # Given
    text = source("locals.tf")

    # When
    names = {
        f"worker_{name}": local_text(text, name)
        for name in ("topic", "subscription", "dead_letter_topic", "dead_letter_subscription")
    }

    # Then
    assert names == {name: Settings.model_fields[name].default for name in names}


def test_the_defaults_of_variables_are_those_of_the_settings() -> None:
    # Given
    text = source("variables.tf")
    pairs = {"concurrency": "worker_concurrency", "result_ttl_days": "worker_result_ttl_days"}

    for variable, field in pairs.items():
        # When
        found = re.search(rf'variable "{variable}" \{{.*?default\s+= (\d+)', text, flags=re.DOTALL)

        # Then
        assert found, f"infra/ has no variable {variable} with a number as its default"
        assert int(found[1]) == Settings.model_fields[field].default


def test_every_topic_that_takes_dead_letters_has_a_subscription() -> None:
    # Given all subscriptions
    bodies = [
        body
        for (kind, _), body in resources(source("pubsub.tf")).items()
        if kind == "google_pubsub_subscription"
    ]
    kept = {
        topic
        for body in bodies
        for topic in re.findall(r"^  topic +=\s+google_pubsub_topic\.(\w+)\.", body, re.M)
    }

    # When
    dead = {
        t for body in bodies for t in re.findall(r"dead_letter_topic +=\s+google_pubsub_topic\.(\w+)\.", body)
    }

    # Then
    assert dead, "no subscription has a dead-letter policy"
    assert dead <= kept, f"these topics have no subscription, so dead letters on them are lost: {dead - kept}"


def test_the_worker_has_the_rights_that_the_readme_lists() -> None:
    # Given
    readme = (ROOT / "README.md").read_text()
    listed = re.search(r"Roles of the worker: (.*?)\. `provision`", readme, flags=re.DOTALL)
    assert listed, "README.md no longer lists the roles of the worker"

    # When
    granted = set(re.findall(r'role = "([^"]+)", +member = local\.worker\b', source("iam.tf")))

    # Then: the key that it reads comes from a secret only here
    assert granted == {*re.findall(r"`(roles/[\w.]+)`", listed[1]), "roles/secretmanager.secretAccessor"}


def test_the_collections_that_expire_are_those_that_the_store_writes() -> None:
    # Given
    written = {firestore_documents.COLLECTION, firestore_answers.COLLECTION, FEEDBACK}

    # When / Then
    assert set(local_list(source("firestore.tf"), "expiring_collections")) == written


def test_no_collection_of_the_store_is_forgotten() -> None:
    # Given every collection that an adapter names
    named = {
        name
        for text in python_sources("services/storage")
        for name in re.findall(r'^[A-Z_]*COLLECTION[A-Z_]* = "(\w+)"', text, flags=re.MULTILINE)
    }

    # When / Then
    assert named <= set(local_list(source("firestore.tf"), "expiring_collections"))


def test_fields_without_an_index_are_fields_of_a_result_and_in_no_query() -> None:
    # Given
    unindexed = set(local_list(source("firestore.tf"), "unindexed_result_fields"))
    queried = {
        field
        for text in python_sources("services/storage")
        for field in re.findall(r'(?:order_by|FieldFilter)\(\s*"([\w.]+)"', text)
    }

    # When / Then
    assert {field.partition(".")[0] for field in unindexed} <= {*ContentResult.model_fields, "claim"}
    assert {"created_at", "debt.since", "status"} <= queried, (
        "queries are no longer written as this test reads them"
    )
    hidden = {field for field in queried for out in unindexed if field == out or field.startswith(f"{out}.")}
    assert not hidden, f"queries ask for fields that have no index: {hidden}"


def test_every_event_that_a_metric_counts_is_one_that_the_code_logs() -> None:
    # Given the events in filters of the log
    filters = re.findall(r'jsonPayload\.message=(?:\\"([\w.]+)\\"|\(([^)]*)\))', source("metrics.tf"))
    counted = {
        event for one, many in filters for event in [one, *re.findall(r'\\"([\w.]+)\\"', many)] if event
    }

    # When
    logged = {
        node.value
        for text in python_sources("worker", "services")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    # Then
    assert "message.settled" in counted
    assert counted <= logged, f"nothing logs {counted - logged}"


def test_every_fact_that_a_metric_reads_is_one_that_the_code_logs() -> None:
    # Given
    read = set(re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", source("metrics.tf"))) - {"message"}
    code = "\n".join(python_sources("worker", "services"))

    # When / Then: as a keyword of a log call, or as a key of its facts
    assert read == {fact for fact in read if re.search(rf'\b{fact}=|"{fact}"', code)}


def test_every_alert_names_its_section_of_the_operations_guide() -> None:
    # Given
    alerts = {
        name: body
        for (kind, name), body in resources(source("alerts.tf")).items()
        if kind == "google_monitoring_alert_policy"
    }

    # When
    named = {name: re.findall(r"docs/operations\.md#([\w-]+)", body) for name, body in alerts.items()}

    # Then
    assert {anchor for anchors in named.values() for anchor in anchors} == ANCHORS
    assert {name: anchors for name, anchors in named.items() if len(anchors) != 1} == {}


def test_a_deployment_by_gcloud_leaves_nothing_for_the_next_plan_to_undo() -> None:
    # Given what gcloud writes into everything that it deploys
    written = {"client", "client_version"}
    bodies = {
        kind: body
        for name in ("job.tf", "worker_pool.tf")
        for (kind, _), body in resources(source(name)).items()
    }

    for kind in ("google_cloud_run_v2_job", "google_cloud_run_v2_worker_pool"):
        # When
        ignored = re.search(r"ignore_changes = \[(.*?)\]$", bodies[kind], flags=re.MULTILINE)

        # Then
        assert ignored, f"{kind} ignores nothing"
        assert written <= set(ignored[1].split(", "))


def test_nothing_is_given_to_the_public_and_nobody_gets_a_basic_role() -> None:
    # Given all text that is not a comment or a message for people
    grants = source("iam.tf")

    # When / Then
    assert re.findall(r"\ball(?:Authenticated)?Users\b", grants) == []
    assert re.findall(r'"roles/(?:owner|editor|viewer)"', all_sources()) == []


def test_every_variable_has_a_description_and_every_bounded_one_a_validation() -> None:
    # Given
    found = re.findall(
        r'^variable "(\w+)" \{\n(.*?)^\}', source("variables.tf"), flags=re.MULTILINE | re.DOTALL
    )

    # When / Then
    assert [name for name, body in found if "description" not in body] == []
    assert [
        name for name, body in found if "validation {" not in body and not re.search(r"type +=\s+bool", body)
    ] == []
