"""A cloud to deploy to: the scripts run as they are, with a stand-in for `gcloud` first on PATH."""

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.running import ROOT, TIMEOUT_SECONDS, Ended, environment

STAND_IN = Path(__file__).with_name("gcloud_stand_in.py")
IMAGE = "europe-west1-docker.pkg.dev/test-project/content-worker/worker"
OLD, NEW, NEWER = (f"sha256:{letter * 64}" for letter in "abc")
JOB = "job/content-worker"


def at(digest: str) -> str:
    """The image by this digest."""
    return f"{IMAGE}@{digest}"


class Cloud:
    """What is deployed, recorded and asked, in a file that the stand-in reads and writes."""

    def __init__(self, folder: Path, *, project: str, firestore: str | None = None) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self._state = folder / "state.json"
        self._output = folder / "output.txt"
        self.env = environment(
            STAND_IN_STATE=str(self._state),
            STAND_IN_OUTPUT=str(self._output),
            SMOKE_POLL_SECONDS="0",
            SMOKE_AGAIN_SECONDS="0",
            BUILD_POLL_SECONDS="0",
            **({"FIRESTORE_EMULATOR_HOST": firestore} if firestore else {}),
        )
        self.env["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        self.bin.mkdir(parents=True)
        self.put_on_path("gcloud", STAND_IN)
        (self.bin / "python3").symlink_to(
            sys.executable
        )  # the first on PATH may be a version manager's script
        self._state.write_text(json.dumps(beginning(project)))

    def put_on_path(self, name: str, program: Path) -> None:
        """`name` runs this Python program."""
        wrapper = self.bin / name
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{program}" "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)

    def run(self, script: str, *arguments: str, root: Path = ROOT, at_terminal: str | None = None) -> Ended:
        """Run one script to its end, and make sure that it asked nothing unheard of."""
        command = [str(root / "scripts" / script), *arguments]
        with self._output.open("w") as output:
            errors = subprocess.PIPE if script == "build" else subprocess.STDOUT
            code, said = self._ended(command, output, errors, at_terminal)
        assert self.state["unexpected"] == []
        return Ended(code=code, stdout=self._output.read_text(), stderr=said)

    def _ended(self, command: list[str], output: Any, errors: int, typed: str | None) -> tuple[int, str]:
        stdin: int = subprocess.DEVNULL
        if typed is not None:
            terminal, stdin = pty.openpty()
            os.write(terminal, typed.encode())
        process = subprocess.run(
            command,
            env=self.env,
            cwd=self.folder,
            stdin=stdin,
            stdout=output,
            stderr=errors,
            text=True,
            timeout=TIMEOUT_SECONDS,
            start_new_session=True,
        )
        if typed is not None:
            os.close(terminal)
            os.close(stdin)
        return process.returncode, process.stderr or ""

    @property
    def state(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._state.read_text())
        return read

    def set(self, **changes: Any) -> None:
        """Change the state: what is there, or what will go wrong."""
        self._state.write_text(json.dumps({**self.state, **changes}))

    def also_runs(self, target: str, image: str, digest: str = "") -> None:
        """One more thing that runs this image."""
        self.set(runs={**self.state["runs"], target: {"image": image, "digest": digest}})

    def runs(self, target: str = JOB) -> tuple[str, str]:
        """The image of a target, and the digest that its process is told."""
        found = self.state["runs"][target]
        return found["image"], found["digest"]

    def calls(self, *commands: str) -> list[dict[str, Any]]:
        """What was asked of gcloud, of these commands only where some are given."""
        return [call for call in self.state["calls"] if not commands or call["command"] in commands]

    def changes(self) -> list[str]:
        """Commands that changed something."""
        changing = ("update", "update-traffic", "add", "delete", "publish", "execute", "submit")
        return [call["command"] for call in self.calls() if call["command"].endswith(changing)]

    def recorded(self) -> list[str]:
        """The digests recorded as good, the oldest first."""
        tags = self.state["tags"]
        return [tags[tag] for tag in sorted(tags) if tag.startswith("deployed-")]


def beginning(project: str) -> dict[str, Any]:
    """A job that runs OLD, which is recorded as good."""
    return {
        "config": {"project": project, "run/region": "europe-west1"},
        "token": "ya29.a-secret-token",
        "runs": {JOB: {"image": at(OLD), "digest": OLD}},
        "tags": {"deployed-20260101T000000Z": OLD},
        "tags_add_fails": False,
        "update_faults": {},
        "pinned": [],
        "answers": [{}],
        "execution_states": [],
        "executions": {},
        "questions": [],
        "stopped_at": "",
        "deployed_meanwhile": {},
        "unreadable_after_execute": [],
        "unreadable": [],
        "worker": None,
        "worker_output": "",
        "root": str(ROOT),
        "build_statuses": ["SUCCESS check=SUCCESS"],
        "built": NEW,
        "calls": [],
        "unexpected": [],
    }


def checkout(folder: Path) -> Path:
    """A git checkout of the scripts, with one commit and nothing else to tell."""
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "cloudbuild.yaml", folder)
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message=One"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder
