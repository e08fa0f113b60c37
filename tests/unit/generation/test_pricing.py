import subprocess
import sys
from datetime import UTC, datetime

import pytest

from services.generation.port import ModelRef, Usage
from services.generation.pricing import price

IN_2026 = datetime(2026, 11, 20, tzinfo=UTC)
IN_2027 = datetime(2027, 1, 1, 12, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def vertex(model: str, location: str | None = "global") -> ModelRef:
    return ModelRef(provider="vertex", model=model, location=location)


@pytest.mark.parametrize(
    ("ref", "at", "expected"),
    [
        (vertex("gemini-3.8-flash"), IN_2026, 0.75 + 3.75),
        (vertex("gemini-3.8-flash", None), IN_2026, 0.75 + 3.75),
        (vertex("gemini-3.8-flash"), IN_2027, 1.50 + 7.50),
        (vertex("gemini-3.8-flash", "eu"), IN_2026, 1.1 * (0.75 + 3.75)),
        (vertex("gemini-3.5-flash-lite"), IN_2026, 0.30 + 2.50),
        (vertex("gemini-3.5-flash-lite", "us"), IN_2026, 1.1 * (0.30 + 2.50)),
        (vertex("gemini-3.5-flash", "europe-west4"), IN_2026, 1.50 + 9.00),
        (vertex("gemini-2.0-flash-001"), IN_2026, 0.10 + 0.40),
        (ModelRef(provider="mock", model=""), IN_2026, 0.0),
    ],
)
def test_a_price_depends_on_model_place_and_day(ref: ModelRef, at: datetime, expected: float) -> None:
    # Given a million tokens in and out
    # When they are priced
    cost = price(ref, MILLION, at)
    # Then it is the list price of that day, with the uplift where it applies
    assert cost == pytest.approx(expected)


def test_cached_tokens_are_cheaper() -> None:
    # Given a prompt of which most was cached
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_input_tokens=800_000)
    # When it is priced
    cost = price(vertex("gemini-3.8-flash"), usage, IN_2026)
    # Then the cached part costs a tenth
    assert cost == pytest.approx(0.2 * 0.75 + 0.8 * 0.075)


@pytest.mark.parametrize(
    "ref",
    [
        vertex("gemini-9-nova"),
        vertex("gemini-3.8-flash-lite"),
        vertex("endpoints/12345"),
        ModelRef(provider="elsewhere", model="gemini-3.8-flash"),
    ],
)
def test_an_unknown_price_is_none_and_never_a_guess(ref: ModelRef) -> None:
    # Given a model that the list does not have, though it may begin like one that it has
    # When it is priced
    cost = price(ref, MILLION, IN_2026)
    # Then nobody knows
    assert cost is None


def test_the_price_list_is_not_loaded_with_the_module() -> None:
    # Given a fresh process
    script = "import sys, services.generation.ladder; sys.exit('genai_prices' in sys.modules)"
    # When the ladder is imported
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    # Then the list is not there yet
    assert done.returncode == 0
