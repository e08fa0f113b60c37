"""`scripts/rollback` end to end against the stand-in for gcloud; nothing here asks the worker a question."""

from pathlib import Path

import pytest

from tests.acceptance.deploying import IMAGE, JOB, NEW, NEWER, OLD, Cloud, at

UNRECORDED = "sha256:" + "f" * 64

STACK = {
    "deployed-20260101T000000Z": OLD,
    "build-1": OLD,
    "deployed-20260102T000000Z": NEW,
    "build-2": NEW,
    "deployed-20260103T000000Z": NEWER,
    "build-3": NEWER,
    "latest": UNRECORDED,
}


@pytest.fixture
def cloud(tmp_path: Path, project: str) -> Cloud:
    """Three digests were deployed one after the other."""
    made = Cloud(tmp_path / "cloud", project=project)
    made.set(tags=STACK)
    made.also_runs(JOB, at(NEWER), NEWER)
    return made


def test_it_goes_back_one_digest_and_takes_the_one_it_left_off_the_record(cloud: Cloud) -> None:
    ended = cloud.run("rollback", "--yes")
    assert ended.code == 0, ended.stdout
    assert cloud.runs() == (at(NEW), NEW)
    assert cloud.recorded() == [OLD, NEW]
    # And tags that are no record are left alone
    assert {"build-1", "build-2", "build-3", "latest"} <= set(cloud.state["tags"])


def test_what_will_be_done_is_said_before_the_first_change(cloud: Cloud) -> None:
    cloud.run("rollback", "--yes")
    said = cloud.calls("run jobs update")[0]["said"]
    assert said.index(f"from  {NEWER}") < said.index(f"to    {NEW}")
    assert "off the record: deployed-20260103T000000Z" in said


def test_twice_goes_back_two_and_then_there_is_nothing_left(cloud: Cloud) -> None:
    assert [cloud.run("rollback", "--yes").code for _ in range(2)] == [0, 0]
    assert cloud.runs() == (at(OLD), OLD)
    ended = cloud.run("rollback", "--yes")
    assert ended.code == 3
    assert "nothing to go back to" in ended.stdout
    assert "--to" in ended.stdout
    assert cloud.runs() == (at(OLD), OLD)


def test_a_later_deployment_goes_back_to_what_ran_before_it_and_never_to_what_was_left(cloud: Cloud) -> None:
    # Given a digest that was left, and another one deployed after that
    cloud.run("rollback", "--yes")
    latest = "sha256:" + "d" * 64
    cloud.also_runs(JOB, at(latest), latest)
    cloud.set(tags={**cloud.state["tags"], "deployed-20260104T000000Z": latest})
    # When that one is left, too
    cloud.run("rollback", "--yes")
    # Then what ran before it runs again
    assert cloud.runs() == (at(NEW), NEW)


def test_a_digest_deployed_again_later_goes_back_to_the_one_between(cloud: Cloud) -> None:
    cloud.also_runs(JOB, at(OLD), OLD)
    cloud.set(tags={**STACK, "deployed-20260104T000000Z": OLD})
    cloud.run("rollback", "--yes")
    assert cloud.runs() == (at(NEWER), NEWER)
    assert cloud.recorded() == [OLD, NEW, NEWER]


def test_from_a_digest_without_a_record_it_goes_to_the_newest_that_has_one(cloud: Cloud) -> None:
    untested = "sha256:" + "e" * 64
    cloud.also_runs(JOB, at(untested), untested)
    assert cloud.run("rollback", "--yes").code == 0
    assert cloud.runs() == (at(NEWER), NEWER)
    assert cloud.recorded() == [OLD, NEW, NEWER]


def test_entries_above_the_running_one_are_left_too(cloud: Cloud) -> None:
    # Given somebody who put NEW back by hand, so that NEWER is still on top of the record
    cloud.also_runs(JOB, at(NEW), NEW)
    assert cloud.run("rollback", "--yes").code == 0
    assert cloud.runs() == (at(OLD), OLD)
    assert cloud.recorded() == [OLD]


def test_a_digest_on_the_record_can_be_named(cloud: Cloud) -> None:
    assert cloud.run("rollback", "--yes", f"--to={OLD}").code == 0
    assert cloud.runs() == (at(OLD), OLD)
    assert cloud.recorded() == [OLD]


def test_a_digest_that_is_not_on_the_record_can_be_named(cloud: Cloud) -> None:
    assert cloud.run("rollback", "--yes", "--to", at(UNRECORDED)).code == 0
    assert cloud.runs() == (at(UNRECORDED), UNRECORDED)
    assert cloud.recorded() == [OLD, NEW]


@pytest.mark.parametrize(("to", "code"), [(NEWER, 3), ("latest", 2)])
def test_a_digest_that_makes_no_sense_changes_nothing(cloud: Cloud, to: str, code: int) -> None:
    assert cloud.run("rollback", "--yes", f"--to={to}").code == code
    assert cloud.changes() == []


def test_pool_and_services_go_back_as_well(cloud: Cloud) -> None:
    cloud.also_runs("worker-pool/pool", at(NEWER), NEWER)
    cloud.also_runs("service/api", at(NEWER), NEWER)
    assert cloud.run("rollback", "--yes", "--worker-pool=pool", "--service=api").code == 0
    assert {cloud.runs(target) for target in (JOB, "worker-pool/pool", "service/api")} == {(at(NEW), NEW)}


def test_a_dry_run_changes_nothing(cloud: Cloud) -> None:
    ended = cloud.run("rollback", "--dry-run")
    assert ended.code == 0
    assert NEW in ended.stdout
    assert cloud.changes() == []


@pytest.mark.parametrize(("typed", "code", "digest"), [("n\n", 3, NEWER), ("y\n", 0, NEW)])
def test_at_a_terminal_the_answer_decides(cloud: Cloud, typed: str, code: int, digest: str) -> None:
    assert cloud.run("rollback", at_terminal=typed).code == code
    assert cloud.runs() == (at(digest), digest)


def test_an_update_that_only_says_that_it_worked_is_noticed(cloud: Cloud) -> None:
    cloud.set(update_faults={JOB: "ignored"})
    ended = cloud.run("rollback", "--yes")
    assert ended.code == 1
    assert "although its update was reported as done" in ended.stdout
    assert cloud.recorded() == [OLD, NEW, NEWER]


def test_being_stopped_in_the_middle_changes_nothing(cloud: Cloud) -> None:
    cloud.also_runs("service/api", at(NEWER), NEWER)
    cloud.set(stopped_at="run jobs update")
    ended = cloud.run("rollback", "--yes", "--service=api")
    assert ended.code == 1
    assert "stopped in the middle" in ended.stdout
    assert [cloud.runs(target)[1] for target in (JOB, "service/api")] == [NEWER, NEWER]
    assert cloud.recorded() == [OLD, NEW, NEWER]


def test_a_service_that_stayed_behind_can_follow(cloud: Cloud) -> None:
    cloud.also_runs("service/api", at(NEW), NEW)
    assert cloud.run("rollback", "--yes", f"--to={NEWER}", "--service=api").code == 0
    assert cloud.runs("service/api") == (at(NEWER), NEWER)
    assert cloud.recorded() == [OLD, NEW, NEWER]


def test_from_a_tag_that_somebody_deployed_it_goes_to_the_newest_good_digest(cloud: Cloud) -> None:
    cloud.also_runs(JOB, f"{IMAGE}:latest")
    assert cloud.run("rollback", "--yes").code == 0
    assert cloud.runs() == (at(NEWER), NEWER)


def test_from_an_image_of_elsewhere_there_is_nothing_to_go_back(cloud: Cloud) -> None:
    cloud.also_runs(JOB, "us-docker.pkg.dev/cloudrun/container/job")
    ended = cloud.run("rollback", "--yes")
    assert ended.code == 3
    assert "does not run a digest" in ended.stdout
