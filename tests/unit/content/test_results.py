"""Modes and costs of a result are the worst and the sum of its stages'."""

import pytest

from services.content.failures import total_cost
from services.content.models import Mode
from services.content.results import lowest_mode


@pytest.mark.parametrize(
    ("modes", "lowest"),
    [
        (["live", "live", "live"], "live"),
        (["live", "fallback", "live"], "fallback"),
        (["fallback", "live", "mock"], "mock"),
        ([], "live"),
    ],
)
def test_the_mode_is_the_lowest_rung_of_any_stage(modes: list[Mode], lowest: Mode) -> None:
    assert lowest_mode(modes) == lowest


def test_costs_add_up() -> None:
    assert total_cost([0.001, 0.002, 0.0]) == pytest.approx(0.003)
    assert total_cost([]) == 0


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    assert total_cost([0.001, None]) is None
