"""Where a run comes from: the image that runs, and the task of a Cloud Run execution that it is."""

from dataclasses import dataclass

from worker.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The image, and the task of an execution; a task has all of these, a run that Cloud Run did not start none.

    `attempt` is counted from 0: Cloud Run starts a task that failed again, with the same index.
    """

    image_digest: str | None = None
    execution: str | None = None
    task_index: int | None = None
    task_count: int | None = None
    attempt: int | None = None


def origin_of(settings: Settings) -> Origin:
    """The origin that the settings tell. Without an execution there are no tasks, whatever else is set."""
    if settings.cloud_run_execution is None:
        return Origin(image_digest=settings.worker_image_digest)
    return Origin(
        image_digest=settings.worker_image_digest,
        execution=settings.cloud_run_execution,
        task_index=settings.cloud_run_task_index,
        task_count=settings.cloud_run_task_count,
        attempt=settings.cloud_run_task_attempt,
    )
