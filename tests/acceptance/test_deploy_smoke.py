"""`scripts/smoke` end to end: how it waits, what it accepts, how it asks Firestore; once the worker itself answers."""

import json
from pathlib import Path

import pytest

from tests.acceptance.deploying import NEW, OLD, Cloud, at
from tests.acceptance.running import content_worker, environment
from tests.emulators.google import EmulatorHosts

ENDED_WELL, FAILED = "True", "False"  # the condition Completed

# Plays curl: remembers what it was given, answers with a completed result, and looks who shows the token.
CURL = """
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
config = sys.stdin.read()
shown = b"".join(path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK))
(folder / "asked.json").write_text(json.dumps(
    {"arguments": sys.argv[1:], "config": config, "shown": b"ya29.a-secret-token" in shown}))
print((folder / "answer.txt").read_text(), end="")
"""


@pytest.fixture
def cloud(google_emulators: EmulatorHosts, tmp_path: Path, project: str) -> Cloud:
    return Cloud(tmp_path / "cloud", project=project, firestore=google_emulators.firestore)


@pytest.mark.emulators
class TestWhatItAccepts:
    def test_by_default_the_digest_that_the_job_runs_is_expected(self, cloud: Cloud) -> None:
        ended = cloud.run("smoke", "--timeout=0")
        assert ended.code == 0, ended.stdout
        assert f"passed: {OLD}" in ended.stdout

    def test_each_smoke_has_a_question_of_its_own(self, cloud: Cloud) -> None:
        for _ in range(3):
            cloud.run("smoke", "--timeout=0")
        assert len({question["request_id"] for question in cloud.state["questions"]}) == 3

    @pytest.mark.parametrize("mode", ["fallback", "mock"])
    def test_a_degraded_answer_passes_with_a_warning(self, cloud: Cloud, mode: str) -> None:
        cloud.set(answers=[{"mode": mode}])
        ended = cloud.run("smoke", "--timeout=0")
        assert ended.code == 0
        assert f"WARNING: the answer is degraded ({mode})" in ended.stdout

    @pytest.mark.parametrize("status", ["needs_clarification", "out_of_scope", "blocked", "failed"])
    def test_an_answer_that_is_no_script_does_not_pass(self, cloud: Cloud, status: str) -> None:
        cloud.set(answers=[{"status": status}])
        ended = cloud.run("smoke", "--timeout=0")
        assert ended.code == 1
        assert f"the answer's status is {status}" in ended.stdout


@pytest.mark.emulators
class TestHowItWaits:
    def test_an_answer_of_an_execution_that_began_before_the_deployment_is_followed_by_another_question(
        self, cloud: Cloud
    ) -> None:
        # Given an execution of the digest before that is still at work, and takes the question
        cloud.set(answers=[{"digest": NEW}, {"digest": NEW}, {}])
        ended = cloud.run("smoke", "--timeout=60")
        # Then others are asked until one is answered by the digest expected
        assert ended.code == 0, ended.stdout
        assert ended.stdout.count("asking again") == 2
        assert len(cloud.state["questions"]) == 3

    def test_an_execution_that_ended_before_it_came_to_the_question_is_followed_by_another(
        self, cloud: Cloud
    ) -> None:
        cloud.set(answers=[None, {}], execution_states=[ENDED_WELL])
        ended = cloud.run("smoke", "--timeout=60")
        assert ended.code == 0, ended.stdout
        assert len(cloud.state["executions"]) == 2
        assert len(cloud.state["questions"]) == 1

    def test_an_execution_that_failed_is_not_waited_for(self, cloud: Cloud) -> None:
        cloud.set(answers=[None], execution_states=[FAILED])
        ended = cloud.run("smoke", "--timeout=600")
        assert ended.code == 1
        assert "the execution failed" in ended.stdout
        assert "content-worker-1" in ended.stdout


@pytest.mark.emulators
def test_the_worker_itself_answers_and_names_its_digest(
    cloud: Cloud, google_emulators: EmulatorHosts, project: str
) -> None:
    # Given the job's own command on the emulators, with the offline mock as its only model
    worker = {
        "WORKER_BACKEND": "google",
        "GOOGLE_CLOUD_PROJECT": project,
        "PUBSUB_EMULATOR_HOST": google_emulators.pubsub,
        "FIRESTORE_EMULATOR_HOST": google_emulators.firestore,
        "WORKER_MODELS": "mock",
        "WORKER_IDLE_TIMEOUT_SECONDS": "1",
        "WORKER_STUDENT_KEY": "a key of the tests",
    }
    provisioned = content_worker("provision", env=environment(**worker))
    assert provisioned.code == 0, provisioned.everything
    cloud.set(worker=worker)
    # When a digest is deployed to it
    ended = cloud.run("deploy", at(NEW), "--yes", "--timeout=60")
    # Then the result that the worker stored carries the digest of the job's environment
    assert ended.code == 0, ended.stdout + cloud.state["worker_output"]
    assert f"passed: {NEW}" in ended.stdout
    assert "degraded (mock)" in ended.stdout
    assert cloud.recorded() == [OLD, NEW]


class TestHowItAsksFirestore:
    @pytest.fixture
    def cloud(self, tmp_path: Path, project: str) -> Cloud:
        """Without an emulator: curl is played, and the token is needed."""
        made = Cloud(tmp_path / "cloud", project=project)
        made.set(answers=[None])
        (tmp_path / "curl.py").write_text(CURL)
        made.put_on_path("curl", tmp_path / "curl.py")
        return made

    def answer(self, tmp_path: Path, code: int, status: str = "completed") -> None:
        fields = {
            "status": {"stringValue": status},
            "mode": {"stringValue": "live"},
            "cost_usd": {"nullValue": None},
            "image_digest": {"stringValue": OLD},
            "failures": {
                "arrayValue": {"values": [{"mapValue": {"fields": {"kind": {"stringValue": "bug"}}}}]}
            },
        }
        (tmp_path / "answer.txt").write_text(json.dumps({"fields": fields}) + f"\n{code}")

    def test_the_token_goes_where_no_process_list_shows_it(
        self, cloud: Cloud, tmp_path: Path, project: str
    ) -> None:
        self.answer(tmp_path, 200)
        ended = cloud.run("smoke")
        assert ended.code == 0, ended.stdout
        asked = json.loads((tmp_path / "asked.json").read_text())
        assert asked["config"] == 'header = "Authorization: Bearer ya29.a-secret-token"\n'
        assert not asked["shown"]
        recorded = json.dumps([asked["arguments"], cloud.calls()])
        assert "ya29" not in recorded + ended.stdout
        (request_id,) = (question["request_id"] for question in cloud.state["questions"])
        document = f"projects/{project}/databases/(default)/documents/content_results/{request_id}"
        assert asked["arguments"][-1].startswith(f"https://firestore.googleapis.com/v1/{document}?mask.")
        assert "cost unknown" in ended.stdout

    def test_a_missing_right_is_told_at_once(self, cloud: Cloud, tmp_path: Path) -> None:
        self.answer(tmp_path, 403)
        ended = cloud.run("smoke")
        assert ended.code == 1
        assert "roles/datastore.viewer" in ended.stdout

    def test_a_token_that_has_grown_old_is_followed_by_another(self, cloud: Cloud, tmp_path: Path) -> None:
        self.answer(tmp_path, 401)
        ended = cloud.run("smoke", "--timeout=0")
        assert ended.code == 1
        assert "does not take the access token" in ended.stdout
        assert len(cloud.calls("auth print-access-token")) == 2

    @pytest.mark.parametrize("code", [404, 500, 0])
    def test_what_may_pass_is_waited_for(self, cloud: Cloud, tmp_path: Path, code: int) -> None:
        self.answer(tmp_path, code)
        ended = cloud.run("smoke", "--timeout=0")
        assert ended.code == 1
        assert "no answer within 0 s" in ended.stdout

    def test_why_it_failed_is_said(self, cloud: Cloud, tmp_path: Path) -> None:
        self.answer(tmp_path, 200, status="failed")
        ended = cloud.run("smoke")
        assert ended.code == 1
        assert "failures bug" in ended.stdout


@pytest.mark.parametrize("arguments", [["--timeout=soon"], ["--timeout=090"], ["--expect-digest=latest"]])
def test_bad_options_ask_no_question(tmp_path: Path, project: str, arguments: list[str]) -> None:
    cloud = Cloud(tmp_path / "cloud", project=project)
    assert cloud.run("smoke", *arguments).code == 2
    assert cloud.changes() == []
