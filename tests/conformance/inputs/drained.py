"""What is there once a worker has drained a batch of inputs, wherever it ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.messaging.port import Delivery


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One call to a model. `problems` is what it was told when it was asked again."""

    stage: str
    instructions: str
    prompt: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """`ids` are those of the messages, in the order of the inputs; `letters` and `documents` what the worker wrote.

    `events` were logged, `printed` is the summary. `noise` is what else there was to complain of, `left` how many
    messages are still in the queue, `asked` what models heard.
    """

    ids: Sequence[str]
    ending: str
    bugs: int
    printed: str
    events: Sequence[Mapping[str, Any]]
    noise: Sequence[str]
    left: int
    letters: Sequence[Delivery]
    documents: Mapping[str, Mapping[str, Any]]
    asked: Sequence[Asked]
