"""Where a word that was planted in the inputs must not turn up, and whether it does."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.conformance.inputs.sample import PLANTED, PUPIL

# Ids of the publisher's own choosing: they are there to be logged and stored, once they are known to be well-formed.
_IDS = frozenset({"request_id", "correlation_id"})


def is_planted_in(value: object) -> bool:
    """Whether a value quotes an input, ids apart."""
    return bool(PLANTED.search(_as_text(value)))


def leaks_in_document(document: Mapping[str, Any]) -> Iterator[str]:
    """The parts of a result that quote an input and must not. Scripts and debts may: they are made of questions."""
    if PUPIL in _as_text(document):
        yield "student id"
    reasons: dict[str, Any] = {"failures": document.get("failures"), "stages": document.get("stages")}
    if document["status"] == "failed":
        reasons = dict(document)
    yield from (name for name, value in reasons.items() if name not in _IDS and is_planted_in(value))


def leaks_in_events(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The events that quote an input."""
    for event in events:
        told = {name: value for name, value in event.items() if name not in _IDS}
        if is_planted_in(told):
            yield _as_text(told)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = {name: inner for name, inner in value.items() if name not in _IDS}
    return json.dumps(value, default=str, ensure_ascii=False)
