"""Goes down the rungs until a model answers, and says which one it was and why not a better one."""

import time
from collections.abc import Callable, Mapping, Sequence

from services.errors import NoModelAnswered
from services.generation.port import Answer, AnswerT, Mode, Provenance, RungFailure, Task
from services.generation.rung import Rung, RungReport
from services.generation.spend import Spend


class Ladder:
    """The `LanguageModel` of the worker: for each stage its rungs, best first.

    A block by a model's safety filter is an answer: no lower rung is asked to say what a higher one would
    not.
    """

    def __init__(
        self, rungs_by_stage: Mapping[str, Sequence[Rung]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rungs_by_stage = rungs_by_stage
        self._clock = clock

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        """Answer from the best rung that can; else raise `ModelUnavailable` with every rung's reason."""
        started, spend = self._clock(), Spend()
        failures: list[tuple[Rung, RungFailure]] = []
        for position, rung in enumerate(self._rungs_by_stage[task.stage]):
            report = await rung.ask(task)
            spend += report.spend
            if report.failure is None:
                first = failures[0][1] if failures else None
                return self._answer(
                    report, _provenance(rung, position, spend, self._clock() - started, first)
                )
            failures.append((rung, report.failure))
        raise _no_answer(task.stage, failures)

    @staticmethod
    def _answer(report: RungReport[AnswerT], provenance: Provenance) -> Answer[AnswerT]:
        return Answer(data=report.data, provenance=provenance, blocked_by=report.blocked_by)


def _provenance(
    rung: Rung, position: int, spend: Spend, elapsed_seconds: float, error: RungFailure | None
) -> Provenance:
    return Provenance(
        mode=_mode(rung, position),
        provider=rung.ref.provider,
        model=rung.ref.model or rung.ref.provider,
        attempts=spend.calls,
        latency_ms=round(elapsed_seconds * 1000),
        input_tokens=spend.input_tokens,
        output_tokens=spend.output_tokens,
        cost_usd=spend.cost_usd,
        error=error,
    )


def _mode(rung: Rung, position: int) -> Mode:
    if rung.ref.provider == "mock":
        return "mock"
    return "live" if position == 0 else "fallback"


def _no_answer(stage: str, failures: Sequence[tuple[Rung, RungFailure]]) -> NoModelAnswered:
    reasons = "; ".join(f"{rung.ref}: {failure.message}" for rung, failure in failures)
    return NoModelAnswered(f"No rung of the ladder for {stage} answered. {reasons}")
