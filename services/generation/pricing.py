"""What a call costs, from the price list of the `genai-prices` package.

The list ships with the package, knows prices that change on a date, and needs no network: its updater, which
fetches a newer list from GitHub, is never started here. Its own authors call it an estimate; it is good for
budgets and reports, not for invoices.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache

from services.generation.port import ModelRef, Usage

# Vertex AI charges a tenth more for these at any endpoint but the global one (price maps of public projects,
# 2026-11-20). genai-prices does not know it.
NON_GLOBAL_UPLIFT = 1.1
UPLIFTED = frozenset(
    {"gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash", "gemini-4-argon"}
)
_PUBLISHERS = {"vertex": "google"}
_VERSION = re.compile(r"-\d{3}")
_SAMPLE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """US dollars for one token of each kind."""

    fresh_input: float
    cached_input: float
    output: float


def price(ref: ModelRef, usage: Usage, at: datetime) -> float | None:
    """US dollars for a call made at that (timezone-aware) moment; None where no price is known."""
    if ref.provider == "mock":
        return 0.0
    publisher = _PUBLISHERS.get(ref.provider)
    model = _short_name(ref)
    rates = _rates(publisher, model, at.astimezone(UTC).date()) if publisher else None
    if rates is None:
        return None
    fresh_tokens = usage.input_tokens - usage.cached_input_tokens
    listed = (
        fresh_tokens * rates.fresh_input
        + usage.cached_input_tokens * rates.cached_input
        + usage.output_tokens * rates.output
    )
    return listed * _uplift(ref)


def usual_price(
    ladders: Mapping[str, Sequence[ModelRef]], usages: Mapping[str, Usage], at: datetime
) -> float | None:
    """US dollars for one call a stage at the dearest rung of its ladder; None when one of them has no known price."""
    prices = [[price(ref, usages[stage], at) for ref in ladder] for stage, ladder in ladders.items()]
    dearest = [max((one for one in stage if one is not None), default=0.0) for stage in prices]
    return None if any(None in stage for stage in prices) else sum(dearest)


# Asking the list takes 0.1 ms of CPU, three times a message, so it is asked once a model and day. Models that are
# dearer for prompts over 200,000 tokens get their lower price: no prompt here comes near.
@lru_cache(maxsize=128)
def _rates(publisher: str, model: str, day: date) -> Rates | None:
    # Importing the list takes 0.2 s of CPU: spent on the first answer that has a price, not before the first pull.
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    def each(tokens: Tokens) -> float:
        at = datetime.combine(day, time(), UTC)
        found = calc_price(tokens, model, provider_id=publisher, genai_request_timestamp=at)
        if not _is_same_model(model, found.model.id):
            raise LookupError(model)
        return float(found.total_price) / _SAMPLE

    try:
        return Rates(
            fresh_input=each(Tokens(input_tokens=_SAMPLE)),
            cached_input=each(Tokens(input_tokens=_SAMPLE, cache_read_tokens=_SAMPLE)),
            output=each(Tokens(output_tokens=_SAMPLE)),
        )
    except LookupError:
        return None


def _is_same_model(asked: str, priced: str) -> bool:
    """The list matches by prefix: an unknown `…-flash-lite` would silently get the price of `…-flash`."""
    return asked == priced or (
        asked.startswith(priced) and _VERSION.fullmatch(asked[len(priced) :]) is not None
    )


def _uplift(ref: ModelRef) -> float:
    is_global = ref.location in (None, "global")
    return NON_GLOBAL_UPLIFT if _short_name(ref) in UPLIFTED and not is_global else 1.0


def _short_name(ref: ModelRef) -> str:
    """The list knows models by the last part of their full names."""
    return ref.model.rpartition("/")[2]
