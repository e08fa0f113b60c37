"""What is sent to Cloud Build: all that its steps need, and nothing that is nobody's business."""

import fnmatch

import pytest

from tests.unit.deploy.rules import ROOT


def patterns() -> list[str]:
    lines = (ROOT / ".gcloudignore").read_text().splitlines()
    if "#!include:.gitignore" in lines:
        lines += (ROOT / ".gitignore").read_text().splitlines()
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def left_out(path: str) -> bool:
    """Whether a path at the top, or a name anywhere, is left out; the last pattern that fits decides."""
    decided = False
    for pattern in patterns():
        if fnmatch.fnmatch(path, pattern.lstrip("!")):
            decided = not pattern.startswith("!")
    return decided


@pytest.mark.parametrize("path", [".git", ".venv", ".local", ".env", ".terraform", "my.tfvars", "a.tfstate"])
def test_secrets_and_what_can_be_made_again_stay_at_home(path: str) -> None:
    assert left_out(path)


@pytest.mark.parametrize(
    "path", ["Dockerfile", ".dockerignore", ".gcloudignore", ".ci", "README.md", "LICENSE", "pyproject.toml"]
)
def test_what_is_built_checked_and_tested_goes_along(path: str) -> None:
    assert not left_out(path)


@pytest.mark.parametrize(
    "path", ["requirements", "scripts", "services", "tests", "worker", "cloudbuild.yaml"]
)
def test_so_do_the_folders_of_code(path: str) -> None:
    assert not left_out(path)
