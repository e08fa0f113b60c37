from datetime import UTC, datetime, timedelta

import pytest

from services.storage.claims import is_alive, new_lease

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
