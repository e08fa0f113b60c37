"""What models were asked: always the same instructions, and whatever anybody typed as data behind the marker line."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from services.content.models import ContentRequest
from services.content.prompts import instructions, tidied
from services.content.safety import mask_contacts
from tests.conformance.inputs.drained import Asked, Drained
from tests.conformance.inputs.leaks import is_planted_in
from tests.conformance.inputs.sample import Input
from tests.conformance.inputs.tally import Tally
from tests.conformance.inputs.texts import EMAIL
from worker.messages import decode

MARKER_LINE = "INPUT:\n"
QUESTIONING = ("nlu", "interest")
"""The stages that are shown the question."""


def check_prompts(accepted: Sequence[Input], drained: Drained, tally: Tally) -> None:
    """Every call keeps its data apart, and the questions in them are those of the accepted inputs."""
    tally.calls += len(drained.asked)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for asked in drained.asked:
        data = data_of(asked.prompt)
        if data is None or asked.instructions != instructions(asked.stage):
            tally.breach("outside", f"{asked.stage}: {asked.prompt[:300]!r}")
            continue
        names[asked.stage].add(frozenset(data))
        if asked.stage in QUESTIONING:
            seen[asked.stage].add(data["question"])
        _check_problems(asked, tally)
        # Later stages are told what a model has made of the words, and it may be one that makes up addresses.
        if asked.stage in QUESTIONING and EMAIL in asked.prompt:
            tally.breach("contacts", f"{asked.stage}: {asked.prompt[:300]!r}")
    for stage, found in names.items():
        if len(found) > 1:
            tally.breach("outside", f"{stage}: data of different shapes {found}")
    _compare(accepted, drained, seen, tally)


def data_of(prompt: str) -> dict[str, Any] | None:
    """The one JSON object on the one line after the marker line, or None where anything else stands."""
    marker, rest = prompt[: len(MARKER_LINE)], prompt[len(MARKER_LINE) :]
    try:
        data = json.loads(rest)
    except ValueError:
        return None
    is_one_line = "\n" not in rest and "\r" not in rest
    return data if marker == MARKER_LINE and is_one_line and isinstance(data, dict) else None


def _check_problems(asked: Asked, tally: Tally) -> None:
    """Asking again is done in prose, so nothing that anybody wrote may be quoted in it."""
    for problem in asked.problems:
        if is_planted_in(problem):
            tally.breach("outside", f"{asked.stage}, asked again: {problem[:300]!r}")


def _compare(
    accepted: Sequence[Input], drained: Drained, seen: defaultdict[str, set[str]], tally: Tally
) -> None:
    requests = [decode(one.data) for one in accepted]
    often = Counter(request.request_id for request in requests)
    typed = {_question(request) for request in requests}
    # Of several messages with one id only the first is answered.
    to_be_seen = {
        _question(request)
        for request in requests
        if often[request.request_id] == 1 and drained.documents.get(request.request_id, {}).get("stages")
    }
    for stage in QUESTIONING:
        for question in seen[stage] - typed:
            tally.breach("outside", f"{stage}: nobody has asked {question[:300]!r}")
        for question in to_be_seen - seen[stage]:
            tally.breach("outside", f"{stage}: never asked {question[:300]!r}")


def _question(request: ContentRequest) -> str:
    """A question as a model is to see it: without surplus blanks and without contacts."""
    return tidied(mask_contacts(tidied(request.student_query)))
