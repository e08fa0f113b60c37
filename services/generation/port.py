"""What the content stages ask for, and what a provider of models must be able to do.

Two ports. `LanguageModel` faces the stages: a task goes in, a validated answer with its provenance comes out, or
an error. `Provider` faces the services: one call, one text, no retries, no judgement.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from services.generation.allowance import Allowance
from services.generation.rules import Problem

AnswerT = TypeVar("AnswerT", bound=BaseModel)

Mode = Literal["live", "fallback", "mock"]
"""Which part of the ladder answered: its top rung, a lower one, or the offline mock."""

Finish = Literal["stop", "max_tokens", "recitation", "blocked", "other"]


def no_problems(_answer: BaseModel) -> Sequence[Problem]:
    """The check of a task that has no rules beyond its answer type."""
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Mended:
    """An answer's JSON object after what could be repaired without guessing; `repairs` names what was, for logs."""

    data: Mapping[str, Any]
    repairs: tuple[str, ...] = ()


def nothing_to_mend(data: Mapping[str, Any]) -> Mended:
    """The mending of a task that takes answers as they are."""
    return Mended(data=data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task(Generic[AnswerT]):
    """One question to a model.

    `instructions` are the same for every request of a stage (so that providers can cache them); `prompt` is what
    differs. `choices` names fields of the answer that take nothing but the given texts (or null); a provider tells the
    service so where it can. `mend` repairs what a model has written before it is held to the answer type, `check`
    returns the rules of meaning that an answer breaks, none when it is good; their sentences are shown to the model
    when it is asked again. `offline` makes the answer without any model.

    `identity` is what the answer depends on, where that is less than the prompt: tasks of one stage with the same
    identity may share one paid answer. `resumes` says that an earlier attempt at the same request may have paid
    for an answer of any rung, which is then taken instead of asking a better one. `allowance` bounds what the whole
    message may take, over all its tasks.
    """

    stage: str
    prompt_version: str
    instructions: str
    prompt: str
    answer_type: type[AnswerT]
    max_output_tokens: int
    offline: Callable[[], AnswerT]
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mend: Callable[[Mapping[str, Any]], Mended] = nothing_to_mend
    check: Callable[[AnswerT], Sequence[Problem]] = no_problems
    identity: str | None = None
    resumes: bool = False
    allowance: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True, kw_only=True, slots=True)
class RungFailure:
    """Why a rung did not answer, in words fit for logs and results.

    `retry_after` is in how many seconds its model is asked again, where it is left alone until then.
    """

    kind: str
    code: int | None
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """How an answer came about. Tokens are None where nobody counted, `cost_usd` is None where no price is known.

    `attempts` counts calls on every rung that was tried, `error` is the reason of the best rung that did not
    answer, `latency_ms` runs from the first look for a paid answer to the answer.

    A `cached` answer was paid for before, by an earlier attempt, an equal task or another worker: its `cost_usd`
    is what this one took in vain before it was found, mostly 0, and `saved_usd` what the answer had cost.
    """

    mode: Mode
    provider: str
    model: str
    attempts: int
    latency_ms: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: bool = False
    cost_usd: float | None = None
    saved_usd: float | None = 0.0
    error: RungFailure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[AnswerT]):
    """A validated answer. `data` is None only when the model's safety filter blocked it; `blocked_by` says which.

    `repairs` names what was mended in it when it came; an answer that was paid for before comes mended.
    """

    data: AnswerT | None
    provenance: Provenance
    blocked_by: str | None = None
    repairs: tuple[str, ...] = ()


class LanguageModel(Protocol):
    """Answers tasks."""

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        """Answer the task. Raises `NoModelAnswered`, or `RequestFailed` when no rung failed for another reason."""
        ...


class PaidAnswers(Protocol):
    """Answers that were paid for, under content keys. Documents are flat, of JSON-like values and aware datetimes.

    Their field `expires_at` says until when they hold. Both methods raise `StoreUnavailable`; `keep` raises
    `PermanentError` for a document that the store will never take.
    """

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Those that are there and have not expired, by key."""
        ...

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        """Store one; the same key holds the same answer, so that writing twice does no harm."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRef:
    """One entry of a ladder, written `provider:model@location`; the location is optional."""

    provider: str
    model: str
    location: str | None = None

    def __str__(self) -> str:
        at = f"@{self.location}" if self.location else ""
        return f"{self.provider}:{self.model}{at}" if self.model else self.provider


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `output_tokens` includes thinking, `input_tokens` includes cached ones."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What one call brought back: the text as it is, or which filter blocked it."""

    text: str
    finish: Finish
    usage: Usage | None = None
    blocked_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """An earlier answer to the same task and what was wrong with it, for asking again."""

    text: str
    problems: Sequence[str]


class Provider(Protocol):
    """A service that completes prompts."""

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        """Make one call of at most `timeout` seconds. Raises `ModelUnavailable` or `ModelRejected`, nothing else.

        After an `unauthenticated` one the next call has new credentials, where they can be had.
        """
        ...
