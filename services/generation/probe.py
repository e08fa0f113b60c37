"""Whether models answer at the moment, found out by one small call to each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from pydantic import BaseModel, Field

from services.errors import ConfigurationError, ModelAnswerInvalid, NoModelAnswered
from services.generation.allowance import Allowance, AllowanceSpent, Guard, no_guard
from services.generation.port import ModelRef, RungFailure, Task
from services.generation.refusals import LASTING
from services.generation.rung import Rung
from services.generation.spend import Spend, cost_facts

log = structlog.get_logger()

TRIAL_SECONDS = 20.0
"""How long one call of a trial may take: whoever looks waits for it, and a model in order needs a second or two."""

TRIES = 2
"""One answer that cannot be used happens to every model, and one refusal to every token."""

MISNAMED = frozenset({"model_not_found"})
"""Kinds of refusal that waiting will not end: a setting names what does not exist.

A right or a bill may be put in order without anything being changed here.
"""


class Sign(BaseModel):
    """The answer to a probe."""

    ready: bool = Field(description="always true")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What trying models out came to, and what it took; `failure` is None when they answer."""

    failure: RungFailure | None
    spend: Spend


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What looking at all ladders came to, and what it took; `obstacle` says why a stage has nobody to answer it."""

    obstacle: NoModelAnswered | ConfigurationError | None
    spend: Spend


def probe_task() -> Task[Sign]:
    """A task that costs next to nothing. The limit leaves room for models that cannot be kept from thinking."""
    return Task(
        stage="probe",
        prompt_version="probe",
        instructions="Answer with the JSON object only.",
        prompt='INPUT:\n{"ready": true}',
        answer_type=Sign,
        max_output_tokens=4096,
        offline=lambda: Sign(ready=True),
    )


async def try_out(rung: Rung, task: Task[Any], *, guard: Guard = no_guard) -> Trial:
    """Ask for one usable answer: once, and once more when the first cannot be used or was refused.

    An answer with nothing in it is no sign of life, and neither is any other that no request could be served with. A
    block is one: the model has read what it was asked.
    """
    failure, spend = None, Spend()
    for _ in range(TRIES):
        allowance = Allowance(guard=guard, max_calls=1, seconds=TRIAL_SECONDS)
        report = await rung.ask(replace(task, allowance=allowance))
        failure, spend = _in_time(report.failure), spend + report.spend
        # A single refusal may pass, too: a token that has expired is renewed by then.
        if failure is None or not (failure.code == ModelAnswerInvalid.code or failure.kind in LASTING):
            break
    return Trial(failure=failure, spend=spend)


async def probe(rungs: Iterable[Rung]) -> None:
    """Ask each model once, however many rungs stand for it, until one does not answer; what it costs is logged.

    Raises `NoModelAnswered` when it may answer later, `ConfigurationError` when it refuses every call.
    """
    for rung in {rung.ref: rung for rung in rungs}.values():
        trial = await _probed(rung, probe_task())
        if trial.failure is not None:
            raise _error(rung, trial.failure)


async def look(
    ladders: Mapping[str, Sequence[Rung]], questions: Mapping[str, Task[Any]] | None = None
) -> Look:
    """Ask until every stage has a rung that answers, or one has none.

    With `questions` each stage's own is asked, which finds what a small call does not; without, one small call does for
    all stages that a model stands in.
    """
    spend = Spend()
    trials: dict[tuple[ModelRef, str], RungFailure | None] = {}
    for stage, rungs in ladders.items():
        task = questions[stage] if questions else probe_task()
        failures: list[tuple[ModelRef, RungFailure]] = []
        for rung in rungs:
            tried = (rung.ref, task.stage)
            if tried not in trials:
                trial = await _probed(rung, task)
                trials[tried], spend = trial.failure, spend + trial.spend
            if (failure := trials[tried]) is None:
                break
            failures.append((rung.ref, failure))
        else:
            return Look(obstacle=_obstacle(stage, failures), spend=spend)
    return Look(obstacle=None, spend=spend)


async def _probed(rung: Rung, task: Task[Any]) -> Trial:
    """A trial that no message pays for: the log has what it cost."""
    trial = await try_out(rung, task)
    log.info("model.probed", model=str(rung.ref), **cost_facts(trial.spend))
    return trial


def _in_time(failure: RungFailure | None) -> RungFailure | None:
    # The bound is the trial's own; what a rung says of it speaks of a message.
    if failure is None or failure.kind != AllowanceSpent.kind:
        return failure
    return RungFailure(kind="timeout", code=504, message=f"no answer within {TRIAL_SECONDS:g} s.")


def _error(rung: Rung, failure: RungFailure) -> NoModelAnswered | ConfigurationError:
    if failure.kind in LASTING:
        return ConfigurationError(f"{rung.ref} refuses every call.", fix=failure.message)
    return NoModelAnswered(f"{rung.ref} does not answer: {failure.message}")


def _obstacle(
    stage: str, failures: Sequence[tuple[ModelRef, RungFailure]]
) -> NoModelAnswered | ConfigurationError:
    reasons = "; ".join(f"{ref}: {failure.message}" for ref, failure in failures)
    if all(failure.kind in MISNAMED for _, failure in failures):
        return ConfigurationError(f"No model of the ladder for {stage} exists.", fix=reasons)
    return NoModelAnswered(f"No model of the ladder for {stage} answers. {reasons}")
