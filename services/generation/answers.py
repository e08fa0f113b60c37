"""Reads a model's text as the answer of a task, or says what is wrong so that the model can mend it.

Whatever keeps a text from being an answer at all is found here and is unusable, as `rules.py` has it; what an answer
says is judged by the task's own `check`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from pydantic import ValidationError

from services.generation.first_object import first_object
from services.generation.port import AnswerT, Completion, Task
from services.generation.rules import Problem, is_usable, names

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[AnswerT]):
    """An answer that can be used: its imperfections, none if it is as asked for, and the names of what was repaired."""

    answer: AnswerT
    problems: tuple[Problem, ...] = ()
    repairs: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell the model."""
        return _sentences(self.problems)


def read_answer(task: Task[AnswerT], completion: Completion) -> Reading[AnswerT] | Misfit:
    """The mended, validated and checked answer in a completion that was not blocked, or what is wrong with it.

    A whole answer counts however the completion ended: cut off behind it, or for a reason that is not known.
    """
    if completion.finish == "recitation":
        problem = "The answer repeated a published text. Answer again in your own words."
        return Misfit(kind="recitation", problems=(problem,), summary="recites a published text")
    data = first_object(completion.text, task.answer_type.model_fields)
    if data is None:
        return _no_object(task, completion)
    mended = task.mend(data)
    try:
        answer = task.answer_type.model_validate(mended.data)
    except ValidationError as error:
        return _invalid(error)
    return _checked(task, answer, mended.repairs)


def read_kept(task: Task[AnswerT], text: str) -> Reading[AnswerT] | Misfit:
    """An answer that was read before and kept as JSON: what was mended then is not mended again."""
    try:
        answer = task.answer_type.model_validate_json(text)
    except ValidationError as error:
        return _invalid(error)
    return _checked(task, answer)


def _checked(
    task: Task[AnswerT], answer: AnswerT, repairs: tuple[str, ...] = ()
) -> Reading[AnswerT] | Misfit:
    problems = tuple(task.check(answer))
    if not is_usable(problems):
        return Misfit(
            kind="invalid_answer", problems=_sentences(problems), summary=_broken_rules(names(problems))
        )
    return Reading(answer=answer, problems=problems, repairs=repairs)


def _no_object(task: Task[AnswerT], completion: Completion) -> Misfit:
    if completion.finish == "max_tokens":
        what = f"cut off at {task.max_output_tokens} tokens"
        problem = f"The answer was {what}. Answer again, complete and shorter."
        return Misfit(kind="truncated", problems=(problem,), summary=what)
    if not completion.text.strip():
        problem = "The answer was empty. Answer with one JSON object."
        return Misfit(kind="empty", problems=(problem,), summary="no text")
    what = "no whole JSON object" if "{" in completion.text else "no JSON object"
    problem = f"The answer holds {what}. Answer with one JSON object and nothing else."
    return Misfit(kind="invalid_json", problems=(problem,), summary=what)


def _invalid(error: ValidationError) -> Misfit:
    # Without inputs: the model sees its own text anyway, and a summary that quotes it would reach the logs.
    details = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
    places = [(".".join(map(str, detail["loc"])) or "the answer", detail) for detail in details]
    return Misfit(
        kind="invalid_answer",
        problems=tuple(f"{place}: {detail['msg']}" for place, detail in places),
        summary="; ".join(f"{place}: {detail['type']}" for place, detail in places),
    )


def _sentences(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(problem.sentence for problem in problems)[:MAX_PROBLEMS]


def _broken_rules(rules: Sequence[str]) -> str:
    # Their names: the sentences may quote a student's interest or question.
    return f"breaks the rule{'s' if len(rules) > 1 else ''} {', '.join(rules)}"
