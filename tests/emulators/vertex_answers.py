"""Plausible answers: for the worker's three stages from the JSON after `INPUT:`, for all else from the schema."""

import json
import re
from functools import lru_cache
from typing import Any

from google.protobuf import json_format, struct_pb2

from services.generation.providers.vertex_stubs import openapi
from tests.emulators.vertex_calls import Call
from tests.emulators.vertex_schema import example
from tests.emulators.vertex_script import write_script

_INPUT_LINE = re.compile(r"^INPUT:", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{4,}")
_OFF_TOPIC = ("pizza", "football score")
_DETAIL = re.compile(r"\d|\b(?:why|how (?:many|much|long|far|fast)|which|when|where)\b", re.IGNORECASE)
_WORDS_OF_A_CLEAR_QUESTION = 3
_DEFAULT_WORDS = 450
_DEFAULT_GRADE = 12
_LONGEST_NAME = 100

# Equal prompts are common under load; making an answer costs more than anything else in a call.
_CACHED_ANSWERS = 4096


def answer_text(call: Call) -> str:
    """The text of a good answer to this call."""
    if call.stage in _STAGES:
        return _stage_answer(call.stage, _input(call.prompt))
    config = call.request.generation_config
    if config.HasField("response_json_schema"):
        return _schema_answer("json", config.response_json_schema.SerializeToString(deterministic=True))
    if config.HasField("response_schema"):
        return _schema_answer("openapi", config.response_schema.SerializeToString(deterministic=True))
    return "{}" if config.response_mime_type == "application/json" else "This is the answer of the emulator."


def _input(prompt: str) -> str:
    """What follows the last line that starts with `INPUT:`; JSON strings cannot hold such a line."""
    starts = [found.end() for found in _INPUT_LINE.finditer(prompt)]
    return prompt[starts[-1] :].strip() if starts else ""


@lru_cache(maxsize=_CACHED_ANSWERS)
def _stage_answer(stage: str, text: str) -> str:
    return json.dumps(_STAGES[stage](_parsed(text)), ensure_ascii=False)


@lru_cache(maxsize=64)
def _schema_answer(kind: str, serialized: bytes) -> str:
    message = struct_pb2.Value() if kind == "json" else openapi.Schema.pb()()
    message.ParseFromString(serialized)
    return json.dumps(example(json_format.MessageToDict(message)), ensure_ascii=False)


def _parsed(text: str) -> dict[str, Any]:
    """The object at the start of the text; empty without one: an odd prompt still gets an answer."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _understanding(data: dict[str, Any]) -> dict[str, Any]:
    question = str(data.get("question") or "")
    words = set(_WORD.findall(question.lower()))
    if any(phrase in question.lower() for phrase in _OFF_TOPIC):
        return _no_topic("off_topic", "The question does not ask to learn something.", [])
    if len(words) < _WORDS_OF_A_CLEAR_QUESTION:
        questions = ["Which part would you like to understand?", "Where did you come across it?"]
        return _no_topic("unclear", "The question is too short to name a topic.", questions)
    return _topic(question, words, [one for one in data.get("candidates") or [] if isinstance(one, dict)])


def _no_topic(kind: str, reasoning: str, clarifying_questions: list[str]) -> dict[str, Any]:
    return {
        "kind": kind,
        "topic_id": None,
        "topic_name": "unknown",
        "subject": "unknown",
        "asks_about": "detail",
        "focus": "unknown",
        "confidence": 0.4,
        "clarifying_questions": clarifying_questions,
        "reasoning": reasoning,
    }


def _topic(question: str, words: set[str], candidates: list[dict[str, Any]]) -> dict[str, Any]:
    # max() keeps the first of equals: with no shared word at all that is the first candidate.
    best = max(candidates, key=lambda one: _shared_words(one, words), default={})
    shared = _shared_words(best, words)
    return {
        "kind": "learning",
        "topic_id": best.get("id"),
        "topic_name": _name(best) or max(sorted(words), key=len)[:_LONGEST_NAME],
        "subject": str(best.get("subject") or "general science")[:_LONGEST_NAME],
        "asks_about": "detail" if _DETAIL.search(question) else "topic",
        "focus": f"The student wants to know: {question}"[:500],
        "confidence": 0.92 if shared else 0.75,
        "clarifying_questions": [],
        "reasoning": f"The question shares {shared} words with this topic.",
    }


def _shared_words(candidate: dict[str, Any], words: set[str]) -> int:
    text = " ".join(str(value) for value in candidate.values()).lower()
    return len(words.intersection(_WORD.findall(text)))


def _interest_match(data: dict[str, Any]) -> dict[str, Any]:
    interests = data.get("interests")
    name = _name(interests[0]) if isinstance(interests, list) and interests else ""
    name = name or "everyday life"
    return {
        "name": name,
        "confidence": 0.85,
        "reasoning": f"Moments of {name} follow the same idea.",
        "analogies": [f"A turning point in {name}", f"The rules that everybody in {name} relies on"],
    }


def _script(data: dict[str, Any]) -> dict[str, Any]:
    words, grade = data.get("target_words"), data.get("grade_level")
    return write_script(
        topic=_name(data.get("topic")) or "This idea",
        interest=_name(data.get("interest")) or "everyday life",
        words=round(words) if isinstance(words, int | float) and words > 0 else _DEFAULT_WORDS,
        grade=grade if isinstance(grade, int) else _DEFAULT_GRADE,
    )


def _name(value: Any) -> str:
    """The name of a topic or an interest, given as text or as an object."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("topic_name") or value.get("title") or ""
    return str(value or "").strip()[:_LONGEST_NAME]


_STAGES = {"nlu": _understanding, "interest": _interest_match, "script": _script}
