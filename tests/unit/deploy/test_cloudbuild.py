"""cloudbuild.yaml keeps its rules, and each rule notices a file that does not."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.unit.deploy import rules
from tests.unit.deploy.rules import ROOT, Build

Breaks = Callable[[dict[str, Any]], object]
FILE = ROOT / "cloudbuild.yaml"


@pytest.fixture(scope="module")
def build() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(FILE)
    return loaded


def step(build: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in build["steps"] if step["id"] == name)
    return found


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_rule(build: Build, rule: Callable[[Build], list[str]]) -> None:
    assert rule(build) == []


# Each breaks the file in one way that one rule has to notice.
MUTATIONS: list[tuple[Callable[[Build], list[str]], Breaks]] = [
    (rules.ids_are_there_once, lambda b: step(b, "push").update(id="build")),
    (rules.ids_are_there_once, lambda b: b["steps"][0].pop("id")),
    (rules.waits_lead_back, lambda b: step(b, "push").update(waitFor=["biuld"])),
    (rules.waits_lead_back, lambda b: step(b, "push").update(waitFor=["digest"])),
    (rules.substitutions_are_declared, lambda b: b["substitutions"].pop("_JOB")),
    (rules.substitutions_are_declared, lambda b: step(b, "push")["args"].append("$SHORT_SHA")),
    (rules.substitutions_are_declared, lambda b: b["substitutions"].update(_IMAGE="${_REGISTRY}/worker")),
    (rules.substitutions_are_used, lambda b: b["substitutions"].update(_LEFT_OVER="")),
    (rules.substitutions_are_texts, lambda b: b["substitutions"].update(_DEPLOY=True)),
    (rules.shells_escape_their_dollars, lambda b: step(b, "sbom").update(args=["-c", "gcloud x $(cat y)"])),
    (rules.shells_escape_their_dollars, lambda b: step(b, "sbom").update(args=["-c", "gcloud x $image"])),
    (
        rules.only_the_digest_is_deployed,
        lambda b: step(b, "deploy")["args"].__setitem__(1, "${_IMAGE}:build-1"),
    ),
    (rules.only_the_digest_is_deployed, lambda b: step(b, "deploy")["args"].__setitem__(1, "@.local/other")),
    (rules.only_the_digest_is_deployed, lambda b: step(b, "deploy")["args"].append("${_IMAGE}:latest")),
    (rules.only_the_digest_is_deployed, lambda b: step(b, "deploy")["args"].pop(1)),
    (
        rules.only_the_digest_is_deployed,
        lambda b: step(b, "sbom").update(args=["-c", "gcloud run jobs update content-worker --image=x"]),
    ),
    (
        rules.the_digest_is_what_was_pushed,
        lambda b: step(b, "push").update(args=["push", "${_IMAGE}:latest"]),
    ),
    (rules.the_digest_is_what_was_pushed, lambda b: step(b, "digest")["args"].__setitem__(2, "elsewhere")),
    (rules.the_digest_is_what_was_pushed, lambda b: b.update(images=["${_IMAGE}"])),
    (rules.scripts_are_there, lambda b: step(b, "check").update(args=["scripts/chek"])),
    (rules.scripts_are_there, lambda b: step(b, "check").update(args=["scripts/lib/common.sh"])),
    (rules.every_step_is_a_script_or_one_command, lambda b: step(b, "check").update(args=["-c", "make it"])),
    (
        rules.every_step_is_a_script_or_one_command,
        lambda b: step(b, "sbom").update(args=["-c", "gcloud a; gcloud b"]),
    ),
    (rules.every_step_is_a_script_or_one_command, lambda b: step(b, "check").update(script="echo hello")),
    (rules.the_chain_is_in_order, lambda b: step(b, "build").update(waitFor=["-"])),
    (rules.the_chain_is_in_order, lambda b: step(b, "deploy").update(waitFor=["push"])),
    (rules.the_chain_is_in_order, lambda b: step(b, "deploy").pop("waitFor")),
    (rules.the_chain_is_in_order, lambda b: step(b, "deploy").update(waitFor=["bill"])),
    (rules.no_step_may_fail, lambda b: step(b, "test").update(allowFailure=True)),
    (rules.no_step_may_fail, lambda b: step(b, "deploy").update(allowExitCodes=[1])),
    (rules.deploy_is_tested, lambda b: b["steps"].pop()),
    (rules.deploy_is_tested, lambda b: step(b, "deploy")["args"].append("--no-smoke")),
    (rules.provenance_is_kept, lambda b: b.pop("images")),
    (rules.provenance_is_kept, lambda b: b["options"].pop("requestedVerifyOption")),
]


@pytest.mark.parametrize(("rule", "breaks"), MUTATIONS, ids=[rule.__name__ for rule, _ in MUTATIONS])
def test_the_rule_notices_a_file_that_breaks_it(
    build: dict[str, Any], rule: Callable[[Build], list[str]], breaks: Breaks
) -> None:
    broken = copy.deepcopy(build)
    breaks(broken)
    assert rule(broken)


def test_every_rule_has_a_file_that_breaks_it() -> None:
    assert {rule for rule, _ in MUTATIONS} == set(rules.RULES)


def schema_check(file: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [program, "--builtin-schema", "vendor.cloudbuild", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_cloud_builds_own_schema_accepts_it() -> None:
    checked = schema_check(FILE)
    assert checked.returncode == 0, checked.stdout


def test_cloud_builds_own_schema_refuses_a_misspelled_field(tmp_path: Path) -> None:
    broken = tmp_path / "cloudbuild.yaml"
    broken.write_text(FILE.read_text().replace("waitFor: [test]", "waitsFor: [test]"))
    assert schema_check(broken).returncode == 1
