"""What somebody thinks of a result, and the use case of keeping it."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.content.models import RequestId
from services.content.safety import mask_contacts
from services.storage.port import Document, FeedbackStore, ResultReader


class Feedback(BaseModel):
    """One opinion. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    request_id: RequestId
    rating: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] | None = None


class Reception(Enum):
    """What became of an opinion."""

    KEPT = "kept"
    NO_RESULT = "no_result"
    """There is nothing to have an opinion on."""
    IN_PROGRESS = "in_progress"
    """There is no result yet."""


class FeedbackDesk:
    """Keeps opinions on results, the latest on each."""

    def __init__(self, *, results: ResultReader, store: FeedbackStore, now: Callable[[], datetime]) -> None:
        self._results = results
        self._store = store
        self._now = now

    async def receive(self, feedback: Feedback) -> Reception:
        """Keep an opinion for as long as its result, over an earlier one. Raises `StoreUnavailable`."""
        result = await self._results.get(feedback.request_id)
        if result is None:
            return Reception.NO_RESULT
        if result["status"] == "processing":
            return Reception.IN_PROGRESS
        await self._store.keep(feedback.request_id, feedback_document(feedback, result, now=self._now()))
        return Reception.KEPT


def feedback_document(feedback: Feedback, result: Document, *, now: datetime) -> dict[str, Any]:
    """The opinion as it is stored: with how its result came about, and without any way to reach who gave it."""
    copied = ("student_ref", "mode", "prompt_version", "image_digest", "expires_at")
    return {
        "request_id": feedback.request_id,
        "rating": feedback.rating,
        "comment": mask_contacts(feedback.comment) if feedback.comment else None,
        "created_at": now,
        **{name: result.get(name) for name in copied},
    }
