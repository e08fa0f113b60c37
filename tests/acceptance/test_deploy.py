"""`scripts/deploy` end to end: gcloud is a recording stand-in, the smoke test's result lies in the real emulator."""

from pathlib import Path

import pytest

from tests.acceptance.deploying import IMAGE, JOB, NEW, NEWER, OLD, Cloud, at
from tests.emulators.google import EmulatorHosts

pytestmark = pytest.mark.emulators
SOON = "--timeout=0"  # the smoke test looks once


@pytest.fixture
def cloud(google_emulators: EmulatorHosts, tmp_path: Path, project: str) -> Cloud:
    return Cloud(tmp_path / "cloud", project=project, firestore=google_emulators.firestore)


def test_a_digest_that_answers_is_deployed_and_recorded(cloud: Cloud) -> None:
    # Given a job that runs another digest
    # When a digest is deployed
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    # Then the job has it as its image and knows it, and it is on top of the good ones
    assert ended.code == 0, ended.stdout
    assert cloud.runs() == (at(NEW), NEW)
    assert cloud.recorded() == [OLD, NEW]
    # And one question was asked, of nobody in particular
    (question,) = cloud.state["questions"]
    assert question["student_id"] == "smoke-test"
    assert f"passed: {NEW} answered {question['request_id']}, mode live, cost $0.0012" in ended.stdout


def test_what_will_be_done_is_said_before_the_first_change(cloud: Cloud, project: str) -> None:
    cloud.also_runs("service/content-api", at(OLD), OLD)
    cloud.run("deploy", at(NEW), "--yes", "--service=content-api", SOON)
    first = cloud.calls("run jobs update")[0]
    for told in (project, "europe-west1", IMAGE, "job content-worker", "service content-api", "smoke test"):
        assert told in first["said"]
    assert first["said"].index(OLD) < first["said"].index(NEW)


@pytest.mark.parametrize("image", [f"{IMAGE}:latest", IMAGE, f"{IMAGE}@sha256:abc", f"{IMAGE}:1@sha256:12"])
def test_a_tag_is_refused_with_the_reason_before_anything_is_asked(cloud: Cloud, image: str) -> None:
    ended = cloud.run("deploy", image, "--yes")
    assert ended.code == 2
    assert "not an image by digest" in ended.stdout
    assert "scripts/build" in ended.stdout
    assert cloud.calls() == []


def test_a_dry_run_changes_nothing(cloud: Cloud) -> None:
    ended = cloud.run("deploy", at(NEW), "--dry-run")
    assert ended.code == 0
    assert NEW in ended.stdout
    assert cloud.changes() == []


def test_without_a_terminal_somebody_must_have_said_yes(cloud: Cloud) -> None:
    ended = cloud.run("deploy", at(NEW))
    assert ended.code == 2
    assert "--yes" in ended.stdout
    assert cloud.changes() == []


@pytest.mark.parametrize(("typed", "code", "digest"), [("n\n", 3, OLD), ("y\n", 0, NEW)])
def test_at_a_terminal_the_answer_decides(cloud: Cloud, typed: str, code: int, digest: str) -> None:
    ended = cloud.run("deploy", at(NEW), SOON, at_terminal=typed)
    assert ended.code == code, ended.stdout
    assert cloud.runs() == (at(digest), digest)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param({"status": "failed"}, "the answer's status is failed", id="failed"),
        pytest.param({"status": "processing"}, "no answer within 0 s", id="still at it"),
        pytest.param(None, "no answer within 0 s", id="never answered"),
        pytest.param({"digest": NEWER}, f"answers come from {NEWER}", id="another digest"),
    ],
)
def test_a_digest_that_does_not_answer_makes_room_for_the_former_one(
    cloud: Cloud, answer: dict[str, str] | None, told: str
) -> None:
    # Given a digest whose execution does not answer as it should
    cloud.set(answers=[answer])
    # When it is deployed
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    # Then the former digest runs again, both are named, and so is where to look
    assert ended.code == 1
    assert cloud.runs() == (at(OLD), OLD)
    assert told in ended.stdout
    assert f"{NEW} is not deployed; {OLD} runs again" in ended.stdout
    assert "gcloud run jobs executions describe content-worker-1" in ended.stdout
    assert "gcloud logging read" in ended.stdout
    # And it is not recorded as good
    assert cloud.recorded() == [OLD]


def test_an_update_that_only_says_that_it_worked_is_noticed(cloud: Cloud) -> None:
    cloud.set(update_faults={JOB: "ignored"})
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    assert ended.code == 1
    assert f"does not run {NEW} although its update was reported as done" in ended.stdout
    assert cloud.calls("pubsub topics publish") == []
    assert cloud.recorded() == [OLD]


def test_pool_and_services_go_to_the_same_digest(cloud: Cloud) -> None:
    others = ("worker-pool/content-worker-pool", "service/content-submit", "service/content-push")
    for target in others:
        cloud.also_runs(target, at(OLD), OLD)
    named = ("--worker-pool", "content-worker-pool", "--service", "content-submit", "--service=content-push")
    ended = cloud.run("deploy", at(NEW), "--yes", SOON, *named)
    assert ended.code == 0, ended.stdout
    assert {cloud.runs(target) for target in (JOB, *others)} == {(at(NEW), NEW)}


def test_a_service_that_was_pinned_to_an_older_revision_serves_the_new_one(cloud: Cloud) -> None:
    cloud.also_runs("service/content-submit", at(OLD), OLD)
    cloud.set(pinned=["service/content-submit"])
    assert cloud.run("deploy", at(NEW), "--yes", SOON, "--service=content-submit").code == 0
    assert cloud.state["pinned"] == []


def test_what_is_not_named_is_left_as_it_is(cloud: Cloud) -> None:
    cloud.also_runs("service/content-submit", at(OLD), OLD)
    assert cloud.run("deploy", at(NEW), "--yes", SOON).code == 0
    assert cloud.runs("service/content-submit") == (at(OLD), OLD)


def test_it_is_everywhere_or_nowhere(cloud: Cloud) -> None:
    # Given two services, of which the second cannot be updated
    cloud.also_runs("service/first", at(NEWER), NEWER)
    cloud.also_runs("service/second", at(OLD), OLD)
    cloud.set(update_faults={"service/second": "fails"})
    # When a digest is deployed to all
    ended = cloud.run("deploy", at(NEW), "--yes", SOON, "--service=first second")
    # Then each runs again what it ran before
    assert ended.code == 1
    assert cloud.runs() == (at(OLD), OLD)
    assert cloud.runs("service/first") == (at(NEWER), NEWER)
    assert cloud.runs("service/second") == (at(OLD), OLD)


def test_what_runs_already_is_not_changed_but_asked_and_recorded(cloud: Cloud) -> None:
    # Given a job that Terraform has just created, so nothing is recorded
    cloud.set(tags={})
    ended = cloud.run("deploy", at(OLD), SOON)
    assert ended.code == 0, ended.stdout
    assert "runs already: nothing to change" in ended.stdout
    assert cloud.calls("run jobs update") == []
    assert cloud.recorded() == [OLD]
    # And a second time it is not recorded twice
    cloud.run("deploy", at(OLD), SOON)
    assert cloud.recorded() == [OLD]


def test_when_what_runs_already_does_not_answer_there_is_nothing_to_put_back(cloud: Cloud) -> None:
    cloud.set(answers=[None])
    ended = cloud.run("deploy", at(OLD), SOON)
    assert ended.code == 1
    assert "scripts/rollback" in ended.stdout
    assert cloud.calls("run jobs update") == []


def test_an_image_whose_process_was_told_another_digest_is_mended(cloud: Cloud) -> None:
    cloud.also_runs(JOB, at(NEW), OLD)
    assert cloud.run("deploy", at(NEW), "--yes", SOON).code == 0
    assert cloud.runs() == (at(NEW), NEW)


def test_a_job_that_runs_a_tag_goes_back_to_the_digest_of_that_tag(cloud: Cloud) -> None:
    cloud.also_runs(JOB, f"{IMAGE}:latest")
    cloud.set(tags={"latest": OLD}, answers=[None])
    assert cloud.run("deploy", at(NEW), "--yes", SOON).code == 1
    assert cloud.runs() == (at(OLD), OLD)


def test_where_nothing_can_be_put_back_that_is_said_beforehand_and_afterwards(cloud: Cloud) -> None:
    cloud.also_runs(JOB, "us-docker.pkg.dev/cloudrun/container/job")
    cloud.set(answers=[None])
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    assert ended.code == 1
    assert "unknown" in cloud.calls("run jobs update")[0]["said"]
    assert "not everything could be put back" in ended.stdout
    assert f"job/content-worker runs {at(NEW)}" in ended.stdout


def test_without_a_smoke_test_nothing_is_recorded(cloud: Cloud) -> None:
    ended = cloud.run("deploy", at(NEW), "--yes", "--no-smoke")
    assert ended.code == 0
    assert cloud.runs() == (at(NEW), NEW)
    assert cloud.recorded() == [OLD]
    assert "untested" in ended.stdout


def test_a_deployment_that_cannot_be_recorded_stays_but_does_not_pass(cloud: Cloud) -> None:
    cloud.set(tags_add_fails=True)
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    assert ended.code == 1
    assert "deployed and works, but it could not be recorded" in ended.stdout
    assert cloud.runs() == (at(NEW), NEW)


@pytest.mark.parametrize("command", ["run jobs update", "pubsub topics publish", "run jobs execute"])
def test_being_stopped_in_the_middle_leaves_nothing_untested_behind(cloud: Cloud, command: str) -> None:
    # Given somebody who stops the deployment, which would wait longer for an answer than this test would
    cloud.set(stopped_at=command, answers=[None])
    ended = cloud.run("deploy", at(NEW), "--yes", "--timeout=900")
    assert ended.code == 1, ended.stdout
    assert "stopped before the digest had passed" in ended.stdout
    assert cloud.runs() == (at(OLD), OLD)
    assert cloud.recorded() == [OLD]


def test_being_stopped_where_nothing_was_changed_changes_nothing(cloud: Cloud) -> None:
    cloud.set(stopped_at="run jobs execute", answers=[None])
    ended = cloud.run("deploy", at(OLD), "--timeout=900")
    assert ended.code == 1, ended.stdout
    assert f"{OLD} ran before this deployment, too, so it stays" in ended.stdout
    assert cloud.calls("run jobs update") == []


def test_what_somebody_else_deployed_meanwhile_is_left_alone(cloud: Cloud) -> None:
    cloud.set(answers=[None], deployed_meanwhile={JOB: {"image": at(NEWER), "digest": NEWER}})
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    assert ended.code == 1
    assert "is left alone" in ended.stdout
    assert cloud.runs() == (at(NEWER), NEWER)


def test_nothing_is_recorded_for_what_somebody_else_deployed_meanwhile(cloud: Cloud) -> None:
    answered = {"digest": NEW}
    cloud.set(answers=[answered], deployed_meanwhile={JOB: {"image": at(NEWER), "digest": NEWER}})
    ended = cloud.run("deploy", at(NEW), "--yes", SOON)
    assert ended.code == 1
    assert "it is not what runs now" in ended.stdout
    assert cloud.recorded() == [OLD]


def test_what_could_not_be_put_back_comes_with_the_command_that_does_it(cloud: Cloud) -> None:
    # Given a service whose answer cannot be read after the smoke test has failed
    cloud.also_runs("service/api", at(OLD), OLD)
    cloud.set(answers=[None], unreadable_after_execute=["service/api"])
    ended = cloud.run("deploy", at(NEW), "--yes", "--service=api", SOON)
    assert ended.code == 1
    assert cloud.runs() == (at(OLD), OLD)
    assert "service/api could NOT be put back" in ended.stdout
    # When that command is given
    (line,) = [line for line in ended.stdout.splitlines() if "By hand: scripts/deploy" in line]
    cloud.set(answers=[{}], unreadable_after_execute=[], unreadable=[])
    mended = cloud.run("deploy", *line.partition("scripts/deploy ")[2].split(), "--yes", SOON)
    # Then the service runs the former digest, too
    assert mended.code == 0, mended.stdout
    assert cloud.runs("service/api") == (at(OLD), OLD)


def test_what_the_smoke_test_would_refuse_is_refused_before_anything_is_changed(cloud: Cloud) -> None:
    ended = cloud.run("deploy", at(NEW), "--yes", "--timeout=15m")
    assert ended.code == 2
    assert "whole seconds" in ended.stdout
    assert cloud.calls() == []


@pytest.mark.parametrize("newest", ["deployed-20990101T000000Z", "deployed-20990101T000000Z-1"])
def test_a_record_from_a_clock_ahead_of_this_one_still_gets_its_successor(cloud: Cloud, newest: str) -> None:
    cloud.set(tags={"deployed-by-hand": NEWER, "deployed-20990101T000000Z": NEWER, newest: OLD})
    assert cloud.run("deploy", at(NEW), "--yes", SOON).code == 0
    assert cloud.state["tags"][f"{newest}-1"] == NEW
    # And the way back is the one that was come
    assert cloud.run("rollback", "--yes").code == 0
    assert cloud.runs() == (at(OLD), OLD)


def test_a_job_that_does_not_exist_yet_is_created_by_terraform(cloud: Cloud) -> None:
    cloud.set(runs={})
    ended = cloud.run("deploy", at(NEW), "--yes")
    assert ended.code == 2
    assert 'terraform -chdir=infra apply -var image="$(scripts/build)"' in ended.stdout


@pytest.mark.parametrize(("missing", "told"), [("project", "--project"), ("run/region", "--region")])
def test_what_cannot_be_found_out_is_asked_for(cloud: Cloud, missing: str, told: str) -> None:
    cloud.set(config={key: value for key, value in cloud.state["config"].items() if key != missing})
    ended = cloud.run("deploy", at(NEW), "--yes")
    assert ended.code == 2
    assert told in ended.stdout
    assert "gcloud config set" in ended.stdout


@pytest.mark.parametrize("script", ["build", "deploy", "rollback", "smoke"])
def test_help_shows_examples_and_exit_codes(cloud: Cloud, script: str) -> None:
    ended = cloud.run(script, "--help")
    assert ended.code == 0
    assert f"scripts/{script}" in ended.stdout
    assert "Exit codes:" in ended.stdout
    assert cloud.calls() == []


@pytest.mark.parametrize("script", ["build", "deploy", "rollback", "smoke"])
def test_an_unknown_option_is_refused(cloud: Cloud, script: str) -> None:
    ended = cloud.run(script, "--nonsense=1")
    assert ended.code == 2
    assert "--nonsense" in ended.everything
    assert cloud.calls() == []


class TestInAPipeline:
    def test_the_image_can_be_named_by_the_file_that_an_earlier_step_wrote(
        self, cloud: Cloud, tmp_path: Path
    ) -> None:
        (tmp_path / "image").write_text(f"{at(NEW)}\n")
        empty = ("--only-if=true", "--worker-pool=", "--service=")
        ended = cloud.run("deploy", f"@{tmp_path}/image", "--yes", SOON, *empty)
        assert ended.code == 0, ended.stdout
        assert cloud.runs() == (at(NEW), NEW)

    def test_a_file_that_was_not_written_deploys_nothing(self, cloud: Cloud, tmp_path: Path) -> None:
        ended = cloud.run("deploy", f"@{tmp_path}/image", "--yes")
        assert ended.code == 2
        assert "did not run" in ended.stdout
        assert cloud.calls() == []

    def test_a_build_that_shall_not_deploy_does_nothing(self, cloud: Cloud) -> None:
        assert cloud.run("deploy", "@none", "--yes", "--only-if=false").code == 0
        assert cloud.calls() == []
