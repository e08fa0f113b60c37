"""A run says which task of which execution it is, when Cloud Run started it as one."""

import pytest

from worker.origin import Origin, origin_of
from worker.settings import load_settings


def test_a_task_of_an_execution_knows_all_that_cloud_run_says(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the environment of the third of four tasks, started again after it failed
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", "content-worker-abc12")
    monkeypatch.setenv("CLOUD_RUN_TASK_INDEX", "2")
    monkeypatch.setenv("CLOUD_RUN_TASK_COUNT", "4")
    monkeypatch.setenv("CLOUD_RUN_TASK_ATTEMPT", "1")
    monkeypatch.setenv("WORKER_IMAGE_DIGEST", "sha256:0123")
    # When it asks where it comes from, then nothing is left out
    assert origin_of(load_settings()) == Origin(
        image_digest="sha256:0123",
        execution="content-worker-abc12",
        task_index=2,
        task_count=4,
        attempt=1,
    )


def test_without_an_execution_there_is_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a shell in which a task's number was left over
    monkeypatch.setenv("CLOUD_RUN_TASK_INDEX", "2")
    monkeypatch.setenv("CLOUD_RUN_TASK_COUNT", "4")
    monkeypatch.setenv("CLOUD_RUN_TASK_ATTEMPT", "1")
    monkeypatch.setenv("WORKER_IMAGE_DIGEST", "sha256:0123")
    # When a run is started by hand, then it is no task of anything
    assert origin_of(load_settings()) == Origin(image_digest="sha256:0123")
