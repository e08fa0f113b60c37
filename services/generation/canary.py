"""Tells a model that answers nobody from a question that it cannot answer.

Unusable answers look alike in both cases. So before a failure is held against a request, the model that failed at it is
asked a standard question of the same stage: the canary of the coal mine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.generation.allowance import Allowance
from services.generation.port import ModelRef, RungFailure, Task
from services.generation.probe import try_out
from services.generation.rung import Rung

log = structlog.get_logger()

SILENCE_SECONDS = 60.0
"""How long a model that could not answer its standard question is taken to answer nobody, without another call."""

StandardQuestions = Callable[[], Awaitable[Mapping[str, Task[Any]]]]
"""For each stage a question that every model in order answers; made at first need."""


@dataclass(slots=True)
class _Verdict:
    """What the latest canary of a model and stage came to. `asked_at` is when it was begun."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked_at: float = float("-inf")
    failure: RungFailure | None = None


class Canary:
    """One for all messages of a process: those that fail at the same time share one call.

    A good verdict serves only who failed before its call began. One that is older says nothing: an outage may have
    begun since, and none of it may be counted as a request's failure.
    """

    def __init__(self, questions: StandardQuestions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._questions = questions
        self._clock = clock
        self._verdicts: dict[tuple[str, ModelRef], _Verdict] = {}

    async def failure(self, rung: Rung, stage: str, allowance: Allowance) -> RungFailure | None:
        """Why the rung answers nobody at this stage, or None when it answers others.

        The call is made in the name of a message that has just failed there, and is on its bill even where its
        allowance is spent. Raises what the allowance's guard raises.
        """
        failed_at = self._clock()
        verdict = self._verdicts.setdefault((stage, rung.ref), _Verdict())
        async with verdict.lock:
            if not self._holds(verdict, failed_at):
                await self._ask(verdict, rung, stage, allowance)
            return verdict.failure

    def _holds(self, verdict: _Verdict, failed_at: float) -> bool:
        if verdict.failure is None:
            return verdict.asked_at >= failed_at
        return self._clock() - verdict.asked_at < SILENCE_SECONDS

    async def _ask(self, verdict: _Verdict, rung: Rung, stage: str, allowance: Allowance) -> None:
        question = (await self._questions())[stage]
        asked_at = self._clock()
        trial = await try_out(rung, question, guard=allowance.guard)
        allowance.add(trial.spend)
        verdict.asked_at, verdict.failure = asked_at, trial.failure
        if trial.failure is not None:
            log.warning(
                "model.answers_nobody",
                rung=str(rung.ref),
                stage=stage,
                kind=trial.failure.kind,
                cause=trial.failure.message,
                fix="No request is counted as failed for it. Look at the service's status page if it stays.",
            )
