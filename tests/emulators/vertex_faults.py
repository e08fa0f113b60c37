"""The script of faults: which calls go wrong, and how.

Rules are tried in order and the first one that applies decides; without one the call is answered. In JSON:

    {"rules": [
        {"stage": "script", "times": 2, "status": "UNAVAILABLE", "retry_after_seconds": 1.5},
        {"model": "gemini-3\\\\.8-.*", "error": "retired"},
        {"quota_per_second": 20, "burst": 5},
        {"probability": 0.1, "answer": "fenced"},
        {"latency_seconds": [0.1, 0.4]}
    ], "seed": 7}
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    model_validator,
)

from services.generation.providers.vertex_stubs import content, prediction_service
from tests.emulators.vertex_calls import STAGES, Call
from tests.emulators.vertex_errors import STATUS_NAMES, ErrorName, Refusal, known_error, plain_error

AnswerFault = Literal["truncated", "fenced", "not_json", "schema_invalid", "empty_text", "no_candidates"]

_FINISH_REASONS = content.Candidate.FinishReason.__members__
_BLOCK_REASONS = prediction_service.GenerateContentResponse.PromptFeedback.BlockedReason.__members__


def _status(name: str) -> str:
    if name not in STATUS_NAMES:
        raise ValueError(f"{name!r} is no gRPC status; use one of {', '.join(STATUS_NAMES)}")
    return name


def _finish_number(value: str | int) -> int:
    return value if isinstance(value, int) else _number(value, _FINISH_REASONS)


def _block_number(value: str | int) -> int:
    return value if isinstance(value, int) else _number(value, _BLOCK_REASONS)


def _number(name: str, members: Mapping[str, int]) -> int:
    if name not in members:
        raise ValueError(f"{name!r} is unknown; use a number or one of {', '.join(members)}")
    return int(members[name])


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is no regular expression: {exc}") from exc
    return text


class ErrorInfo(BaseModel):
    """The machine-readable cause that travels with a status."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    domain: str = "googleapis.com"
    metadata: dict[str, str] = Field(default_factory=dict)


class Rule(BaseModel):
    """One fault. The first group of fields says for which calls, the second one what happens.

    A rule refuses (`error`, `status`, `quota_per_second`), hangs, or answers (`text`, `answer`,
    `finish_reason`, `block_reason`, or nothing of all this: a good answer). `latency_seconds` goes with each of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GenerateContent", "StreamGenerateContent", "CountTokens"] | None = None
    stage: str | None = Field(default=None, description="nlu, interest, script, or the title of any schema")
    model: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None, description="regular expression for the whole model name, for example gemini-3.*"
    )
    location: str | None = None
    prompt: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None, description="regular expression that is found somewhere in the prompt"
    )
    after: int = Field(default=0, ge=0, description="let this many matching calls pass first")
    times: int | None = Field(default=None, ge=1, description="act this many times, then never again")
    probability: float = Field(default=1.0, ge=0, le=1)

    latency_seconds: NonNegativeFloat | tuple[NonNegativeFloat, NonNegativeFloat] | None = Field(
        default=None, description="a number, or a range [from, to]; replaces the emulator's own latency"
    )
    error: ErrorName | None = Field(
        default=None, description="an error of the real service by its short name"
    )
    status: Annotated[str, AfterValidator(_status)] | None = None
    message: str | None = Field(default=None, description="replaces the usual wording of `error` or `status`")
    error_info: ErrorInfo | None = None
    retry_after_seconds: NonNegativeFloat | None = None
    quota_per_second: PositiveFloat | None = Field(
        default=None, description="calls above this rate get 429; the rule does not apply to the others"
    )
    burst: int = Field(default=1, ge=1, description="calls that a rested quota lets through at once")
    hang: bool = Field(default=False, description="never answer; the caller's deadline ends the call")
    text: str | None = Field(default=None, description="answer exactly this")
    answer: AnswerFault | None = None
    finish_reason: Annotated[int | str, AfterValidator(_finish_number)] | None = None
    block_reason: Annotated[int | str, AfterValidator(_block_number)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_fault(self) -> Self:
        answers = (self.text, self.answer, self.finish_reason, self.block_reason)
        kinds = {
            "error": self.error is not None,
            "status": self.status is not None,
            "quota_per_second": self.quota_per_second is not None,
            "hang": self.hang,
            "text, answer, finish_reason or block_reason": any(value is not None for value in answers),
        }
        named = [name for name, present in kinds.items() if present]
        if len(named) > 1:
            raise ValueError(
                f"a rule does one thing; this one has {' and '.join(named)}: split it into two rules"
            )
        return self

    def refusal(self, call: Call) -> Refusal | None:
        """How this rule refuses the call; None when it lets it be answered."""
        if self.error is not None:
            base = known_error(self.error, model_path=call.path)
        elif self.quota_per_second is not None:
            base = known_error("quota", model_path=call.path)
        elif self.status is not None:
            base = plain_error(self.status)
        else:
            return None
        info = self.error_info or ErrorInfo(
            reason=base.reason, domain=base.domain, metadata=dict(base.metadata)
        )
        return Refusal(
            code=base.code,
            message=self.message or base.message,
            reason=info.reason,
            domain=info.domain,
            metadata=info.metadata,
            retry_after_seconds=self.retry_after_seconds,
        )


class Faults(BaseModel):
    """A whole script. `seed` fixes what probabilities and latency ranges give.

    `reject_sampling` turns temperature, top_p and top_k into a 400 on the models that fix them; the real service
    has been seen to do that, and to ignore them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(default_factory=list)
    seed: int = 0
    reject_sampling: bool = False


class FaultPlayer:
    """Plays one script: keeps what its rules have counted so far."""

    def __init__(self, faults: Faults, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.faults = faults
        self._plays = [_Play(rule, f"{faults.seed}:{i}", clock) for i, rule in enumerate(faults.rules)]

    def next(self, call: Call) -> tuple[Rule, float | None] | None:
        """The rule that decides this call, with its latency in seconds; None when no rule applies."""
        for play in self._plays:
            if play.applies(call):
                return play.rule, play.latency()
        return None


class _Play:
    """One rule being played. It has its own generator, so that rules do not disturb each other's luck."""

    def __init__(self, rule: Rule, seed: str, clock: Callable[[], float]) -> None:
        self.rule = rule
        self._stage = STAGES.get(rule.stage or "", rule.stage)
        self._model = re.compile(rule.model) if rule.model is not None else None
        self._prompt = re.compile(rule.prompt) if rule.prompt is not None else None
        self._random = random.Random(seed)
        self._bucket = _Bucket(rule.quota_per_second, rule.burst, clock) if rule.quota_per_second else None
        self._matched = 0
        self._acted = 0

    def applies(self, call: Call) -> bool:
        if not self._matches(call):
            return False
        self._matched += 1
        if self._matched <= self.rule.after or self._acted == self.rule.times:
            return False
        if self.rule.probability < 1 and self._random.random() >= self.rule.probability:
            return False
        if self._bucket is not None and self._bucket.take():
            return False
        self._acted += 1
        return True

    def latency(self) -> float | None:
        seconds = self.rule.latency_seconds
        return self._random.uniform(*seconds) if isinstance(seconds, tuple) else seconds

    def _matches(self, call: Call) -> bool:
        return (
            self.rule.method in (None, call.method)
            and self._stage in (None, call.stage)
            and self.rule.location in (None, call.location)
            and (self._model is None or self._model.fullmatch(call.model) is not None)
            and (self._prompt is None or self._prompt.search(call.prompt) is not None)
        )


class _Bucket:
    """A token bucket that starts full."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
