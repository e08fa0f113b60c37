"""Answers that were paid for, as they are kept: under which key, as which document, and how they are read again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Generic

from pydantic import BaseModel

from services.generation.answers import Misfit, read_kept
from services.generation.port import AnswerT, ModelRef, RungFailure, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidAnswer(Generic[AnswerT]):
    """An answer, what it had cost, and why no better rung had given it."""

    data: AnswerT
    cost_usd: float | None
    error: RungFailure | None


def content_keys(task: Task[AnswerT], refs: Iterable[ModelRef]) -> list[str]:
    """The name of each model's answer to the task: the same for everything that it depends on.

    A digest, of which nobody can read what a student asked. What models have in common is digested once.
    """
    asked_for = _asked_for(task.instructions, task.answer_type)
    about = ("prompt", task.prompt) if task.identity is None else ("identity", task.identity)
    text = "\0".join((task.stage, task.prompt_version, asked_for, *about))
    # Half a surrogate pair in what a student typed is the model's to refuse, not an error here.
    common = hashlib.sha256(text.encode(errors="surrogatepass"))
    return [_with_model(common.copy(), ref) for ref in refs]


def paid_document(
    answer: PaidAnswer[AnswerT], *, stage: str, ref: ModelRef, now: datetime, lifetime: timedelta
) -> dict[str, Any]:
    """The document that keeps an answer for its lifetime."""
    error = answer.error
    return {
        "stage": stage,
        "model": str(ref),
        "answer": answer.data.model_dump_json(),
        "cost_usd": answer.cost_usd,
        "error_kind": error.kind if error else None,
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
        "created_at": now,
        "expires_at": now + lifetime,
    }


def read_paid(task: Task[AnswerT], document: Mapping[str, Any]) -> PaidAnswer[AnswerT] | None:
    """The answer in a document, or None when it cannot be used for this task, or not any more."""
    # Without a text: a block by the safety filter, as earlier versions kept it. It was the answer of one request.
    if not isinstance(text := document.get("answer"), str):
        return None
    read = read_kept(task, text)
    if isinstance(read, Misfit):
        return None
    # An imperfect one was asked for once more before it was kept.
    return PaidAnswer(data=read.answer, cost_usd=document.get("cost_usd"), error=_error(document))


def _error(document: Mapping[str, Any]) -> RungFailure | None:
    if (kind := document.get("error_kind")) is None:
        return None
    return RungFailure(kind=kind, code=document.get("error_code"), message=document.get("error_message", ""))


# A handful of stages, each with one text and one type, which are long: once each, not once a message.
@lru_cache(maxsize=64)
def _asked_for(instructions: str, answer_type: type[BaseModel]) -> str:
    return _digest({"instructions": instructions, "answer": answer_type.model_json_schema()})


def _with_model(common: Any, ref: ModelRef) -> str:
    common.update(f"\0{ref}".encode())
    return str(common.hexdigest())


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
