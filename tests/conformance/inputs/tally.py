"""What came of all inputs: counts, promises that were broken, and a few examples of each."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES, EXAMPLE_CHARACTERS = 5, 400

PROMISES = {
    "crashes": "bugs that the worker met",
    "lost": "messages without a result and without a dead letter",
    "unanswered": "accepted messages that were given up although the ladder ends with the mock",
    "left": "messages that are still in the queue",
    "changed": "dead letters whose bytes or attributes are not the message's",
    "without reason": "refused messages that do not say which rule they break",
    "misjudged": "messages that were accepted against the rules, or refused in keeping with them",
    "leaks": "places where an input is quoted",
    "showing": "results that cannot be shown, or tell a terminal what to do",
    "contacts": "calls to a model that carry the e-mail address of a student",
    "outside": "calls to a model in which somebody's words stand outside the data",
}


@dataclass(kw_only=True, slots=True)
class Tally:
    """The inputs of one kind of run. `broken` counts by promise."""

    inputs: int = 0
    accepted: int = 0
    calls: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken.total()

    def breach(self, promise: str, seen: str) -> None:
        """Count one broken promise."""
        self.broken[promise] += 1
        examples = self.examples.setdefault(promise, [])
        example = seen[:EXAMPLE_CHARACTERS]
        if len(examples) < EXAMPLES and example not in examples:
            examples.append(example)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, with a 0 for each promise that was kept."""
        return {
            "inputs": self.inputs,
            "accepted": self.accepted,
            "refused": dict(self.refused.most_common()),
            "answers": dict(self.answers.most_common()),
            "given up": dict(self.given_up.most_common()),
            "calls": self.calls,
            "broken": {promise: self.broken[promise] for promise in PROMISES},
            "examples": self.examples,
        }
