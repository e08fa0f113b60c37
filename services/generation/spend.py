"""Adds up what calls took, keeping unknown apart from nothing."""

from dataclasses import dataclass


def rounded_usd(usd: float) -> float:
    """US dollars as they are stored and told: to a millionth of a cent, far below any price of a call."""
    return round(usd, 8)


def _sum(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left + right


@dataclass(frozen=True, kw_only=True, slots=True)
class Spend:
    """Calls, tokens and US dollars. None means that some call was not counted or has no known price.

    Calls that brought nothing back add no tokens and no cost. `beside_unknown_usd` is what calls of known price cost
    beside those of unknown price, and 0 while `cost_usd` is known.
    """

    calls: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cost_usd: float | None = 0.0
    beside_unknown_usd: float = 0.0

    @property
    def least_usd(self) -> float:
        """US dollars that were spent at least: all of them where `cost_usd` is known."""
        return self.beside_unknown_usd if self.cost_usd is None else self.cost_usd

    def __add__(self, other: "Spend") -> "Spend":
        tokens_in, tokens_out = (
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )
        cost = _sum(self.cost_usd, other.cost_usd)
        return Spend(
            calls=self.calls + other.calls,
            input_tokens=None if tokens_in is None else int(tokens_in),
            output_tokens=None if tokens_out is None else int(tokens_out),
            cost_usd=cost,
            beside_unknown_usd=self.least_usd + other.least_usd if cost is None else 0.0,
        )


def cost_facts(spend: Spend) -> dict[str, float | bool | None]:
    """What was spent, as log lines tell it: what is known of it, and None rather than 0 where nothing is."""
    is_complete = spend.cost_usd is not None
    known = rounded_usd(spend.least_usd)
    return {"cost_usd": known if is_complete or known else None, "cost_is_complete": is_complete}


def in_dollars(spend: Spend) -> str:
    """What was spent, for people: "at least" as soon as one price is unknown."""
    at_least = "" if spend.cost_usd is not None else "at least "
    return f"{at_least}${spend.least_usd:.4f}"
