"""Lets equal tasks that are in flight at the same time share one call."""

import asyncio
from dataclasses import replace
from typing import Any

from services.errors import ClaimLost, ContentWorkerError
from services.generation.port import Answer, AnswerT, LanguageModel, Provenance, Task
from services.generation.rules import is_usable

_Key = tuple[str, str, bool, str]


class SharedCalls:
    """A `LanguageModel` in front of another one, for the tasks of one process.

    A call draws on the allowance of the task that began it, and lives as long as anybody waits for it. Who receives
    its answer first carries its cost; for the others it is `cached`.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._calls: dict[_Key, _Call] = {}

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        """As the port has it."""
        key = _key(task)
        while (call := self._calls.get(key)) is not None:
            await self._wait(key, call)
            if call.serves(task):
                return call.answer()
        call = self._begin(key, task)
        await self._wait(key, call)
        return call.answer()

    def _begin(self, key: _Key, task: Task[AnswerT]) -> "_Call":
        # A task of its own: the cancellation of one who waits must not take the answer from the others.
        call = _Call(task, asyncio.create_task(self._model.generate(task)))
        # Registered first, so that the call is gone when those who wait for it go on.
        call.running.add_done_callback(lambda _: self._forget(key, call))
        self._calls[key] = call
        return call

    async def _wait(self, key: _Key, call: "_Call") -> None:
        """Wait until the call has ended; the last one who is cancelled here ends it."""
        call.waiters += 1
        try:
            await asyncio.wait([call.running])
        finally:
            call.waiters -= 1
            if not call.waiters and call.running.cancel():
                self._forget(key, call)
                await asyncio.wait([call.running])

    def _forget(self, key: _Key, call: "_Call") -> None:
        """Let no other task join the call. A new one may stand under its key already."""
        if self._calls.get(key) is call:
            del self._calls[key]


class _Call:
    """One call, begun for `task`, and those who wait for it."""

    def __init__(self, task: Task[Any], running: asyncio.Task[Answer[Any]]) -> None:
        self.running = running
        self.waiters = 0
        self._task = task
        self._is_carried = False
        # Otherwise asyncio complains of an error that nobody was left to hear.
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def serves(self, task: Task[Any]) -> bool:
        """Whether what the call came to is right for another task, too."""
        if isinstance(self.running.exception(), ClaimLost):
            return False  # what the one has lost the other may still have
        answer = None if self.running.exception() else self.running.result()
        if answer is not None and not task.resumes and _resumed_below_the_top(answer.provenance):
            return False
        no_model_answered = answer is None or answer.provenance.mode == "mock"
        if no_model_answered and self._task.allowance.fell_short and not task.allowance.is_spent:
            return False
        if answer is None:
            return True
        # A block is about the request that met it. An imperfect answer was asked for once more already.
        return answer.data is not None and is_usable(task.check(answer.data))

    def answer(self) -> Answer[Any]:
        """The answer for one waiter, or the call's error in a copy of its own."""
        if (error := self.running.exception()) is not None:
            raise _copy(error)
        answer = self.running.result()
        if self._is_carried:
            return replace(answer, provenance=_shared(answer.provenance))
        self._is_carried = True
        return answer


def _key(task: Task[AnswerT]) -> _Key:
    about = task.prompt if task.identity is None else task.identity
    return task.stage, task.prompt_version, task.identity is None, about


def _resumed_below_the_top(provenance: Provenance) -> bool:
    """Whether a lower rung's answer was taken because an earlier attempt had paid for it, and no better one asked."""
    return provenance.cached and provenance.mode == "fallback" and not provenance.attempts


def _shared(provenance: Provenance) -> Provenance:
    """How the answer came about for those who do not carry its cost."""
    saved = provenance.saved_usd if provenance.cached else provenance.cost_usd
    is_mock = provenance.mode == "mock"
    return replace(
        provenance,
        attempts=0,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        cached=not is_mock,
        saved_usd=0.0 if is_mock else saved,
    )


def _copy(error: BaseException) -> BaseException:
    """The same error for one waiter: one object for all would collect everybody's tracebacks and causes."""
    if not isinstance(error, ContentWorkerError):
        return error
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error.__cause__
    return copy.with_traceback(error.__traceback__)
