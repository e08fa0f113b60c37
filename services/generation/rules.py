"""The three classes of rules that an answer can break, and what each of them means for the answer.

| class | what breaks it | asked again | used |
| --- | --- | --- | --- |
| `unsafe` | it shows what must not be shown | once, then the next rung | never |
| `unusable` | there is nothing in it to use | once, then the next rung | never |
| `imperfect` | all is there, but not all is as asked for | once | the better of the two |

Which rule belongs to which class is stated where the rules of the answers are: in `services/content/rules.py` for what
answers say, in `services/generation/answers.py` for how they arrive (all of these are unusable).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["unsafe", "unusable", "imperfect"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One rule that an answer breaks.

    `rule` is its name, fit for logs and results; `sentence` is for the model and may quote the task. `badness` is 1 for
    a rule that is just broken and grows with how far it is, so that two imperfect answers can be compared.
    """

    rule: str
    sentence: str
    severity: Severity
    badness: float = 1.0


def is_usable(problems: Iterable[Problem]) -> bool:
    """Whether an answer with these problems may be used: they are imperfections, all of them."""
    return all(problem.severity == "imperfect" for problem in problems)


def badness(problems: Iterable[Problem]) -> float:
    """How far an answer is from what was asked for; 0 when it is good."""
    return sum(problem.badness for problem in problems)


def names(problems: Iterable[Problem]) -> list[str]:
    """The names of the rules, each once, in the order in which they were found broken."""
    return list(dict.fromkeys(problem.rule for problem in problems))
