"""The judge of the scenarios, on calls made up for it."""

from typing import Any

from tests.conformance.processes.accounts import Cut, account
from tests.emulators.vertex_calls import SeenRequest

DEAD, ALIVE = "ipv4:127.0.0.1:1", "ipv4:127.0.0.1:2"
KILL = Cut(peers=frozenset({DEAD}), stopped_at=100.0)


def call(
    peer: str, ended_at: float, *, stage: str = "nlu", status: str = "OK", mark: str = "q000001"
) -> SeenRequest:
    other: dict[str, Any] = {"method": "", "model": "", "location": "", "instructions": "", "attempt": 1}
    return SeenRequest(
        number=1,
        in_flight=1,
        stage=stage,
        prompt=f"INPUT: my question {mark}",
        received_at=ended_at - 0.3,
        ended_at=ended_at,
        status=status,
        peer=peer,
        **other,
    )


def test_a_call_that_was_open_at_a_kill_may_be_made_again() -> None:
    # Given a call that broke when its worker was killed, and the same one by another worker
    calls = [call(DEAD, 100.1, status="CANCELLED"), call(ALIVE, 160.0)]
    # When they are judged
    accounts = account(calls, [KILL])
    # Then the second one is excused
    assert (accounts.extra, accounts.open_at_cuts, accounts.unexplained) == (1, 1, 0)
    assert accounts.cuts_that_hit == 1


def test_an_answer_that_came_just_before_a_kill_may_be_asked_for_again() -> None:
    # Given an answer that the killed worker had had for a tenth of a second, and the same call later
    accounts = account([call(DEAD, 99.9), call(ALIVE, 160.0)], [KILL])
    # Then it is excused, and its age is told
    assert (accounts.unstored_at_cuts, accounts.unexplained) == (1, 0)
    assert round(accounts.age, 3) == 0.1


def test_an_answer_after_which_the_worker_went_on_must_have_been_stored() -> None:
    # Given the same, but the worker was already asking for the next stage
    script = [call(DEAD, 100.1, stage="script", status="CANCELLED"), call(ALIVE, 161.0, stage="script")]
    accounts = account([call(DEAD, 99.9), call(ALIVE, 160.0), *script], [KILL])
    # Then only the open call is excused
    assert (accounts.extra, accounts.in_flight, accounts.unexplained) == (2, 1, 1)


def test_an_old_answer_must_have_been_stored() -> None:
    accounts = account([call(DEAD, 98.0), call(ALIVE, 160.0)], [KILL])
    assert accounts.unexplained == 1


def test_a_call_that_a_living_worker_makes_twice_has_no_excuse() -> None:
    accounts = account([call(ALIVE, 99.9), call(ALIVE, 160.0)], [KILL])
    assert accounts.unexplained == 1


def test_a_worker_that_ended_in_good_order_had_stored_all_its_answers() -> None:
    # Given a worker that was told to stop: one call was open, one was answered
    told = Cut(peers=frozenset({DEAD}), stopped_at=None)
    answered = [call(DEAD, 99.9), call(ALIVE, 160.0)]
    open_ = [call(DEAD, 100.1, mark="q000002", status="CANCELLED"), call(ALIVE, 160.0, mark="q000002")]
    # When they are judged
    accounts = account([*answered, *open_], [told])
    # Then only the open one is excused
    assert (accounts.extra, accounts.in_flight, accounts.unexplained) == (2, 1, 1)


def test_refused_calls_and_different_messages_are_not_paid_for_twice() -> None:
    # Given a refused call and its retry, another stage, and another message
    calls = [
        call(ALIVE, 99.0, status="RESOURCE_EXHAUSTED"),
        call(ALIVE, 99.9),
        call(ALIVE, 99.9, stage="interest"),
        call(ALIVE, 99.9, mark="q000002"),
    ]
    # When they are judged, then three were paid for, and needed
    accounts = account(calls)
    assert (accounts.seen, accounts.needed, accounts.unexplained) == (3, 3, 0)
