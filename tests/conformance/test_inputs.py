"""Whatever is published is answered, or refused with a reason that quotes nothing of it; the short form of
`scripts/conformance inputs`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.content.catalog import load_catalog
from services.content.interests import interest_task
from services.content.models import ContentRequest
from services.content.nlu import understanding_task
from services.content.prompts import instructions
from services.errors import MessageDecodeError
from services.messaging.port import Delivery
from tests.builders import content_request, message_bytes
from tests.conformance.inputs.command import check_processes
from tests.conformance.inputs.drained import Drained
from tests.conformance.inputs.drawing import batches
from tests.conformance.inputs.embedded import LADDERS, drain
from tests.conformance.inputs.fields import good_fields
from tests.conformance.inputs.leaks import leaks_in_document, leaks_in_events
from tests.conformance.inputs.promises import KINDS, check
from tests.conformance.inputs.prompts import data_of
from tests.conformance.inputs.sample import MARKER, PLANTED, PUPIL, Input, numbered
from tests.conformance.inputs.strategies import FAMILIES, NAMES, inputs
from tests.conformance.inputs.tally import Tally
from tests.emulators.google import EmulatorHosts
from worker.messages import decode

SEED = 20261120
THE_SAME_EACH_TIME = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.parametrize("ladder", LADDERS)
def test_every_input_is_answered_or_refused_with_a_reason_that_quotes_nothing(ladder: str) -> None:
    # Given inputs of all families, and models that are as hostile
    tally = Tally()
    for batch in batches(350, seed=SEED + len(ladder)):
        # When one worker drains them
        drained = drain(batch, ladder=LADDERS[ladder], seed=SEED)
        # Then every promise is kept
        check(batch, drained, tally, always_answers="mock" in LADDERS[ladder])
    assert tally.broken == {}, tally.examples
    # And both ways of ending were taken
    assert len(tally.refused) >= 4
    assert tally.answers["completed"] > 10


@pytest.mark.emulators
def test_worker_processes_carry_the_largest_messages_there_are(google_emulators: EmulatorHosts) -> None:
    tally = check_processes(40, google_emulators, seed=SEED)
    assert tally.broken == {}, tally.examples
    assert tally.refused["too_large"] >= 5


@given(inputs())
@THE_SAME_EACH_TIME
def test_bytes_become_a_request_or_an_error_that_names_the_rule_and_quotes_nothing(one: Input) -> None:
    error = _refusal(numbered(one, 1).data)
    if error is None:
        assert one.expects != "refused"
        return
    assert one.expects != "accepted"
    assert error.kind in KINDS
    assert one.rule in f"{error.kind} {error.message}"
    assert error.kind != "invalid_fields" or any(name in error.message for name in NAMES)
    # A UnicodeDecodeError holds the bytes, but does not print them
    assert not PLANTED.search(f"{error} {error.message} {error.__cause__}")


def _refusal(data: bytes) -> MessageDecodeError | None:
    try:
        decode(data)
    except MessageDecodeError as error:
        return error
    return None


@given(good_fields(), st.booleans())
@THE_SAME_EACH_TIME
def test_an_accepted_request_says_what_its_json_says(fields: dict[str, Any], escaped: bool) -> None:
    request = decode(json.dumps(fields, ensure_ascii=escaped).encode())
    assert request.student_query.strip() == fields["student_query"].strip()
    assert request.student_id == fields["student_id"]
    assert request.grade_level == fields["grade_level"]
    assert request.correlation_id == fields.get("correlation_id")


@given(good_fields())
@THE_SAME_EACH_TIME
def test_hostile_words_stay_inside_the_data_of_a_prompt(fields: dict[str, Any]) -> None:
    # Given
    request = ContentRequest.model_validate(fields)
    # When
    nlu = understanding_task(request, question=request.student_query, candidates=[])
    # Then the prompt is the marker line and one JSON object, and what is in it was typed
    data = data_of(nlu.prompt)
    assert data is not None
    assert MARKER in data["question"]
    assert "".join(data["question"].split()) == "".join(request.student_query.split())
    # And the instructions are those of everybody
    assert nlu.instructions == instructions("nlu")
    assert PUPIL not in f"{nlu.prompt} {nlu.instructions}"


def test_a_contact_among_the_interests_reaches_no_model() -> None:
    request = content_request(interest="call +44 20 7946 0958", interests=["me@example.org", "chess"])
    prompt = interest_task(request, question="q?", likely_topic=None, catalog=load_catalog()).prompt
    assert "7946" not in prompt
    assert "me@example.org" not in prompt
    assert "chess" in prompt


def test_the_same_seed_draws_the_same_inputs() -> None:
    first, again, other = (list(batches(30, seed=seed, size=20)) for seed in (5, 5, 6))
    assert first == again
    assert first != other
    assert [len(batch) for batch in first] == [20, 10]


def test_every_family_is_drawn() -> None:
    assert {one.family for batch in batches(600, seed=SEED) for one in batch} == set(FAMILIES)


@pytest.mark.parametrize(
    "prompt",
    [
        'INPUT:\n{"question": "a"}\nobey',
        'INPUT:\n{"question": "a"} obey',
        'obey\nINPUT:\n{"question": "a"}',
        'INPUT:\n{"question": "a"}\nINPUT:\n{"question": "b"}',
        'INPUT:\n["a"]',
        '{"question": "a"}',
    ],
)
def test_words_outside_the_data_are_noticed(prompt: str) -> None:
    assert data_of(prompt) is None


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"status": "completed", "script": MARKER}, []),
        ({"status": "completed", "failures": [{"message": f"not {MARKER.upper()}"}]}, ["failures"]),
        ({"status": "completed", "stages": {"nlu": {"error": {"message": MARKER}}}}, ["stages"]),
        ({"status": "completed", "script": PUPIL}, ["student id"]),
        ({"status": "failed", "request_id": MARKER, "correlation_id": MARKER}, []),
        ({"status": "failed", "script": MARKER}, ["script"]),
    ],
)
def test_a_quotation_in_a_result_is_noticed_where_there_must_be_none(
    document: dict[str, Any], parts: list[str]
) -> None:
    assert list(leaks_in_document(document)) == parts


def test_a_quotation_in_the_log_is_noticed() -> None:
    quoting = {"event": "rung.failed", "cause": f"no {MARKER}"}
    assert len(list(leaks_in_events([quoting, {"event": "x", "request_id": MARKER}]))) == 1


REASON = {
    "error_kind": "not_json",
    "error_stage": "decode",
    "error_message": "The message is not JSON.",
    "fingerprint": "0123456789ab",
    "attempts": "1",
    "cost_usd": "0.00000000",
    "dead_lettered_at": "2026-11-20T12:00:00+00:00",
    "source_message_id": "m-1",
    "source_publish_time": "2026-11-20T12:00:00+00:00",
}


@pytest.mark.parametrize(
    ("reason", "data", "broken"),
    [
        ({}, b"{", set()),
        ({"error_message": ""}, b"{", {"without reason"}),
        ({"fingerprint": "none"}, b"{", {"without reason"}),
        ({"error_kind": "invalid_fields"}, b"{", {"without reason"}),
        ({"error_message": f"not JSON: {MARKER}"}, b"{", {"leaks"}),
        ({}, b"{}", {"changed"}),
        ({"from": "somebody else"}, b"{", {"changed"}),
        ({"source_message_id": "m-2"}, b"{", {"lost"}),
    ],
)
def test_what_is_wrong_with_a_dead_letter_is_noticed(
    reason: Mapping[str, str], data: bytes, broken: set[str]
) -> None:
    # Given a message that cannot be accepted, and what is said to be its dead letter
    one = Input(family="any", data=b"{", expects="either", attributes={"from": "here"})
    letter = _delivery(data, {"from": "here", **REASON, **reason})
    # When
    tally = _checked(one, letter)
    # Then
    assert set(tally.broken) - {"misjudged"} == broken


def test_an_answer_that_is_not_there_is_noticed() -> None:
    one = Input(family="any", data=message_bytes(), expects="accepted", attributes={})
    assert set(_checked(one).broken) == {"lost"}


def test_a_message_that_was_refused_in_keeping_with_the_rules_is_noticed() -> None:
    one = Input(family="any", data=b"{", expects="accepted", attributes={})
    assert set(_checked(one, _delivery(b"{", REASON)).broken) == {"misjudged"}


def _delivery(data: bytes, attributes: Mapping[str, str]) -> Delivery:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return Delivery(
        message_id="d-1", lease_id="d-1", data=data, attributes=attributes, publish_time=noon, attempt=1
    )


def _checked(one: Input, *letters: Delivery) -> Tally:
    tally = Tally()
    drained = Drained(
        ids=["m-1"],
        ending="drained",
        bugs=0,
        printed="",
        events=[{"event": "message.settled"}],
        noise=[],
        left=0,
        letters=letters,
        documents={},
        asked=[],
    )
    check([one], drained, tally, always_answers=True)
    return tally
