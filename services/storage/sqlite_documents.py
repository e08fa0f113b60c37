"""Documents as the JSON that SQLite stores, with times in them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.embedded import as_text, as_time

# JSON has no times. No field of a document has a name like this one.
TIME_TAG = "$time"


def as_json(document: Mapping[str, Any]) -> str:
    """The document as text. Raises `TypeError` for what is neither JSON-like nor a time."""
    return json.dumps(document, default=_tagged, ensure_ascii=False)


def from_json(text: str) -> dict[str, Any]:
    """The document that `as_json` made a text of; its times are in UTC."""
    document: dict[str, Any] = json.loads(text, object_hook=_untagged)
    return document


def _tagged(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {TIME_TAG: as_text(value)}
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def _untagged(mapping: dict[str, Any]) -> Any:
    return as_time(mapping[TIME_TAG]) if mapping.keys() == {TIME_TAG} else mapping
