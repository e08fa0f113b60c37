"""Test data in one place: valid by default, with the interesting part as a keyword."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.models import ContentRequest
from services.messaging.port import Delivery

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

EXAMPLE = {
    "request_id": "test_gemini_flash_final",
    "student_id": "student_001",
    "student_query": "Explain quantum entanglement using soccer",
    "interest": "soccer",
    "grade_level": 11,
}


def request_fields(**changes: Any) -> dict[str, Any]:
    """The fields of a valid message; a field changed to `...` is left out."""
    return {name: value for name, value in {**EXAMPLE, **changes}.items() if value is not ...}


def content_request(**changes: Any) -> ContentRequest:
    return ContentRequest.model_validate(request_fields(**changes))


def message_bytes(**changes: Any) -> bytes:
    return json.dumps(request_fields(**changes)).encode()


def delivery(data: bytes | None = None, **changes: Any) -> Delivery:
    fields = {
        "message_id": "m-1",
        "lease_id": "lease-1",
        "data": message_bytes() if data is None else data,
        "attributes": {},
        "publish_time": NOON,
        "attempt": 1,
    }
    return Delivery(**{**fields, **changes})


@cache
def topic_search() -> TopicSearch:
    """The search over the whole catalogue; building it takes longer than most tests."""
    return TopicSearch(load_catalog())
