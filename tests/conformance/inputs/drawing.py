"""Draws inputs in batches: the same seed gives the same inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from tests.conformance.inputs.sample import Input, numbered
from tests.conformance.inputs.strategies import inputs

BATCH = 500


def batches(count: int, *, seed: int, size: int = BATCH) -> Iterator[list[Input]]:
    """`count` inputs, `size` at a time; each has a number of its own."""
    for first in range(0, count, size):
        drawn = _drawn(min(size, count - first), seed=seed + first)
        yield [numbered(one, number) for number, one in enumerate(drawn, start=first)]


def _drawn(count: int, *, seed: int) -> list[Input]:
    found: list[Input] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(inputs())
    def collect(one: Input) -> None:
        found.append(one)

    with _nothing_but_the_seed():
        collect()
    return found[:count]


@contextmanager
def _nothing_but_the_seed() -> Iterator[None]:
    """Hypothesis also draws what it reads in the modules that are loaded.

    Then a seed would mean something else after every change of the code, and with it the input that a change is for.
    """
    nothing = Constants()
    with (
        patch.object(providers, "_get_local_constants", lambda: nothing),
        patch.object(providers, "CONSTANTS_CACHE", LRUCache(1024)),
    ):
        yield
