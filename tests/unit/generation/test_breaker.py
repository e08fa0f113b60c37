import pytest

from services.errors import ModelRejected
from services.generation.breaker import Breaker


def refusal(kind: str) -> ModelRejected:
    return ModelRejected("refused.", kind=kind, code=400, fix="Do this.")


@pytest.mark.parametrize("kind", ["model_not_found", "permission_denied", "unauthenticated"])
def test_a_lasting_refusal_opens_the_breaker_once(kind: str) -> None:
    # Given a closed breaker
    breaker = Breaker()
    # When two calls bring the same refusal
    opened = [breaker.open(refusal(kind)), breaker.open(refusal(kind))]
    # Then the first of them opened it, and the reason stays
    assert opened == [True, False]
    assert breaker.reason is not None
    assert breaker.reason.kind == kind


def test_a_refusal_of_one_request_does_not_open_it() -> None:
    # Given a closed breaker
    breaker = Breaker()
    # When a request is called invalid
    opened = breaker.open(refusal("invalid_request"))
    # Then the next one may be asked
    assert not opened
    assert breaker.reason is None
