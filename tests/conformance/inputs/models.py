"""A model that is hostile itself, and an ear at the wire that hears all that any model is asked."""

import json
import random
from collections.abc import Callable
from typing import Any

from services.content.standard_questions import StandardQuestions
from services.generation.port import AnswerT, Completion, Finish, ModelRef, Provider, Rejection, Task, Usage
from tests.conformance.inputs.drained import Asked
from tests.conformance.inputs.sample import MARKER
from tests.conformance.inputs.texts import DATA, LETTERS, MARKUP, ORDERS

Reply = Callable[[dict[str, Any], str, random.Random], str]
"""From a good answer, the student's words and luck to the text of a bad one."""

_MANY = 300_000
_WRONG_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    MARKER,
    [],
    [None],
    {},
    {MARKER: [MARKER]},
    [[["x"]]],
    "",
)


def _garbage(_answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    return luck.randbytes(luck.randrange(1, 400)).decode("latin-1") + luck.choice((*ORDERS, *LETTERS))


def _prose(_answer: dict[str, Any], words: str, _luck: random.Random) -> str:
    return f"I would rather say: {words}"


def _cut(answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    text = json.dumps(answer)
    return text[: luck.randrange(len(text))]


def _put_in(answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    text = json.dumps(answer)
    at = luck.randrange(len(text))
    return text[:at] + luck.choice((*DATA, *MARKUP, *LETTERS)) + text[at:]


def _wrong_types(answer: dict[str, Any], words: str, luck: random.Random) -> str:
    name = luck.choice(list(answer))
    return json.dumps({**answer, name: luck.choice((*_WRONG_VALUES, words * 50))})


def _field_missing(answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    name = luck.choice(list(answer))
    return json.dumps({key: value for key, value in answer.items() if key != name})


def _field_twice(answer: dict[str, Any], words: str, luck: random.Random) -> str:
    name = luck.choice(list(answer))
    return f"{json.dumps(answer)[:-1]}, {json.dumps(name)}: {json.dumps(words)}}}"


def _extra_fields(answer: dict[str, Any], words: str, _luck: random.Random) -> str:
    extra = {
        "instructions": words,
        "$time": words,
        "model_config": {"extra": "allow"},
        "__class__": words,
        "": words,
    }
    return json.dumps({**extra, **answer})


def _giant(answer: dict[str, Any], words: str, luck: random.Random) -> str:
    name = luck.choice(list(answer))
    padding = (words or "x") * (_MANY // len(words or "x"))
    return json.dumps(
        {**answer, "padding": padding, name: [padding] if isinstance(answer[name], list) else padding}
    )


def _endless_numbers(answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    number = luck.choice(("NaN", "Infinity", "-Infinity", "1e999", "9" * 4000, "9" * 5000, "1e-999"))
    return f'{json.dumps(answer)[:-1]}, "confidence": {number}}}'


def _deep(answer: dict[str, Any], _words: str, luck: random.Random) -> str:
    depth = luck.choice((150, 1000, 100_000))
    return f'{json.dumps(answer)[:-1]}, "deep": {"[" * depth}{"]" * depth}}}'


def _surrogates(answer: dict[str, Any], _words: str, _luck: random.Random) -> str:
    return f'{json.dumps(answer)[:-1]}, "reasoning": "\\ud800", "title": "\\udfff\\ud800"}}'


def _echo(answer: dict[str, Any], words: str, luck: random.Random) -> str:
    """Valid as far as possible: the student's words wherever there is room for a text."""
    return json.dumps(_filled(answer, words.strip() or "x", luck))


def _filled(value: Any, words: str, luck: random.Random) -> Any:
    match value:
        case dict():
            kept = ("kind", "topic_id", "asks_about", "confidence")
            return {
                name: inner if name in kept or luck.random() < 0.3 else _filled(inner, words, luck)
                for name, inner in value.items()
            }
        case list():
            return [_filled(inner, words, luck) for inner in value]
        case str():
            return words[:100]
    return value


def _silent_sections(answer: dict[str, Any], words: str, _luck: random.Random) -> str:
    """Sections that say nothing, and the same, under titles that the student has written."""
    section = {"title": words[:200] or "x", "content": "...", "visuals": []}
    return json.dumps({**answer, "sections": [section, section]})


def _the_prompt(_answer: dict[str, Any], words: str, _luck: random.Random) -> str:
    return f"INPUT:\n{json.dumps({'question': words})}"


def _good(answer: dict[str, Any], _words: str, _luck: random.Random) -> str:
    return json.dumps(answer)


REPLIES: tuple[Reply, ...] = (
    *(_garbage, _prose, _cut, _put_in, _wrong_types, _field_missing, _field_twice, _extra_fields, _giant),
    *(_endless_numbers, _deep, _surrogates, _echo, _silent_sections, _the_prompt),
    *(_good, _extra_fields, _echo) * 3,
)
"""Answers that can be used stand more often, so that messages get as far as the script."""

_ENDS: tuple[Finish, ...] = ("stop",) * 20 + ("max_tokens", "recitation", "blocked", "other")
_USAGES = (
    None,
    Usage(input_tokens=0, output_tokens=0),
    Usage(input_tokens=2**31 - 1, output_tokens=2**31 - 1),
)


class HostileModel:
    """A provider whose answers the seed decides: for equal calls they are equal."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        """Answer as badly as luck will have it."""
        luck = random.Random(f"{self._seed}|{task.stage}|{task.prompt}|{rejection is None}")
        finish = luck.choice(_ENDS)
        if finish == "blocked":
            return Completion(text="", finish="blocked", usage=luck.choice(_USAGES), blocked_by="safety")
        words = words_in(task.prompt)
        text = luck.choice(REPLIES)(
            _teachable(json.loads(task.offline().model_dump_json()), words), words, luck
        )
        return Completion(
            text=luck.choice((text, f"```json\n{text}\n```")), finish=finish, usage=luck.choice(_USAGES)
        )


def _teachable(answer: dict[str, Any], words: str) -> dict[str, Any]:
    """Nothing is off topic for this model: so the student's words get as far as the script."""
    if answer.get("kind") not in ("unclear", "off_topic"):
        return answer
    return {**answer, "kind": "learning", "topic_id": None, "topic_name": words[:200], "focus": words[:500]}


def words_in(prompt: str) -> str:
    """The texts in a prompt that come from a student, or from a model that has read them."""
    data = json.loads(prompt.partition("\n")[2])
    texts = [data.get("question"), data.get("focus"), data.get("interest"), *data.get("interests", ())]
    return " ".join(text for text in texts if text)


class Overheard:
    """A provider that notes what it is asked in students' names, and passes it on to another one.

    The worker's own standard questions are answered well: a model that fails at them, too, is an outage, and then no
    message ends.
    """

    def __init__(self, provider: Provider, asked: list[Asked]) -> None:
        self._provider = provider
        self._asked = asked
        self._standard = StandardQuestions()

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        """As the port has it."""
        if task.prompt in {question.prompt for question in (await self._standard()).values()}:
            return Completion(text=task.offline().model_dump_json(), finish="stop", usage=_USAGES[1])
        problems = tuple(rejection.problems) if rejection else ()
        self._asked.append(
            Asked(stage=task.stage, instructions=task.instructions, prompt=task.prompt, problems=problems)
        )
        return await self._provider.complete(task, model=model, rejection=rejection, timeout=timeout)
