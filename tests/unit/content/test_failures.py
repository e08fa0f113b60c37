"""What goes wrong with one request is counted, and ends."""

from datetime import timedelta

import pytest

from services.content.failures import counted, failure, failure_of, fingerprint, is_hopeless
from services.content.models import Failure
from services.errors import ModelRejected, RequestFailed
from tests.builders import NOON


def misfit(
    message: str = "two unusable answers", *, cost_usd: float | None = 0.01, minutes: int = 0
) -> Failure:
    at = NOON + timedelta(minutes=minutes)
    return failure(stage="script", kind="invalid_json", message=message, cost_usd=cost_usd, now=at)


def test_the_fingerprint_is_the_same_for_the_same_cause() -> None:
    first = fingerprint("decode", "not_utf8", "byte 7 cannot be decoded")
    second = fingerprint("decode", "not_utf8", "byte 1234 cannot be decoded")
    other = fingerprint("decode", "not_json", "line 7 is cut off")
    assert first == second != other


def test_failures_with_one_fingerprint_are_counted_as_one_entry() -> None:
    # Given a failure that was stored
    stored = [misfit().model_dump()]
    # When the same happens again
    failures = counted(stored, misfit(minutes=3))
    # Then it is one entry, with both counted and paid, and the later time
    (only,) = failures
    assert only.count == 2
    assert only.cost_usd == pytest.approx(0.02)
    assert only.last_at == NOON + timedelta(minutes=3)


def test_a_failure_of_another_kind_is_an_entry_of_its_own_and_stands_last() -> None:
    failures = counted([misfit().model_dump()], misfit("cut off"))
    assert [one.message for one in failures] == ["two unusable answers", "cut off"]


def test_an_unknown_cost_makes_the_sum_unknown() -> None:
    (only,) = counted([misfit(cost_usd=None).model_dump()], misfit())
    assert only.cost_usd is None


def test_five_failures_alike_are_enough_and_four_are_not() -> None:
    failures: list[Failure] = []
    hopeless = []
    for _ in range(5):
        failures = counted([one.model_dump() for one in failures], misfit())
        hopeless.append(is_hopeless(failures))
    assert hopeless == [False, False, False, False, True]


def test_ten_failures_are_enough_also_when_no_two_are_alike() -> None:
    different = [misfit(letter) for letter in "abcdefghi"]
    assert not is_hopeless(different)
    assert is_hopeless([*different, misfit("j")])


def test_an_error_raised_on_purpose_is_told_in_its_own_words() -> None:
    error = RequestFailed("No rung gave a usable answer.", stage="script", kind="truncated")
    reason = failure_of(error, stage="content", cost_usd=0.02, now=NOON)
    assert (reason.stage, reason.kind, reason.code) == ("script", "truncated", None)
    assert (reason.message, reason.cost_usd) == ("No rung gave a usable answer.", 0.02)
    rejected = ModelRejected("Gone.", kind="model_not_found", code=404, fix="Choose another.")
    assert failure_of(rejected, stage="content", cost_usd=0.0, now=NOON).code == 404


def test_a_bug_is_told_by_its_place_and_never_by_its_text() -> None:
    with pytest.raises(KeyError) as met:
        raise KeyError("SECRET question of a student")
    reason = failure_of(met.value, stage="content", cost_usd=0.0, now=NOON)
    assert reason.kind == "bug"
    assert "KeyError at content/test_failures.py:" in reason.message
    assert "SECRET" not in str(reason)
