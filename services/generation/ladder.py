"""Goes down the rungs until a model answers, pays for no answer twice, and says which rung it was and why."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from services.errors import NoModelAnswered, PermanentError, RequestFailed
from services.generation.canary import Canary
from services.generation.cancelling import ended_first
from services.generation.no_answer import OWN_FAULTS, no_answer
from services.generation.paid import PaidAnswer, content_keys, paid_document, read_paid
from services.generation.port import (
    Answer,
    AnswerT,
    Mode,
    ModelRef,
    PaidAnswers,
    Provenance,
    RungFailure,
    Task,
)
from services.generation.rung import Rung, RungReport
from services.generation.spend import Spend

log = structlog.get_logger()

KEEP_SECONDS = 1.0
"""How long cancelled work may still take to store an answer that it has paid for."""


class Ladder:
    """The `LanguageModel` of the worker: for each stage its rungs, best first.

    A block by a model's safety filter is an answer, once the model has given it twice: no lower rung is asked to say
    what a higher one would not. Answers of models are kept in `paid` for `answer_lifetime`, and taken from there;
    blocks are not, which are about one request, and neither is what the mock answers.

    A request at which every rung has failed is held to be bad only if one of them answers the `canary`; without a
    canary models are taken to be in order.
    """

    def __init__(
        self,
        rungs_by_stage: Mapping[str, Sequence[Rung]],
        *,
        paid: PaidAnswers,
        answer_lifetime: timedelta,
        canary: Canary | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rungs_by_stage = rungs_by_stage
        self._paid = paid
        self._answer_lifetime = answer_lifetime
        self._canary = canary
        self._now = now
        self._clock = clock

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        """Answer from the best rung that can, or whose answer was paid for; it is kept before this returns.

        Raises `NoModelAnswered` or `RequestFailed` with every rung's reason, and `StoreUnavailable`.
        """
        started = self._clock()
        rungs = self._rungs_by_stage[task.stage]
        models = [at for at, rung in enumerate(rungs) if not rung.is_mock]
        keys = dict(zip(models, content_keys(task, [rungs[at].ref for at in models]), strict=True))
        # What lower rungs have answered matters to others than a later attempt only once they are reached.
        looked_for = keys if task.resumes else dict(list(keys.items())[:1])
        paid = await self._find(task, looked_for)
        descent = _Descent()
        for position in range(_first_position(task, paid), len(rungs)):
            rung = rungs[position]
            if position in keys and position not in looked_for:
                paid |= await self._find(task, {position: keys[position]})
            if (found := paid.get(position)) is not None:
                return _found(found, descent.provenance(rung, position, self._clock() - started))
            report = await _ask(rung, task)
            descent.take(rung.ref, report)
            if report.failure is None:
                provenance = descent.provenance(rung, position, self._clock() - started)
                if position in keys and report.data is not None:
                    paid_for = PaidAnswer(
                        data=report.data, cost_usd=report.spend.cost_usd, error=provenance.error
                    )
                    kept = self._keep(keys[position], task, rung.ref, paid_for)
                    await ended_first(kept, seconds=KEEP_SECONDS)
                return Answer(
                    data=report.data,
                    blocked_by=report.blocked_by,
                    provenance=provenance,
                    repairs=report.repairs,
                )
        raise await self._whose_fault(task, rungs, descent.failures)

    async def _whose_fault(
        self, task: Task[AnswerT], rungs: Sequence[Rung], failures: Sequence[tuple[ModelRef, RungFailure]]
    ) -> NoModelAnswered | RequestFailed:
        """The error for a task that no rung has answered."""
        error = no_answer(task.stage, failures)
        if isinstance(error, NoModelAnswered) or await self._answer_others(task, rungs, failures):
            return error
        return no_answer(task.stage, failures, answers_others=False)

    async def _answer_others(
        self, task: Task[AnswerT], rungs: Sequence[Rung], failures: Sequence[tuple[ModelRef, RungFailure]]
    ) -> bool:
        """Whether a rung that failed at the request could answer another one now; the best ones are tried first."""
        if self._canary is None:
            return True
        for rung, (_, failure) in zip(rungs, failures, strict=True):
            if failure.kind not in OWN_FAULTS:
                continue
            if await self._canary.failure(rung, task.stage, task.allowance) is None:
                return True
        return False

    async def _find(self, task: Task[AnswerT], keys: Mapping[int, str]) -> dict[int, PaidAnswer[AnswerT]]:
        """The answers that were paid for and fit the task, by position of their rungs."""
        documents = await self._paid.find(list(keys.values())) if keys else {}
        return {
            position: answer
            for position, key in keys.items()
            if key in documents and (answer := read_paid(task, documents[key])) is not None
        }

    async def _keep(self, key: str, task: Task[AnswerT], ref: ModelRef, answer: PaidAnswer[AnswerT]) -> None:
        document = paid_document(
            answer, stage=task.stage, ref=ref, now=self._now(), lifetime=self._answer_lifetime
        )
        try:
            await self._paid.keep(key, document)
        except PermanentError as error:
            # It is here all the same, and was paid for.
            log.warning("answer.not_kept", stage=task.stage, model=str(ref), cause=error.message)


@dataclass(kw_only=True, slots=True)
class _Descent:
    """How a task has come down the ladder so far."""

    spend: Spend = field(default_factory=Spend)
    failures: list[tuple[ModelRef, RungFailure]] = field(default_factory=list)

    def take(self, ref: ModelRef, report: RungReport[AnswerT]) -> None:
        self.spend += report.spend
        if report.failure is not None:
            self.failures.append((ref, report.failure))

    def provenance(self, rung: Rung, position: int, elapsed_seconds: float) -> Provenance:
        """That of an answer which is given now."""
        return Provenance(
            mode=_mode(rung, position),
            provider=rung.ref.provider,
            model=rung.ref.model or rung.ref.provider,
            attempts=self.spend.calls,
            latency_ms=round(elapsed_seconds * 1000),
            input_tokens=self.spend.input_tokens,
            output_tokens=self.spend.output_tokens,
            cost_usd=self.spend.cost_usd,
            error=self.failures[0][1] if self.failures else None,
        )


async def _ask(rung: Rung, task: Task[AnswerT]) -> RungReport[AnswerT]:
    """Ask a rung; what its filter has blocked is asked once more, because filters give false alarms."""
    first = await rung.ask(task)
    if first.blocked_by is None or task.allowance.is_spent:
        return first
    second = await rung.ask(task)
    spend = first.spend + second.spend
    if second.failure is not None:
        return replace(first, spend=spend)
    if second.blocked_by is None:
        log.warning("block.not_repeated", rung=str(rung.ref), stage=task.stage, blocked_by=first.blocked_by)
    return replace(second, spend=spend)


def _first_position(task: Task[AnswerT], paid: Mapping[int, PaidAnswer[AnswerT]]) -> int:
    return min(paid, default=0) if task.resumes else 0


def _mode(rung: Rung, position: int) -> Mode:
    if rung.is_mock:
        return "mock"
    return "live" if position == 0 else "fallback"


def _found(answer: PaidAnswer[AnswerT], provenance: Provenance) -> Answer[AnswerT]:
    # Where no rung was asked, the reason for a lower one is that of the attempt which paid.
    error = answer.error if provenance.mode != "live" else None
    return Answer(
        data=answer.data,
        provenance=replace(
            provenance, cached=True, saved_usd=answer.cost_usd, error=provenance.error or error
        ),
    )
