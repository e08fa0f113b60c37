"""Opinions on results: what is taken, and what is kept of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from services.learning.feedback import Feedback, FeedbackDesk, Reception
from tests.builders import NOON

RESULT = {
    "request_id": "q-1",
    "status": "completed",
    "student_ref": "ref",
    "mode": "fallback",
    "prompt_version": "v2",
    "image_digest": "sha256:1",
    "expires_at": NOON,
    "script": {"title": "t"},
}


class Parts:
    """A reader of one result, and a store of opinions."""

    def __init__(self, result: Mapping[str, Any] | None) -> None:
        self.result = result
        self.kept: dict[str, Mapping[str, Any]] = {}

    async def get(self, request_id: str) -> Mapping[str, Any] | None:
        return self.result

    async def newest(self, limit: int, *, status: str | None = None) -> list[Mapping[str, Any]]:
        return []

    async def keep(self, request_id: str, document: Mapping[str, Any]) -> None:
        self.kept[request_id] = document


def receive(parts: Parts, **fields: Any) -> Reception:
    feedback = Feedback.model_validate({"request_id": "q-1", "rating": 4, **fields})
    return asyncio.run(FeedbackDesk(results=parts, store=parts, now=lambda: NOON).receive(feedback))


def test_an_opinion_is_kept_with_how_its_result_came_about_and_for_as_long() -> None:
    parts = Parts(RESULT)
    assert receive(parts, comment=" good ") is Reception.KEPT
    assert parts.kept == {
        "q-1": {
            "request_id": "q-1",
            "rating": 4,
            "comment": "good",
            "student_ref": "ref",
            "mode": "fallback",
            "prompt_version": "v2",
            "image_digest": "sha256:1",
            "created_at": NOON,
            "expires_at": NOON,
        }
    }


def test_addresses_and_numbers_are_masked_in_comments() -> None:
    parts = Parts(RESULT)
    receive(parts, comment="write to kid@example.org or call 555-010-0199, it is 5 of 5")
    assert parts.kept["q-1"]["comment"] == "write to [email] or call [phone], it is 5 of 5"


@pytest.mark.parametrize(
    ("result", "reception"),
    [(None, Reception.NO_RESULT), ({"status": "processing"}, Reception.IN_PROGRESS)],
)
def test_without_a_result_nothing_is_kept(result: dict[str, Any] | None, reception: Reception) -> None:
    parts = Parts(result)
    assert receive(parts) is reception
    assert parts.kept == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"rating": 0},
        {"rating": 6},
        {"rating": "5"},
        {"rating": 4.0},
        {"rating": True},
        {"rating": None},
        {"comment": "x" * 1001},
        {"comment": 5},
        {"request_id": "a/b"},
        {"request_id": None},
    ],
)
def test_what_breaks_a_rule_is_no_opinion(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Feedback.model_validate({"request_id": "q-1", "rating": 4, **fields})
