"""The stand-in for gcloud beside the real one, where that is installed: commands, flags and output formats."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gcloud_stand_in import COMMANDS, FORMATS

GCLOUD = Path(shutil.which("gcloud") or "/nowhere/bin/gcloud")
SDK = Path(os.environ.get("CLOUDSDK_ROOT") or GCLOUD.resolve().parents[1])
PYTHON = SDK / "platform/bundledpythonunix/bin/python3"
TREE = SDK / "data/cli/gcloud_completions.py"
EVERYWHERE = {"--project", "--quiet", "--format"}

pytestmark = pytest.mark.skipif(
    not (PYTHON.exists() and TREE.exists()), reason="No Cloud SDK with a Python of its own is installed here."
)

ENVIRONMENT = [{"name": "OTHER", "value": "x"}, {"name": "WORKER_IMAGE_DIGEST", "value": "sha256:1"}]
CONTAINERS = {"containers": [{"image": "i@sha256:1", "env": ENVIRONMENT}]}
JOB = {"spec": {"template": {"spec": {"template": {"spec": CONTAINERS}}}}}
SERVICE = {"spec": {"template": {"spec": CONTAINERS}}}
BARE = {"spec": {"template": {"spec": {"template": {"spec": {"containers": [{"image": "i:tag"}]}}}}}}
STARTED = {"type": "Started", "status": "True"}
TAGS = [{"tag": "projects/p/tags/deployed-1", "version": "projects/p/versions/sha256:1"}]
BUILD = {
    "status": "WORKING",
    "steps": [{"id": "check", "status": "SUCCESS"}, {"id": "test"}],
    "results": {"images": [{"digest": "sha256:1"}]},
}
PRINT = """
import json, sys
from googlecloudsdk.core.resource import resource_printer
for resource, format in json.load(sys.stdin):
    resource_printer.Print(resource, format, single=not isinstance(resource, list))
    print("--", flush=True)
"""


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    """All commands of the SDK, as its completion for shells knows them."""
    read: dict[str, Any] = {}
    exec(compile(TREE.read_text(), TREE.name, "exec"), read)
    found: dict[str, Any] = read["STATIC_COMPLETION_CLI_TREE"]
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_the_sdk_knows_the_command_and_its_flags(tree: dict[str, Any], command: str) -> None:
    node = tree
    for word in command.split():
        node = node["commands"][word]
    assert set(COMMANDS[command]) - EVERYWHERE <= set(node["flags"])


def test_the_sdk_prints_the_formats_as_the_stand_in_does(tmp_path: Path) -> None:
    status, digest = FORMATS["builds describe"]
    (completed,) = FORMATS["run jobs executions describe"]
    cases = [
        (JOB, FORMATS["run jobs describe"], "i@sha256:1 sha256:1"),
        (BARE, FORMATS["run jobs describe"], "i:tag"),
        (SERVICE, FORMATS["run services describe"], "i@sha256:1 sha256:1"),
        (SERVICE, FORMATS["beta run worker-pools describe"], "i@sha256:1 sha256:1"),
        ({"metadata": {"name": "e-1"}}, FORMATS["run jobs execute"], "e-1"),
        ({"status": {"observedGeneration": 1}}, completed, ""),
        ({"status": {"conditions": [STARTED]}}, completed, ""),
        ({"status": {"conditions": [{"type": "Completed", "status": "False"}, STARTED]}}, completed, "False"),
        (TAGS, FORMATS["artifacts docker tags list"], "deployed-1 sha256:1"),
        (
            {"image_summary": {"digest": "sha256:1"}},
            FORMATS["artifacts docker images describe"],
            "sha256:1",
        ),
        ({"id": "b-1"}, FORMATS["builds submit"], "b-1"),
        (BUILD, status, "WORKING check=SUCCESS,test=None"),
        (BUILD, digest, "sha256:1"),
    ]
    printed = subprocess.run(
        [PYTHON, "-c", PRINT],
        input=json.dumps([(resource, format_) for resource, format_, _ in cases]),
        env={"PYTHONPATH": f"{SDK}/lib:{SDK}/lib/third_party", "CLOUDSDK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [part.strip() for part in printed.stdout.split("--\n")]
    assert told[:-1] == [expected for _, _, expected in cases]
