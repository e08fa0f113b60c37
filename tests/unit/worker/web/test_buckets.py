"""The rate limit, on a clock that the test turns."""

import pytest

from worker.web.buckets import TokenBuckets


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_as_many_as_the_rate_pass_at_once_and_then_one_whenever_its_time_has_come() -> None:
    clock = Clock()
    buckets = TokenBuckets(3, clock=clock)
    assert [buckets.wait_seconds("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.wait_seconds("a") == pytest.approx(20)
    clock.now += 19
    assert buckets.wait_seconds("a") == pytest.approx(1)
    clock.now += 1.001
    assert buckets.wait_seconds("a") == 0
    assert buckets.wait_seconds("a") == pytest.approx(20, abs=0.01)


def test_silence_saves_up_no_more_than_a_minute() -> None:
    clock = Clock()
    buckets = TokenBuckets(2, clock=clock)
    buckets.wait_seconds("a")
    clock.now += 3600
    assert [buckets.wait_seconds("a") > 0 for _ in range(3)] == [False, False, True]


def test_callers_do_not_share() -> None:
    buckets = TokenBuckets(1, clock=Clock())
    assert buckets.wait_seconds("a") == 0
    assert buckets.wait_seconds("b") == 0
    assert buckets.wait_seconds("a") > 0


def test_no_more_callers_are_remembered_than_allowed_and_the_quietest_are_forgotten() -> None:
    buckets = TokenBuckets(1, clock=Clock(), most=2)
    for caller in ("a", "b", "a", "c"):
        buckets.wait_seconds(caller)
    assert buckets.wait_seconds("a") > 0  # heard of after b
    assert buckets.wait_seconds("b") == 0  # forgotten
