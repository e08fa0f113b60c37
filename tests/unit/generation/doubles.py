"""A provider that plays a script, tasks to ask it, rungs whose pauses take no time, and paid answers in memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.errors import ModelRejected, ModelUnavailable
from services.generation.ladder import Ladder
from services.generation.port import AnswerT, Completion, ModelRef, PaidAnswers, Rejection, Task, Usage
from services.generation.providers.mock import MockProvider
from services.generation.refusals import Refusals
from services.generation.retry import Retry, RetrySettings
from services.generation.rules import Problem, Severity
from services.generation.rung import Rung

BEST = ModelRef(provider="vertex", model="gemini-3.8-flash", location="global")
SECOND = ModelRef(provider="vertex", model="gemini-3.5-flash-lite", location="global")
MOCK = ModelRef(provider="mock", model="")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MARKER = "zebra-crossing-4711"
"""Stands in every prompt and must never be found in an error or a log."""


class Part(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    title: str = Field(min_length=1, max_length=20)


class Lesson(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    title: str = Field(min_length=1, max_length=40)
    grade: int = Field(ge=1, le=12)
    parts: list[Part] = Field(default_factory=list, max_length=3)


def lesson_task(**changes: object) -> Task[Lesson]:
    values: dict[str, object] = {
        "stage": "script",
        "prompt_version": "1",
        "instructions": "Write a lesson.",
        "prompt": f"Explain the {MARKER}.",
        "answer_type": Lesson,
        "max_output_tokens": 1000,
        "offline": lambda: Lesson(title="Offline", grade=5),
    }
    return Task(**{**values, **changes})  # type: ignore[arg-type]  # a builder for tests


def broken(
    rule: str = "parts", *, severity: Severity = "unusable", badness: float = 1.0, sentence: str = "Mend it."
) -> Problem:
    return Problem(rule=rule, sentence=sentence, severity=severity, badness=badness)


def good(text: str = '{"title": "Light", "grade": 5}', *, tokens: tuple[int, int] = (100, 50)) -> Completion:
    return Completion(text=text, finish="stop", usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]))


def busy(retry_after: float | None = None) -> ModelUnavailable:
    return ModelUnavailable("busy (503)", kind="unavailable", code=503, retry_after=retry_after)


def gone() -> ModelRejected:
    return ModelRejected("not found.", kind="model_not_found", code=404, fix="Set WORKER_MODELS.")


def malformed() -> ModelRejected:
    return ModelRejected("called invalid (400).", kind="invalid_request", code=400, fix="Change it.")


@dataclass(frozen=True, kw_only=True)
class Call:
    task: Task[BaseModel]
    model: ModelRef
    rejection: Rejection | None
    timeout: float


class ScriptedProvider:
    """Plays its outcomes in order; the last one repeats for ever."""

    def __init__(self, *outcomes: Completion | Exception) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[Call] = []

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        self.calls.append(Call(task=task, model=model, rejection=rejection, timeout=timeout))  # type: ignore[arg-type]  # only looked at
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        # Lets every other call start first, as a network does.
        await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass
class Pauses:
    """Records pauses instead of making them; jitter takes the given share of its range."""

    share: float = 1.0
    seconds: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def uniform(self, low: float, high: float) -> float:
        return low + self.share * (high - low)


@dataclass
class Clock:
    """A clock that stands still until somebody moves it."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_cent(ref: ModelRef, usage: Usage, at: datetime) -> float | None:
    return 0.0 if ref.provider == "mock" else 0.01


def rung(
    provider: ScriptedProvider,
    ref: ModelRef = BEST,
    *,
    refusals: Refusals | None = None,
    pauses: Pauses | None = None,
    settings: RetrySettings | None = None,
    price: object = a_cent,
) -> Rung:
    pauses = pauses or Pauses()
    retry = Retry(settings or RetrySettings(), sleep=pauses.sleep, uniform=pauses.uniform)
    return Rung(
        provider,
        ref,
        refusals=refusals or Refusals(ref, now=lambda: NOON, uniform=pauses.uniform),
        retry=retry,
        price=price,  # type: ignore[arg-type]  # tests pass functions of the right shape
        now=lambda: NOON,
    )


def mock_rung() -> Rung:
    return rung(MockProvider(), MOCK)  # type: ignore[arg-type]  # a real provider is as good as a scripted one


class MemoryAnswers:
    """Paid answers in a dictionary. `before` is called with the method's name, to raise or to interfere."""

    def __init__(self, before: Callable[[str], None] = lambda _method: None) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.finds: list[list[str]] = []
        self.before = before

    async def find(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        self.finds.append(list(keys))
        self.before("find")
        await asyncio.sleep(0)
        return {key: self.documents[key] for key in keys if key in self.documents}

    async def keep(self, key: str, document: Mapping[str, Any]) -> None:
        self.before("keep")
        await asyncio.sleep(0)
        self.documents[key] = dict(document)


def ladder(*rungs: Rung, paid: PaidAnswers | None = None, stage: str = "script", **options: Any) -> Ladder:
    answers = MemoryAnswers() if paid is None else paid
    return Ladder(
        {stage: rungs}, paid=answers, answer_lifetime=timedelta(days=30), now=lambda: NOON, **options
    )
