"""`scripts/build` and the step that resolves a digest, against stand-ins for gcloud and docker; git is the real one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.deploying import IMAGE, NEW, OLD, Cloud, checkout

DOCKER = "import pathlib, sys; print((pathlib.Path(__file__).parent / 'pushed.txt').read_text(), end='')"


@pytest.fixture
def cloud(tmp_path: Path, project: str) -> Cloud:
    made = Cloud(tmp_path / "cloud", project=project)
    made.set(config={"project": "test-project", "run/region": "europe-west1"})
    return made


class TestBuild:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        if not shutil.which("git"):
            pytest.skip("git is not installed here.")
        return checkout(tmp_path / "checkout")

    def test_it_prints_the_reference_and_nothing_else(self, cloud: Cloud, root: Path) -> None:
        statuses = ["QUEUED", "WORKING check=WORKING,test=None", "SUCCESS check=SUCCESS,test=SUCCESS"]
        cloud.set(build_statuses=statuses)
        ended = cloud.run("build", root=root)
        assert ended.code == 0, ended.stderr
        assert ended.stdout == f"{IMAGE}@{NEW}\n"
        assert "build: WORKING: check=WORKING\n" in ended.stderr

    def test_it_hands_the_commit_over_and_does_not_deploy(self, cloud: Cloud, root: Path) -> None:
        cloud.run("build", root=root)
        (submitted,) = cloud.calls("builds submit")
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True)
        substitutions = (
            f"COMMIT_SHA={head.stdout.strip()},_REGION=europe-west1,_REPOSITORY=content-worker,_DEPLOY=false"
        )
        assert f"--substitutions={substitutions}" in submitted["arguments"]
        assert str(root) in submitted["arguments"]
        assert cloud.changes() == ["builds submit"]

    def test_what_is_not_committed_is_not_built(self, cloud: Cloud, root: Path) -> None:
        (root / "new.txt").write_text("new")
        ended = cloud.run("build", root=root)
        assert ended.code == 2
        assert ended.stdout == ""
        assert "new.txt" in ended.stderr
        assert "--dirty" in ended.stderr
        assert cloud.changes() == []

    def test_unless_somebody_wants_just_that(self, cloud: Cloud, root: Path) -> None:
        (root / "new.txt").write_text("new")
        assert cloud.run("build", "--dirty", root=root).code == 0
        (submitted,) = cloud.calls("builds submit")
        assert any("-dirty,_REGION" in argument for argument in submitted["arguments"])

    def test_a_folder_without_git_belongs_to_no_commit(self, cloud: Cloud, root: Path) -> None:
        shutil.rmtree(root / ".git")
        cloud.env["GIT_CEILING_DIRECTORIES"] = str(root.parent)
        ended = cloud.run("build", root=root)
        assert ended.code == 2
        assert "not a git checkout" in ended.stderr

    @pytest.mark.parametrize("status", ["FAILURE", "TIMEOUT", "CANCELLED", "INTERNAL_ERROR", "EXPIRED"])
    def test_a_build_that_failed_prints_no_reference_but_where_to_look(
        self, cloud: Cloud, root: Path, status: str
    ) -> None:
        cloud.set(build_statuses=[f"{status} check=FAILURE"])
        ended = cloud.run("build", root=root)
        assert ended.code == 1
        assert ended.stdout == ""
        assert f"ended with {status}" in ended.stderr
        assert "gcloud beta builds log 0a1b2c3d-build" in ended.stderr

    def test_a_build_without_a_digest_is_no_success(self, cloud: Cloud, root: Path) -> None:
        cloud.set(built="")
        ended = cloud.run("build", root=root)
        assert ended.code == 1
        assert ended.stdout == ""


class TestResolve:
    """The step that writes down which digest docker has pushed."""

    @pytest.fixture
    def cloud(self, cloud: Cloud, tmp_path: Path) -> Cloud:
        (tmp_path / "docker.py").write_text(DOCKER)
        cloud.put_on_path("docker", tmp_path / "docker.py")
        return cloud

    def test_it_writes_the_digest_under_which_this_image_was_pushed(
        self, cloud: Cloud, tmp_path: Path
    ) -> None:
        (tmp_path / "pushed.txt").write_text(f"mirror/worker@{OLD}\n{IMAGE}@{NEW}\n\n")
        ended = cloud.run("lib/resolve.sh", f"{IMAGE}:build-1", str(tmp_path / "deep" / "image"))
        assert ended.code == 0, ended.stdout
        assert (tmp_path / "deep" / "image").read_text() == f"{IMAGE}@{NEW}\n"

    @pytest.mark.parametrize("pushed", ["", f"mirror/worker@{OLD}\n"])
    def test_an_image_that_was_not_pushed_has_none(self, cloud: Cloud, tmp_path: Path, pushed: str) -> None:
        (tmp_path / "pushed.txt").write_text(pushed)
        ended = cloud.run("lib/resolve.sh", f"{IMAGE}:build-1", str(tmp_path / "image"))
        assert ended.code == 1
        assert not (tmp_path / "image").exists()
