"""Whether models answer at the moment, found out by one small call to each."""

from collections.abc import Iterable

import structlog
from pydantic import BaseModel, Field

from services.errors import ConfigurationError, ModelAnswerInvalid, NoModelAnswered
from services.generation.allowance import Allowance
from services.generation.port import RungFailure, Task
from services.generation.refusals import LASTING
from services.generation.rung import Rung
from services.generation.spend import cost_facts

log = structlog.get_logger()


class Sign(BaseModel):
    """The answer to a probe: any sign of life."""

    ready: bool = Field(description="always true")


def probe_task() -> Task[Sign]:
    """A task that costs next to nothing. The limit leaves room for models that cannot be kept from thinking."""
    return Task(
        stage="probe",
        prompt_version="probe",
        instructions="Answer with the JSON object only.",
        prompt='INPUT:\n{"ready": true}',
        answer_type=Sign,
        max_output_tokens=1024,
        allowance=Allowance(max_calls=1),
        offline=lambda: Sign(ready=True),
    )


async def probe(rungs: Iterable[Rung]) -> None:
    """Ask each model once, however many rungs stand for it, until one does not answer; what it costs is logged.

    A refusal is asked about twice.

    Raises `NoModelAnswered` when it may answer later, `ConfigurationError` when it refuses every call.
    """
    for rung in {rung.ref: rung for rung in rungs}.values():
        failure = await _asked(rung)
        if failure is not None and failure.kind in LASTING:
            # A single one may pass: a token that has expired is renewed by then.
            failure = await _asked(rung)
        if failure is not None and not _is_sign(failure):
            raise _error(rung, failure)


async def _asked(rung: Rung) -> RungFailure | None:
    report = await rung.ask(probe_task())
    log.info("model.probed", model=str(rung.ref), **cost_facts(report.spend))
    return report.failure


def _is_sign(failure: RungFailure) -> bool:
    # An answer that cannot be used, or was cut off, comes from a model that answers.
    return failure.code == ModelAnswerInvalid.code


def _error(rung: Rung, failure: RungFailure) -> NoModelAnswered | ConfigurationError:
    if failure.kind in LASTING:
        return ConfigurationError(f"{rung.ref} refuses every call.", fix=failure.message)
    return NoModelAnswered(f"{rung.ref} does not answer: {failure.message}")
