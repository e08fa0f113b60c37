"""Sums of what calls took, and how they are told."""

import pytest

from services.generation.spend import Spend, cost_facts, in_dollars

CENT, UNKNOWN = Spend(calls=1, cost_usd=0.01), Spend(calls=1, cost_usd=None)


@pytest.mark.parametrize(
    ("spend", "cost", "least"),
    [
        (Spend(), 0.0, 0.0),
        (CENT + CENT, 0.02, 0.02),
        (UNKNOWN, None, 0.0),
        (UNKNOWN + CENT, None, 0.01),
        (CENT + UNKNOWN, None, 0.01),
        ((CENT + UNKNOWN) + (UNKNOWN + CENT), None, 0.02),
        (CENT + UNKNOWN + CENT, None, 0.02),
    ],
)
def test_an_unknown_price_makes_the_sum_unknown_but_not_what_is_known_of_it(
    spend: Spend, cost: float | None, least: float
) -> None:
    assert (spend.cost_usd, spend.least_usd) == (cost, least)


@pytest.mark.parametrize(
    ("spend", "told", "is_complete", "line"),
    [
        (Spend(), 0.0, True, "$0.0000"),
        (CENT, 0.01, True, "$0.0100"),
        (UNKNOWN, None, False, "at least $0.0000"),
        (UNKNOWN + CENT, 0.01, False, "at least $0.0100"),
    ],
)
def test_what_is_known_is_told_and_an_unknown_price_is_never_nothing(
    spend: Spend, told: float | None, is_complete: bool, line: str
) -> None:
    assert cost_facts(spend) == {"cost_usd": told, "cost_is_complete": is_complete}
    assert in_dollars(spend) == line
