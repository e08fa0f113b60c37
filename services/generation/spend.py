"""Adds up what calls took, keeping unknown apart from nothing."""

from dataclasses import dataclass


def _sum(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left + right


@dataclass(frozen=True, kw_only=True, slots=True)
class Spend:
    """Calls, tokens and US dollars. None means that some call was not counted or has no known price.

    Calls that brought nothing back add no tokens and no cost.
    """

    calls: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cost_usd: float | None = 0.0

    def __add__(self, other: "Spend") -> "Spend":
        tokens_in, tokens_out = (
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )
        return Spend(
            calls=self.calls + other.calls,
            input_tokens=None if tokens_in is None else int(tokens_in),
            output_tokens=None if tokens_out is None else int(tokens_out),
            cost_usd=_sum(self.cost_usd, other.cost_usd),
        )
