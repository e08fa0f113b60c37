"""Every way in which work can end has one settlement."""

import pytest

from services.content.failures import failure
from services.content.fulfilment import AlreadyFinished, Failed, Outcome, OwnedElsewhere, Stored
from services.errors import (
    ClaimLost,
    ConfigurationError,
    ContentWorkerError,
    ModelUnavailable,
    QueueUnavailable,
    StoreUnavailable,
)
from tests.builders import NOON
from worker.settlement import Action, retry_delay_seconds, settle_error, settle_outcome

FAILURE = failure(stage="script", kind="invalid_json", message="no JSON", now=NOON)


@pytest.mark.parametrize(
    ("outcome", "action"),
    [
        (Stored(document={}), Action.ACK),
        (AlreadyFinished(), Action.ACK),
        (OwnedElsewhere(until=NOON), Action.HOLD),
        (Failed(failure=FAILURE, attempts=4, cost_usd=0.0, hopeless=False), Action.RETRY),
        (Failed(failure=FAILURE, attempts=5, cost_usd=0.0, hopeless=True), Action.DEAD_LETTER),
    ],
)
def test_an_outcome_has_one_settlement(outcome: Outcome, action: Action) -> None:
    assert settle_outcome(outcome).action is action


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("busy"),
        StoreUnavailable("gone"),
        QueueUnavailable("gone"),
        ClaimLost("taken"),
        ConfigurationError("wrong", fix="mend it"),
    ],
)
def test_an_error_that_puts_a_request_off_is_retried(error: ContentWorkerError) -> None:
    settlement = settle_error(error)
    assert settlement.action is Action.RETRY
    assert (settlement.reason, settlement.detail) == (error.kind, error.message)


def test_no_error_of_the_tree_is_ever_acked() -> None:
    # Given every class of the tree, also ones that a later change adds
    def all_below(kind: type[ContentWorkerError]) -> set[type[ContentWorkerError]]:
        return {kind}.union(*(all_below(below) for below in kind.__subclasses__()))

    for kind in all_below(ContentWorkerError):
        error = kind.__new__(kind)
        vars(error).update(message="told", fix="mended")
        # Then none of them ends as if a result were stored
        assert settle_error(error).action in (Action.RETRY, Action.DEAD_LETTER), kind


@pytest.mark.parametrize(
    ("attempt", "shortest", "longest"), [(0, 10, 10), (1, 10, 10), (2, 10, 20), (4, 10, 80), (99, 10, 600)]
)
def test_retries_wait_exponentially_longer_within_what_a_lease_can_last(
    attempt: int, shortest: int, longest: int
) -> None:
    assert retry_delay_seconds(attempt, uniform=lambda low, _high: low) == shortest
    assert retry_delay_seconds(attempt, uniform=lambda _low, high: high) == longest
