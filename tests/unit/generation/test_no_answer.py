"""Whose fault it is that no rung answered."""

import pytest

from services.errors import NoModelAnswered, RequestFailed
from services.generation.no_answer import OWN_FAULTS, no_answer
from services.generation.port import ModelRef, RungFailure
from tests.unit.generation.doubles import BEST, MOCK, SECOND

REFS = (BEST, SECOND, MOCK)


def failed(*kinds: str, message: str = "details") -> list[tuple[ModelRef, RungFailure]]:
    return [
        (ref, RungFailure(kind=kind, code=None, message=message))
        for ref, kind in zip(REFS, kinds, strict=False)
    ]


@pytest.mark.parametrize(
    ("kinds", "counted_as"),
    [
        *((kind, kind) for kind in [(own,) for own in sorted(OWN_FAULTS)]),
        (("invalid_json", "truncated"), ("truncated",)),
        (("invalid_json", "allowance_spent"), ("invalid_json",)),
        (("invalid_request", "invalid_answer", "allowance_spent"), ("invalid_answer",)),
        (("unavailable",), None),
        (("invalid_json", "quota"), None),
        (("timeout", "invalid_json"), None),
        (("server_error", "empty", "allowance_spent"), None),
        (("model_not_found", "invalid_json"), None),
        (("permission_denied",), None),
        (("unauthenticated", "invalid_request"), None),
        (("allowance_spent",), None),
        (("allowance_spent", "allowance_spent"), None),
        (("a kind that a later change adds", "invalid_json"), None),
    ],
)
def test_a_request_fails_when_rungs_failed_at_it_and_for_no_other_reason(
    kinds: tuple[str, ...], counted_as: tuple[str] | None
) -> None:
    # Given rungs that failed like this, best first
    # When the error is chosen
    error = no_answer("script", failed(*kinds))
    # Then it is the request's own exactly when every failure with a cause of its own is
    if counted_as is None:
        assert isinstance(error, NoModelAnswered)
    else:
        assert isinstance(error, RequestFailed)
        assert (error.stage, error.kind) == ("script", *counted_as)


def test_a_failed_requests_message_is_the_same_whatever_was_wrong_in_detail() -> None:
    # Given one cause that shows in different fields
    first = no_answer("script", failed("invalid_answer", "truncated", message="title: missing"))
    second = no_answer("script", failed("invalid_answer", "truncated", message="hook: too_short"))
    # When the messages are compared
    # Then they are equal, and name rungs and kinds
    assert first.message == second.message
    assert first.message == (
        f"Every rung of the ladder for script failed at this request. {BEST}: invalid_answer; {SECOND}: truncated. "
        "See rung.failed in the logs."
    )


def test_an_outages_message_names_every_rungs_reason() -> None:
    # Given an outage
    error = no_answer("nlu", failed("quota", "unavailable", message="busy"))
    # When the message is read
    # Then every rung is in it
    assert error.message == f"No rung of the ladder for nlu answered. {BEST}: busy; {SECOND}: busy"


@pytest.mark.parametrize(
    ("waits", "expected"),
    [((3600.0,), 3600.0), ((3600.0, 120.0), 120.0), ((3600.0, None), None), ((None,), None)],
)
def test_the_first_rung_that_is_asked_again_says_when(
    waits: tuple[float | None, ...], expected: float | None
) -> None:
    # Given rungs that are left alone for a while, or may be asked at any time
    failures = [
        (ref, RungFailure(kind="quota", code=429, message="used up", retry_after=wait))
        for ref, wait in zip(REFS, waits, strict=False)
    ]
    # When the error is chosen
    error = no_answer("script", failures)
    # Then it says when asking makes sense, where that is known
    assert isinstance(error, NoModelAnswered)
    assert error.retry_after == expected
