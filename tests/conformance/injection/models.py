"""A model that is a function, and the till beside it: which calls were paid for, and what became of their answers."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.generation.paid import content_keys
from services.generation.port import AnswerT, Completion, ModelRef, Rejection, Task, Usage

TOP = ModelRef(provider="vertex", model="gemini-3.8-flash")
LOWER = ModelRef(provider="vertex", model="gemini-3.5-flash-lite")
MOCK = ModelRef(provider="mock", model="")

UNUSABLE = Completion(text="no JSON at all", finish="stop", usage=Usage(input_tokens=10, output_tokens=5))

CRASHED = "its worker crashed before the answer was durable"
FROZEN = "its worker froze before the answer was durable"
ENDED = "its worker ended before the answer was durable"
GIVEN_UP = "its worker gave up the call"
UNHEARD = "the reply was lost"
"""How a paid answer is lost."""

Respond = Callable[[Task[Any], ModelRef, Rejection | None], Completion | Exception]
"""What the model makes of a call; errors are raised."""


def answer(task: Task[Any]) -> Completion:
    """A good answer: the task's own, as if it came live."""
    usage = Usage(input_tokens=1000, output_tokens=500)
    return Completion(text=task.offline().model_dump_json(), finish="stop", usage=usage)


@dataclass(kw_only=True, slots=True)
class PaidCall:
    """A call that a model has taken and answers usably, whoever hears it.

    `content` is what is asked, whichever rung answers, on behalf of `request_id`; `key` the name under which this
    rung's answer is kept, `was_kept` whether it was there already. `asked_at` is when the worker made the call, `lost`
    how the answer was lost before it was durable.
    """

    process: str
    request_id: str
    asked_at: float
    content: str
    key: str
    was_kept: bool
    is_received: bool = False
    lost: str | None = None


@dataclass(slots=True)
class Till:
    """All calls of one run that cost money."""

    calls: list[PaidCall] = field(default_factory=list)

    def lose(self, process: str, *, kept: set[str], how: str) -> None:
        """Take in that a process has ended like this: what it holds and nobody has kept is lost."""
        for call in self.calls:
            if call.process == process and not (call.is_received and call.key in kept):
                call.lost = call.lost or how


class FunctionModel:
    """The models' side of the provider port: takes calls, and answers after `latency` seconds of the stage.

    `kept` are the keys of the answers that are durable at the moment.
    """

    def __init__(
        self, respond: Respond, till: Till, *, latency: Mapping[str, float], kept: Callable[[], set[str]]
    ) -> None:
        self._respond = respond
        self._till = till
        self._latency = latency
        self._kept = kept

    def take(
        self,
        task: Task[AnswerT],
        model: ModelRef,
        rejection: Rejection | None,
        *,
        process: str,
        asked_at: float,
    ) -> tuple[Completion | Exception, PaidCall | None]:
        """What the call will come to, and its entry in the till when it is paid for."""
        reply = self._respond(task, model, rejection)
        if isinstance(reply, Exception) or reply is UNUSABLE:
            return reply, None
        key = content_keys(task, [model])[0]
        about = task.prompt if task.identity is None else task.identity
        call = PaidCall(
            process=process,
            # The message in whose name the worker makes the call, as its own logs have it.
            request_id=str(structlog.contextvars.get_contextvars().get("request_id")),
            asked_at=asked_at,
            content=f"{task.stage}: {about}",
            key=key,
            was_kept=key in self._kept(),
        )
        self._till.calls.append(call)
        return reply, call

    async def work(self, task: Task[AnswerT], reply: Completion | Exception) -> Completion:
        """Think for as long as the stage takes, and reply."""
        await asyncio.sleep(self._latency[task.stage])
        if isinstance(reply, Exception):
            raise reply
        return reply
