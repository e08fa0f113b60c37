from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.storage.claims import (
    Stored,
    announced,
    announced_again,
    claim_existing,
    is_alive,
    new_lease,
    taken_over,
)
from services.storage.port import Busy, Claim, Finished

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("passed", "alive"), [(-MINUTE, True), (MINUTE - MOMENT, True), (MINUTE, False), (MINUTE + MOMENT, False)]
)
def test_a_lease_ends_to_the_microsecond(passed: timedelta, alive: bool) -> None:
    # Given
    lease = new_lease("claim-a", now=NOON, lifetime=MINUTE)

    # When / Then: on one clock for all, and by the time since it was written
    assert is_alive(lease, now=NOON + passed) is alive
    assert is_alive(lease, now=NOON, age=passed) is alive


def test_by_its_age_a_lease_is_alive_or_not_whatever_time_it_is() -> None:
    # Given
    lease = new_lease("claim-a", now=NOON, lifetime=MINUTE)

    # When / Then
    assert is_alive(lease, now=NOON + 60 * MINUTE, age=MOMENT)
    assert not is_alive(lease, now=NOON - 60 * MINUTE, age=MINUTE)


def test_a_released_lease_is_dead_at_once() -> None:
    # Given
    lease = new_lease("claim-a", now=NOON, lifetime=timedelta(0))

    # When / Then
    assert not is_alive(lease, now=NOON)
    assert not is_alive(lease, now=NOON, age=timedelta(0))


def test_a_document_without_a_claim_is_free_at_once_and_only_while_it_is_processing() -> None:
    # Given
    wanted = {"status": "processing", "message_id": "m-1"}
    announced_document = announced({"created_at": NOON, **wanted})

    # When / Then
    assert claim_on(announced_document, wanted) is None
    assert isinstance(claim_on({**announced_document, "status": "completed"}, wanted), Finished)


def test_an_announced_document_is_taken_over_as_attempt_1_and_keeps_its_age() -> None:
    # Given
    lease = new_lease("claim-a", now=NOON + MINUTE, lifetime=MINUTE)
    word = announced({"created_at": NOON, "student_ref": "a1b2"})

    # When
    taken = taken_over(word, {"status": "processing", "created_at": NOON + MINUTE}, lease)

    # Then
    assert taken == {"status": "processing", "created_at": NOON, "attempt": 1, "claim": lease}


@pytest.mark.parametrize(
    ("stored", "gives_way"),
    [
        ({"status": "processing", "attempt": 0}, False),
        ({"status": "processing", "attempt": 1, "claim": {"owner": "a"}, "message_id": "m-1"}, False),
        ({"status": "completed", "attempt": 1, "message_id": "m-1"}, False),
        ({"status": "failed", "attempt": 3, "message_id": "m-2"}, False),
        ({"status": "failed", "attempt": 3, "message_id": "m-1"}, True),
        ({"status": "failed", "attempt": 3}, True),
    ],
)
def test_only_what_failed_by_another_message_gives_way_to_an_announcement(
    stored: dict[str, Any], gives_way: bool
) -> None:
    # Given
    word = {"message_id": "m-2", "created_at": NOON + MINUTE}

    # When
    again = announced_again({**stored, "created_at": NOON, "failures": ["one"]}, word)

    # Then
    expected = {"status": "processing", "attempt": 3, "message_id": "m-2", "created_at": NOON}
    assert again == (expected if gives_way else None)


def claim_on(document: dict[str, Any], wanted: dict[str, Any]) -> Claim | Busy | Finished | None:
    stored = Stored(document=document, version=1)
    return claim_existing("request-1", stored, wanted, owner="claim-a", now=NOON)
