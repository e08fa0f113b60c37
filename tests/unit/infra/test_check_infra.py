"""scripts/check-infra: what it takes for a reason to skip, and what for a failure."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.infra.terraform_text import INFRA, ROOT

SCRIPT = ROOT / "scripts" / "check-infra"

# Terraform breaks lines wherever it likes.
NO_NETWORK = """Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/google: could not connect to registry.terraform.io: failed to
request discovery document: Get
"https://registry.terraform.io/.well-known/terraform.json": dial tcp: lookup
registry.terraform.io on 192.0.2.1:53: no such
host
"""
NO_VERSION = """Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/google: no available releases match the given constraints ~> 99.0
"""


def run(folder: Path, **outcomes: tuple[int, str]) -> subprocess.CompletedProcess[str]:
    """Run the script with a terraform whose subcommands end as told; those that are not named succeed."""
    cases = "".join(
        f"{name}) cat <<'END'\n{text}\nEND\nexit {code};;\n" for name, (code, text) in outcomes.items()
    )
    stand_in = folder / "terraform"
    stand_in.write_text(f"#!/bin/bash\nfor word; do case $word in\n-*) ;;\n{cases}*) exit 0;;\nesac; done\n")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return execute({"PATH": f"{folder}:{os.environ['PATH']}"})


def execute(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, str(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | environment,
    )


def test_says_in_one_line_that_terraform_is_not_installed(tmp_path: Path) -> None:
    # Given a PATH with what the script needs, and no terraform
    for tool in ("dirname", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)

    # When
    ended = execute({"PATH": str(tmp_path)})

    # Then
    assert (ended.returncode, ended.stdout) == (0, "check: terraform SKIPPED (terraform is not installed)\n")


def test_skips_what_needs_the_provider_when_its_registry_is_out_of_reach(tmp_path: Path) -> None:
    # Given / When
    ended = run(tmp_path, init=(1, NO_NETWORK))

    # Then
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        "check: terraform fmt ok",
        "check: terraform SKIPPED (the provider cannot be downloaded: no way to its registry)",
    ]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("fmt", "- a\n+ b"),
        ("init", NO_VERSION),
        ("init", "Error: Unsupported Terraform Core version"),
        ("validate", "Error: Reference to undeclared resource"),
        ("test", "Error: Test assertion failed: dial tcp: no such host"),
    ],
)
def test_anything_else_that_fails_is_a_failure_and_shown(tmp_path: Path, step: str, text: str) -> None:
    # Given / When
    ended = run(tmp_path, **{step: (1, text)})

    # Then
    assert ended.returncode == 1
    assert f"check: terraform {step} FAILED\n{text}" in ended.stderr


def test_leaves_nothing_in_the_checkout(tmp_path: Path) -> None:
    # Given
    before = sorted(path.name for path in INFRA.rglob("*"))

    # When
    ended = run(tmp_path)

    # Then
    assert ended.stdout.splitlines() == [
        f"check: terraform {step} ok" for step in ("fmt", "validate", "test")
    ]
    assert sorted(path.name for path in INFRA.rglob("*")) == before


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_the_real_configuration_passes() -> None:
    # Given / When
    ended = execute({})

    # Then
    assert ended.returncode == 0, ended.stderr
    if "SKIPPED" in ended.stdout:
        pytest.skip(ended.stdout.splitlines()[-1])
    assert "check: terraform test ok" in ended.stdout
