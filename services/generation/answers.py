"""Reads a model's text as the answer of a task, or says what is wrong so that the model can mend it."""

from dataclasses import dataclass

from pydantic import ValidationError

from services.generation.port import AnswerT, Completion, Task

MAX_PROBLEMS = 10
"""More sentences than this do not help a model to mend its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """An answer that cannot be used.

    `problems` are for the model and may quote the task. `summary` is for people and holds only field names,
    names of rules and counts, because it ends up in logs.
    """

    kind: str
    problems: tuple[str, ...]
    summary: str


def read_answer(task: Task[AnswerT], completion: Completion) -> AnswerT | Misfit:
    """The validated and checked answer in a completion that was not blocked, or what is wrong with it."""
    if (ended_early := _ended_early(task, completion)) is not None:
        return ended_early
    found = _json_object(completion.text)
    if found is None:
        problem = "The answer holds no JSON object. Answer with one JSON object and nothing else."
        return Misfit(kind="invalid_json", problems=(problem,), summary="no JSON object")
    try:
        answer = task.answer_type.model_validate_json(found)
    except ValidationError as error:
        return _invalid(error)
    problems = tuple(task.check(answer))[:MAX_PROBLEMS]
    if problems:
        return Misfit(kind="invalid_answer", problems=problems, summary=_broken_rules(problems))
    return answer


def _ended_early(task: Task[AnswerT], completion: Completion) -> Misfit | None:
    if completion.finish == "max_tokens":
        what = f"cut off at {task.max_output_tokens} tokens"
        problem = f"The answer was {what}. Answer again, complete and shorter."
        return Misfit(kind="truncated", problems=(problem,), summary=what)
    if completion.finish == "recitation":
        problem = "The answer repeated a published text. Answer again in your own words."
        return Misfit(kind="recitation", problems=(problem,), summary="recites a published text")
    if not completion.text.strip():
        problem = "The answer was empty. Answer with one JSON object."
        return Misfit(kind="empty", problems=(problem,), summary="no text")
    if completion.finish == "other":
        problem = "The answer ended before it was complete. Answer again in full."
        return Misfit(kind="invalid_answer", problems=(problem,), summary="ended for an unknown reason")
    return None


def _json_object(text: str) -> str | None:
    """From the first opening to the last closing brace: models wrap JSON in code fences and kind words."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else None


def _invalid(error: ValidationError) -> Misfit:
    # Without inputs: the model sees its own text anyway, and a summary that quotes it would reach the logs.
    details = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
    kind = "invalid_json" if any(detail["type"] == "json_invalid" for detail in details) else "invalid_answer"
    places = [(".".join(map(str, detail["loc"])) or "the answer", detail) for detail in details]
    return Misfit(
        kind=kind,
        problems=tuple(f"{place}: {detail['msg']}" for place, detail in places),
        summary="; ".join(f"{place}: {detail['type']}" for place, detail in places),
    )


def _broken_rules(problems: tuple[str, ...]) -> str:
    # The sentences themselves may quote a student's interest or question.
    return f"breaks {len(problems)} rule{'s' if len(problems) > 1 else ''} of the task"
