"""Batches are pulled twice as fast as they would fill the slots evenly, and never slower than four a second."""

import pytest

from worker.pace import BATCHES, MAX_PAUSE_SECONDS, Pace


def test_nothing_is_held_back_before_a_message_has_finished() -> None:
    pace = Pace()
    pace.pulled(100.0)
    assert pace.pause(100.0) == 0


def test_batches_are_spread_over_half_of_what_a_message_takes() -> None:
    # Given messages that take 1.6 seconds
    pace = Pace()
    for _ in range(100):
        pace.finished(1.6)
    # When a batch has just been pulled
    pace.pulled(100.0)
    # Then the next one follows after a sixteenth of that, measured from the pull
    assert pace.pause(100.0) == pytest.approx(1.6 / BATCHES / 2)
    assert pace.pause(100.04) == pytest.approx(0.06)
    assert pace.pause(101.0) == 0


def test_long_messages_do_not_slow_the_start_of_others_down() -> None:
    pace = Pace()
    pace.finished(60.0)
    pace.pulled(0.0)
    assert pace.pause(0.0) == MAX_PAUSE_SECONDS


def test_one_odd_message_does_not_change_the_pace_much() -> None:
    pace = Pace()
    for _ in range(100):
        pace.finished(1.0)
    pace.finished(3.0)
    pace.pulled(0.0)
    assert pace.pause(0.0) == pytest.approx(1.2 / BATCHES / 2)
