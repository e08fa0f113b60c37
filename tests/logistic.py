"""Fitting small logistic models without a numerical library: Newton's method, and gradient steps for many words."""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Vector = Sequence[float]

LONGEST_STEP, SMALLEST_STEP = 1.0, 1e-5
"""A step of Newton's method may not jump out of the region in which it converges; below the other one it is done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Some options of which at least one is right, and how much the example counts."""

    options: Sequence[Vector]
    right: Sequence[bool]
    weight: float = 1.0


def fit_choices(choices: Sequence[Choice], *, ridge: float = 1.0, steps: int = 40) -> list[float]:
    """Weights by which right options get the highest sums (conditional logit)."""
    size = len(choices[0].options[0])
    weights = [0.0] * size
    for _ in range(steps):
        slope = [-ridge * weight for weight in weights]
        curve = [[ridge * (row == column) for column in range(size)] for row in range(size)]
        for choice in choices:
            chances = _softmax([_dot(weights, option) for option in choice.options])
            hit = sum(chance for chance, right in zip(chances, choice.right, strict=True) if right)
            wanted = [
                chance / hit if right else 0.0 for chance, right in zip(chances, choice.right, strict=True)
            ]
            mean = _mean(chances, choice.options)
            aim = _mean(wanted, choice.options)
            for place in range(size):
                slope[place] += choice.weight * (aim[place] - mean[place])
            for chance, option in zip(chances, choice.options, strict=True):
                _add_outer(curve, [a - b for a, b in zip(option, mean, strict=True)], choice.weight * chance)
        move, longest = _bounded(_solve(curve, slope), LONGEST_STEP)
        weights = [weight + step for weight, step in zip(weights, move, strict=True)]
        if longest < SMALLEST_STEP:
            break
    return weights


def fit_classes(
    rows: Sequence[Vector],
    classes: Sequence[int],
    *,
    count: int,
    ridge: float = 1.0,
    steps: int = 40,
) -> list[list[float]]:
    """Weights of classes 0 to `count` - 2; the last class's are 0 (multinomial logit). The first value is the bias."""
    size = len(rows[0])
    free = count - 1
    weights = [0.0] * (free * size)
    for _ in range(steps):
        slope = [-ridge * weight if place % size else 0.0 for place, weight in enumerate(weights)]
        curve = [
            [(ridge if row % size else 1e-6) * (row == column) for column in range(free * size)]
            for row in range(free * size)
        ]
        for values, actual in zip(rows, classes, strict=True):
            sums = [_dot(weights[c * size : (c + 1) * size], values) for c in range(free)]
            chances = _softmax([*sums, 0.0])
            for c in range(free):
                off = (actual == c) - chances[c]
                for place, value in enumerate(values):
                    slope[c * size + place] += off * value
                factors = [chances[c] * ((c == other) - chances[other]) for other in range(free)]
                _add_products(curve[c * size : (c + 1) * size], values, factors)
        move, longest = _bounded(_solve(curve, slope), LONGEST_STEP)
        weights = [weight + step for weight, step in zip(weights, move, strict=True)]
        if longest < SMALLEST_STEP:
            break
    return [weights[c * size : (c + 1) * size] for c in range(free)]


def fit_words(
    texts: Sequence[Sequence[str]],
    labels: Sequence[bool],
    *,
    weights_of: Sequence[float],
    rounds: int = 40,
    rate: float = 0.3,
    ridge: float = 0.02,
) -> Mapping[str, float]:
    """A weight for every word (AdaGrad in a fixed order, so the same every time)."""
    weights: dict[str, float] = defaultdict(float)
    squares: dict[str, float] = defaultdict(lambda: 1e-3)
    order = list(range(len(texts)))
    shuffled = random.Random(0)
    for _ in range(rounds):
        shuffled.shuffle(order)
        for number in order:
            words = texts[number]
            total = max(-30.0, min(30.0, sum(weights[word] for word in words)))
            off = (labels[number] - 1 / (1 + math.exp(-total))) * weights_of[number]
            for word in words:
                step = off - ridge * weights[word] * abs(off)
                squares[word] += step * step
                weights[word] += rate * step / math.sqrt(squares[word])
    return weights


def _bounded(move: Sequence[float], most: float) -> tuple[list[float], float]:
    """The step, shortened where it is too long, and how long it is."""
    longest = max(map(abs, move))
    return [min(1.0, most / longest) * step if longest else step for step in move], longest


def _softmax(sums: Vector) -> list[float]:
    highest = max(sums)
    raised = [math.exp(one - highest) for one in sums]
    total = sum(raised)
    return [one / total for one in raised]


def _dot(first: Vector, second: Vector) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def _mean(chances: Vector, options: Sequence[Vector]) -> list[float]:
    return [_dot(chances, column) for column in zip(*options, strict=True)]


def _add_outer(curve: list[list[float]], values: Vector, factor: float) -> None:
    for line, value in zip(curve, values, strict=True):
        if value:
            for column, second in enumerate(values):
                line[column] += factor * value * second


def _add_products(lines: Sequence[list[float]], values: Vector, factors: Vector) -> None:
    """Add the products of all pairs of values, once a factor beside each other."""
    for line, value in zip(lines, values, strict=True):
        if value:
            for column, product in enumerate(
                factor * value * other for factor in factors for other in values
            ):
                line[column] += product


def _solve(matrix: Sequence[Vector], right: Vector) -> list[float]:
    """The solution of a linear system, by elimination with pivots."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for step in range(size):
        pivot = max(range(step, size), key=lambda row: abs(rows[row][step]))
        rows[step], rows[pivot] = rows[pivot], rows[step]
        for below in rows[step + 1 :]:
            factor = below[step] / rows[step][step]
            if factor:
                for column in range(step, size + 1):
                    below[column] -= factor * rows[step][column]
    found = [0.0] * size
    for step in reversed(range(size)):
        known = sum(rows[step][column] * found[column] for column in range(step + 1, size))
        found[step] = (rows[step][size] - known) / rows[step][step]
    return found
