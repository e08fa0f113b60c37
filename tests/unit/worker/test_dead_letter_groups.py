"""Dead letters are told apart by message and put together by cause, whatever their attributes say."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from services.messaging.port import Delivery
from tests.builders import NOON, delivery
from worker.dead_letters.groups import DELIVERY_LIMIT, UNEXPLAINED, groups_of, letters_of

REASON = {
    "error_kind": "invalid_fields",
    "error_stage": "decode",
    "error_message": "grade_level: Input should be a valid integer",
    "fingerprint": "f-1",
    "attempts": "1",
    "cost_usd": "0.00000000",
}


def letter(number: int, *, minute: int = 0, **attributes: str) -> Delivery:
    """A dead letter of message m-`number`, written `minute` minutes after noon."""
    written = {
        "source_message_id": f"m-{number}",
        "request_id": f"r-{number}",
        "dead_lettered_at": (NOON + timedelta(minutes=minute)).isoformat(),
    }
    return delivery(message_id=f"d-{number}-{minute}", attributes={**REASON, **written, **attributes})


def test_a_message_that_was_dead_lettered_twice_counts_once_and_keeps_both_copies() -> None:
    # Given two dead letters of one message, the newer one first, and one of another
    newer, older, other = letter(1, minute=5), letter(1, minute=1), letter(2, minute=3)
    # When
    letters = letters_of([newer, older, other])
    # Then
    assert [found.source_message_id for found in letters] == ["m-2", "m-1"]
    assert letters[1].copies == [older, newer]
    assert letters[1].newest == newer


def test_letters_with_the_same_fingerprint_are_one_group_with_what_they_have_in_common() -> None:
    # Given
    deliveries = [
        letter(1, minute=1, attempts="2", cost_usd="0.10000000"),
        letter(2, minute=9, attempts="5", cost_usd="0.02000000", error_message="in newer words"),
        letter(3, minute=4, fingerprint="f-2"),
    ]
    # When
    large, small = groups_of(letters_of(deliveries))
    # Then
    assert (large.cause.fingerprint, len(large.letters), small.cause.fingerprint) == ("f-1", 2, "f-2")
    assert (large.cause.stage, large.cause.kind, large.cause.text) == (
        "decode",
        "invalid_fields",
        "in newer words",
    )
    assert (large.first_seen, large.last_seen) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=9))
    assert (large.attempts, large.cost_usd, large.cost_is_complete) == (5, Decimal("0.12"), True)


def test_a_cost_that_is_not_known_makes_the_sum_incomplete() -> None:
    (group,) = groups_of(letters_of([letter(1, cost_usd="0.5"), letter(2, cost_usd="unknown")]))
    assert (group.cost_usd, group.cost_is_complete) == (Decimal("0.5"), False)


def test_a_letter_of_the_queue_itself_is_told_with_what_to_look_for() -> None:
    # Given what Pub/Sub adds past the last delivery attempt, and nothing else
    backstop = delivery(
        message_id="d-9",
        attributes={
            "from": "test",
            "CloudPubSubDeadLetterSourceDeliveryCount": "100",
            "CloudPubSubDeadLetterSourceSubscription": "content-requests-worker",
        },
    )
    # When
    (found,) = letters_of([backstop])
    # Then
    assert found.cause == DELIVERY_LIMIT
    assert (found.source_message_id, found.request_id) == ("d-9", None)
    assert (found.seen_at, found.attempts, found.cost_usd) == (NOON, None, None)
    assert "message.crashed" in found.cause.text


def test_a_letter_without_any_reason_is_a_group_of_its_own() -> None:
    (found,) = letters_of([delivery()])
    assert found.cause == UNEXPLAINED


def test_a_letter_from_before_attempts_and_costs_were_written_is_dated_by_the_queue() -> None:
    # Given
    old = {name: REASON[name] for name in ("error_kind", "error_stage", "error_message", "fingerprint")}
    # When
    (found,) = letters_of([delivery(attributes={**old, "source_message_id": "m-1"})])
    # Then
    assert (found.seen_at, found.attempts, found.cost_usd, found.redrives) == (NOON, None, None, 0)


@pytest.mark.parametrize(
    "attributes",
    [
        {"attempts": "many", "cost_usd": "a lot", "dead_lettered_at": "yesterday", "redrive_count": "?"},
        {"attempts": "", "cost_usd": "NaN", "dead_lettered_at": "2026-11-20T12:00:00", "redrive_count": ""},
        {"attempts": "1.5", "cost_usd": "-Infinity", "dead_lettered_at": "0001-01-01T00:00:00+14:00"},
        {"attempts": "x" * 1024, "cost_usd": "1e999999", "dead_lettered_at": ""},
        {"attempts": "one", "cost_usd": "-1"},
    ],
)
def test_attributes_that_anybody_could_have_written_are_not_relied_on(attributes: dict[str, str]) -> None:
    # Given
    strange = delivery(attributes={**REASON, **attributes})
    # When
    (found,) = letters_of([strange])
    # Then
    assert (found.seen_at, found.attempts, found.cost_usd, found.redrives) == (NOON, None, None, 0)


def test_a_letter_is_known_by_its_message_its_request_and_its_own_ids() -> None:
    (found,) = letters_of([letter(1, minute=1), letter(1, minute=2)])
    assert all(found.is_named(name) for name in ("m-1", "r-1", "d-1-1", "d-1-2"))
    assert not found.is_named("f-1")


def test_the_time_of_a_letter_is_utc_whatever_zone_it_was_written_in() -> None:
    (found,) = letters_of([delivery(attributes={"dead_lettered_at": "2026-11-20T14:00:00+02:00"})])
    assert found.seen_at == NOON
    assert found.seen_at.tzinfo == datetime.fromisoformat("2026-11-20T12:00:00Z").tzinfo
