"""Asks one model: again when it is busy, once more when its answer is not as asked for, never when it refuses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Generic

import structlog

from services.errors import ModelAnswerInvalid, ModelRejected, ModelUnavailable
from services.generation.allowance import Allowance, AllowanceSpent
from services.generation.answers import Misfit, Reading, read_answer
from services.generation.means import Means, within_means
from services.generation.port import (
    AnswerT,
    Completion,
    ModelRef,
    Provider,
    Rejection,
    RungFailure,
    Task,
    Usage,
    no_problems,
    nothing_to_mend,
)
from services.generation.pricing import price as list_price
from services.generation.refusals import Refusals, RungClosed
from services.generation.retry import Retry, RetrySettings
from services.generation.rules import badness, names
from services.generation.runaway import is_runaway, is_worth_more_room
from services.generation.spend import Spend

log = structlog.get_logger()

Price = Callable[[ModelRef, Usage, datetime], float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RungReport(Generic[AnswerT]):
    """What became of asking: an answer, a block by the safety filter, or a failure; and what it took.

    `repairs` names what was mended in the answer.
    """

    spend: Spend
    data: AnswerT | None = None
    repairs: tuple[str, ...] = ()
    blocked_by: str | None = None
    failure: RungFailure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unusable:
    misfit: Misfit
    rejection: Rejection


@dataclass(frozen=True, kw_only=True, slots=True)
class _Imperfect(Generic[AnswerT]):
    reading: Reading[AnswerT]
    rejection: Rejection

    @property
    def badness(self) -> float:
        return badness(self.reading.problems)


class _Tab:
    """Runs up what one ask takes; it outlives the error that ends the ask, because failures may be billed."""

    def __init__(self, allowance: Allowance) -> None:
        self.spend = Spend()
        self.allowance = allowance

    def add(self, spend: Spend) -> None:
        self.spend += spend
        self.allowance.add(spend)


class Rung:
    """One model of a ladder. Rungs of several stages that stand for the same model share its refusals."""

    def __init__(
        self,
        provider: Provider,
        ref: ModelRef,
        *,
        refusals: Refusals,
        retry: Retry | None = None,
        price: Price = list_price,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ref = ref
        self._provider = provider
        self._refusals = refusals
        self._retry = retry or Retry(RetrySettings())
        self._price = price
        self._now = now

    @property
    def is_mock(self) -> bool:
        """Whether it answers without any model: for nothing, at once, and always."""
        return self.ref.provider == "mock"

    async def ask(self, task: Task[AnswerT]) -> RungReport[AnswerT]:
        """Ask the model within the task's allowance. Failures are reported, not raised.

        A model that is known to refuse is not called. The mock takes nothing of an allowance and needs none.
        """
        tab = _Tab(Allowance() if self.is_mock else task.allowance)
        try:
            return await self._converse(task, tab)
        except RungClosed as closed:
            # Told by the call that closed it.
            return RungReport(spend=tab.spend, failure=closed.failure)
        except (ModelRejected, ModelUnavailable, ModelAnswerInvalid, AllowanceSpent) as error:
            self._tell_failure(task, _failure(error), tab.spend.calls)
            return RungReport(spend=tab.spend, failure=_failure(error))

    async def _converse(self, task: Task[AnswerT], tab: _Tab) -> RungReport[AnswerT]:
        """Ask, and ask once more with the problems when the answer is not as asked for.

        Of two answers the better one is used; an imperfect one is better than none.
        """
        first = await self._read_one(task, None, tab)
        if isinstance(first, RungReport):
            return first
        if isinstance(first, _Imperfect):
            return self._use(task, await self._improved(task, first, tab), tab)
        if _runs_on(task, first):
            raise self._unusable("a text that runs on without end", first.misfit)
        again = _with_more_room(task, first.misfit)
        if not self._may_ask_again(again, first.rejection, tab):
            raise self._unusable("an unusable answer, and no call is left to ask again", first.misfit)
        second = await self._read_one(again, first.rejection, tab)
        if isinstance(second, _Unusable):
            raise self._unusable("two unusable answers", second.misfit)
        return self._use(task, second, tab) if isinstance(second, _Imperfect) else second

    async def _improved(
        self, task: Task[AnswerT], first: "_Imperfect[AnswerT]", tab: _Tab
    ) -> "_Imperfect[AnswerT] | RungReport[AnswerT]":
        """What asking once more makes of an imperfect answer: a better one, or the same when none is to be had."""
        if not self._may_ask_again(task, first.rejection, tab):
            return first
        try:
            second = await self._read_one(task, first.rejection, tab)
        except (ModelRejected, ModelUnavailable, RungClosed, AllowanceSpent):
            return first
        if isinstance(second, RungReport):
            # What the filter let through stands against a block of what was to replace it.
            return first if second.data is None else second
        if isinstance(second, _Unusable) or first.badness <= second.badness:
            return first
        return second

    def _use(
        self, task: Task[AnswerT], answer: "_Imperfect[AnswerT] | RungReport[AnswerT]", tab: _Tab
    ) -> RungReport[AnswerT]:
        """Report an answer that is used; of an imperfect one the log says which rules it breaks."""
        if isinstance(answer, RungReport):
            return answer
        rules = names(answer.reading.problems)
        log.info("answer.imperfect", rung=str(self.ref), stage=task.stage, rules=rules)
        return RungReport(spend=tab.spend, data=answer.reading.answer, repairs=answer.reading.repairs)

    def _may_ask_again(self, task: Task[AnswerT], rejection: Rejection, tab: _Tab) -> bool:
        return not tab.allowance.is_spent and self._within_means(task, rejection, tab) is not None

    def _unusable(self, what: str, misfit: Misfit) -> ModelAnswerInvalid:
        return ModelAnswerInvalid(f"{self.ref} gave {what}: {misfit.summary}.", kind=misfit.kind)

    async def _read_one(
        self, task: Task[AnswerT], rejection: Rejection | None, tab: _Tab
    ) -> "RungReport[AnswerT] | _Imperfect[AnswerT] | _Unusable":
        completion = await self._complete(task, rejection, tab)
        if completion.finish == "blocked":
            return RungReport(spend=tab.spend, blocked_by=completion.blocked_by or "unknown")
        # There is nothing better to be had than the mock's answer: a rule that it breaks is no reason to give none.
        if self.is_mock:
            task = replace(task, mend=nothing_to_mend, check=no_problems)
        reading = read_answer(task, completion)
        if isinstance(reading, Misfit):
            problems = reading.problems
            return _Unusable(misfit=reading, rejection=Rejection(text=completion.text, problems=problems))
        if reading.repairs:
            log.info("answer.repaired", rung=str(self.ref), stage=task.stage, repairs=list(reading.repairs))
        if reading.problems:
            problems = reading.sentences
            return _Imperfect(reading=reading, rejection=Rejection(text=completion.text, problems=problems))
        return RungReport(spend=tab.spend, data=reading.answer, repairs=reading.repairs)

    async def _complete(self, task: Task[AnswerT], rejection: Rejection | None, tab: _Tab) -> Completion:
        # The calls of asking again come out of the same bound, but it is worth one call in any case.
        max_calls = max(1, self._retry.settings.max_calls - tab.spend.calls)
        means = self._within_means(task, rejection, tab)
        if means is None:
            raise tab.allowance.spent()
        with tab.allowance.reserved(means.usd):
            affordable = replace(task, max_output_tokens=means.max_output_tokens)
            completion = await self._retry.run(
                partial(self._call, affordable, rejection, tab), max_calls=max_calls, allowance=tab.allowance
            )
            tab.add(self._cost_of(completion))
        return completion

    def _within_means(self, task: Task[AnswerT], rejection: Rejection | None, tab: _Tab) -> Means | None:
        """What a call may take of the dollars that are left; None when that is too little for it."""
        now = self._now()
        return within_means(
            task,
            rejection,
            left_usd=tab.allowance.usd_left,
            price=lambda usage: self._price(self.ref, usage, now),
        )

    async def _call(self, task: Task[AnswerT], rejection: Rejection | None, tab: _Tab) -> Completion:
        return await self._refusals.run(
            partial(self._call_once, task, rejection, tab),
            longest_wait=self._retry.settings.max_retry_after_seconds,
        )

    async def _call_once(self, task: Task[AnswerT], rejection: Rejection | None, tab: _Tab) -> Completion:
        if tab.allowance.is_spent:
            raise tab.allowance.spent()
        await tab.allowance.guard()
        tab.add(Spend(calls=1))
        own, left = self._retry.settings.call_timeout_seconds, tab.allowance.seconds_left
        try:
            return await self._provider.complete(
                task, model=self.ref, rejection=rejection, timeout=min(own, left)
            )
        except ModelUnavailable as error:
            # Cut short by the message's own bound, which says nothing about the service.
            if error.kind == "timeout" and left < own:
                raise tab.allowance.spent() from error
            raise

    def _cost_of(self, completion: Completion) -> Spend:
        usage = completion.usage
        if usage is None:
            return Spend(input_tokens=None, output_tokens=None, cost_usd=None)
        cost = self._price(self.ref, usage, self._now())
        return Spend(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=cost)

    def _tell_failure(self, task: Task[AnswerT], failure: RungFailure, calls: int) -> None:
        log.warning(
            "rung.failed",
            rung=str(self.ref),
            stage=task.stage,
            kind=failure.kind,
            code=failure.code,
            cause=failure.message,
            attempts=calls,
        )


def _failure(error: ModelUnavailable | ModelRejected | ModelAnswerInvalid | AllowanceSpent) -> RungFailure:
    return RungFailure(kind=error.kind, code=error.code, message=str(error))


def _runs_on(task: Task[AnswerT], reading: _Unusable) -> bool:
    """Whether the text would end no better another time: the next rung is asked, and this one not again."""
    text, kind = reading.rejection.text, reading.misfit.kind
    if kind == "truncated":
        return not is_worth_more_room(text, limit=task.max_output_tokens)
    return kind == "invalid_json" and is_runaway(text)


def _with_more_room(task: Task[AnswerT], misfit: Misfit) -> Task[AnswerT]:
    """Thinking counts against the limit, so an answer cut off once would be cut off there again."""
    return replace(task, max_output_tokens=2 * task.max_output_tokens) if misfit.kind == "truncated" else task
