"""Looks at what a batch left behind, and holds it against what was promised."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.messaging.port import Delivery
from tests.conformance.inputs.drained import Drained
from tests.conformance.inputs.leaks import is_planted_in, leaks_in_document, leaks_in_events
from tests.conformance.inputs.prompts import check_prompts
from tests.conformance.inputs.sample import Input
from tests.conformance.inputs.showing import check_showing
from tests.conformance.inputs.strategies import NAMES
from tests.conformance.inputs.tally import Tally

KINDS = {"empty", "too_large", "not_utf8", "not_json", "not_an_object", "invalid_fields"}
REASON = (
    *("error_kind", "error_stage", "error_message", "fingerprint"),
    *("attempts", "cost_usd", "dead_lettered_at", "source_message_id", "source_publish_time"),
)
KEPT_ATTRIBUTES = 85
"""Of a hundred attributes that a message may have, so many find room beside the reason."""

FINISHED = {"completed", "needs_clarification", "out_of_scope", "blocked", "failed"}
CRASHES = {"message.crashed", "leases.crashed"}

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")


def check(inputs: Sequence[Input], drained: Drained, tally: Tally, *, always_answers: bool) -> None:
    """Add one batch to the tally; `always_answers` is promised of ladders that end with the mock."""
    tally.inputs += len(inputs)
    _check_run(len(inputs), drained, tally)
    letters = {letter.attributes.get("source_message_id", ""): letter for letter in drained.letters}
    accepted = []
    for message_id, one in zip(drained.ids, inputs, strict=True):
        letter = letters.get(message_id)
        if letter is not None:
            _check_letter(one, letter, tally)
            if always_answers and letter.attributes.get("error_stage") != "decode":
                tally.breach("unanswered", f"{letter.attributes.get('error_message')}: {_shown(one)}")
        if _is_accepted(one, letter, drained.documents, tally):
            accepted.append(one)
    _check_documents(drained.documents.values(), tally)
    check_prompts(accepted, drained, tally)


def _check_documents(documents: Collection[Mapping[str, Any]], tally: Tally) -> None:
    for document in documents:
        for part in leaks_in_document(document):
            tally.breach("leaks", f"{part} of the {document['status']} result of {document['request_id']}")
    check_showing(documents, tally)


def _check_run(messages: int, drained: Drained, tally: Tally) -> None:
    settled = sum(event["event"] == "message.settled" for event in drained.events)
    if drained.left or settled < messages:
        tally.breach("left", f"{drained.left} messages, and {settled} of {messages} were settled")
    for event in drained.events:
        if event["event"] in CRASHES:
            tally.breach("crashes", str(event))
    for told in drained.noise:
        tally.breach("crashes", told)
    if drained.bugs or drained.ending != "drained":
        tally.breach("crashes", f"the run {drained.ending} with {drained.bugs} bugs")
    for leak in leaks_in_events(drained.events):
        tally.breach("leaks", f"event {leak}")
    if is_planted_in(drained.printed):
        tally.breach("leaks", f"printed {drained.printed}")


def _is_accepted(
    one: Input, letter: Delivery | None, documents: Mapping[str, Mapping[str, Any]], tally: Tally
) -> bool:
    """Whether the message was worked on and is finished. Who waits for its result must find one in any case."""
    is_refused = letter is not None and letter.attributes.get("error_stage") == "decode"
    request_id = _request_id(one.data) if letter is None else letter.attributes.get("request_id")
    document = documents.get(request_id or "")
    is_finished = document is not None and document["status"] in FINISHED
    # A refused message without an id that can be read may have an attribute of that name.
    is_awaited = not is_refused or request_id not in (None, one.attributes.get("request_id"))
    if is_awaited and not is_finished:
        tally.breach("lost", _shown(one))
    if is_refused or not is_finished:
        return False
    if one.expects == "refused":
        tally.breach("misjudged", f"accepted: {_shown(one)}")
    tally.accepted += 1
    if letter is not None:
        tally.given_up[letter.attributes.get("error_kind", "")] += 1
    elif document is not None:
        tally.answers[document["status"]] += 1
    return True


def _request_id(data: bytes) -> str:
    """As anybody would read it."""
    try:
        return str(json.loads(data.decode("utf-8-sig"))["request_id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _check_letter(one: Input, letter: Delivery, tally: Tally) -> None:
    told = {name: letter.attributes.get(name, "") for name in REASON}
    if told["error_stage"] == "decode":
        tally.refused[told["error_kind"]] += 1
        if one.expects == "accepted" or not _is_refused_for(one, told):
            tally.breach("misjudged", f"refused for {told['error_message']!r}: {_shown(one)}")
    if not _tells(told):
        tally.breach("without reason", f"{told}: {_shown(one)}")
    if is_planted_in(told):
        tally.breach("leaks", f"dead letter {told}")
    if letter.data != one.data or not _keeps(one.attributes, letter.attributes):
        tally.breach("changed", _shown(one))


def _is_refused_for(one: Input, told: Mapping[str, str]) -> bool:
    return one.rule in f"{told['error_kind']} {told['error_message']}"


def _tells(told: Mapping[str, str]) -> bool:
    """Whether a dead letter names the rule that was broken, or the failure that was met."""
    if not all(told.values()) or not _FINGERPRINT.fullmatch(told["fingerprint"]):
        return False
    if told["error_stage"] != "decode":
        return True
    names_a_field = any(name in told["error_message"] for name in NAMES)
    return told["error_kind"] in KINDS and (names_a_field or told["error_kind"] != "invalid_fields")


def _keeps(original: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether the attributes are there, but for those whose names the reason needs, and those that find no room."""
    wanted = {name: value for name, value in original.items() if name not in (*REASON, "request_id")}
    kept = sum(found.get(name) == value for name, value in wanted.items())
    return kept >= min(len(wanted), KEPT_ATTRIBUTES)


def _shown(one: Input) -> str:
    return f"{one.family}: {one.data[:200]!r}"
