"""From a good answer and the rule that spoils it to the response messages that the service would send."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from services.generation.providers.vertex_stubs import content, prediction_service
from tests.emulators.vertex_answers import answer_text
from tests.emulators.vertex_calls import Call
from tests.emulators.vertex_faults import Rule

_Response = prediction_service.GenerateContentResponse.pb()
_Finish = content.Candidate.pb()
_MODALITY_TEXT = content.Modality.TEXT.value
_ON_DEMAND = prediction_service.GenerateContentResponse.UsageMetadata.TrafficType.ON_DEMAND.value

_TOKENS_PER_WORD = 1.3
_THINKING_TOKENS = 48
_CHUNKS = 4

_FILTERED = frozenset(
    {_Finish.SAFETY, _Finish.RECITATION, _Finish.BLOCKLIST, _Finish.PROHIBITED_CONTENT, _Finish.SPII}
)
"""Finish reasons that come without text."""

_NO_FAULT = Rule()


def reply(call: Call, rule: Rule | None, *, response_id: str) -> Any:
    """The GenerateContentResponse to a call that is not refused."""
    rule = rule or _NO_FAULT
    response = _Response(model_version=call.model, response_id=response_id)
    if rule.block_reason is not None:
        response.prompt_feedback.block_reason = int(rule.block_reason)
        response.prompt_feedback.block_reason_message = "The prompt was blocked."
        _count_usage(response, call, text="", thoughts=0)
        return response
    finish, text = _finish_and_text(call, rule)
    if rule.answer != "no_candidates":
        candidate = response.candidates.add(finish_reason=finish)
        if text:
            candidate.content.role = "model"
            candidate.content.parts.add(text=text)
    _count_usage(response, call, text=text, thoughts=_thinking_tokens(call))
    return response


def chunks(response: Any) -> Iterator[Any]:
    """The same response in pieces, as a stream sends it: finish reason and usage come with the last."""
    text = response.candidates[0].content.parts[0].text if _has_text(response) else ""
    size = -(-len(text) // _CHUNKS)
    for start in range(0, len(text) - size, size) if text else ():
        piece = _Response(model_version=response.model_version, response_id=response.response_id)
        candidate = piece.candidates.add()
        candidate.content.role = "model"
        candidate.content.parts.add(text=text[start : start + size])
        yield piece
    last = _Response()
    last.CopyFrom(response)
    if text:
        last.candidates[0].content.parts[0].text = text[(-(-len(text) // size) - 1) * size :]
    yield last


def prompt_tokens(call: Call) -> int:
    """What the prompt of this call counts as."""
    return _tokens(call.instructions) + _tokens(call.prompt)


def _has_text(response: Any) -> bool:
    return bool(response.candidates) and bool(response.candidates[0].content.parts)


def _finish_and_text(call: Call, rule: Rule) -> tuple[int, str]:
    finish = int(rule.finish_reason) if rule.finish_reason is not None else _Finish.STOP
    if finish in _FILTERED and rule.text is None:
        return finish, ""
    text = _spoiled(rule.text if rule.text is not None else answer_text(call), rule)
    limit = call.request.generation_config.max_output_tokens - _thinking_tokens(call)
    if call.request.generation_config.HasField("max_output_tokens") and _tokens(text) > limit:
        return _Finish.MAX_TOKENS, _first_words(text, max(0, int(limit / _TOKENS_PER_WORD)))
    if finish == _Finish.MAX_TOKENS and rule.text is None and rule.answer is None:
        return finish, text[: len(text) // 2]
    return finish, text


def _spoiled(text: str, rule: Rule) -> str:
    match rule.answer:
        case "truncated":
            return text[: len(text) // 2]
        case "fenced":
            return f"```json\n{text}\n```"
        case "not_json":
            return "Sure! Here is what you asked for, in my own words."
        case "schema_invalid":
            return '{"unexpected": true}'
        case "empty_text" | "no_candidates":
            return ""
        case _:
            return text


def _first_words(text: str, number: int) -> str:
    return " ".join(text.split()[:number])


def _count_usage(response: Any, call: Call, *, text: str, thoughts: int) -> None:
    usage = response.usage_metadata
    usage.prompt_token_count = prompt_tokens(call)
    usage.candidates_token_count = _tokens(text)
    usage.thoughts_token_count = thoughts
    usage.total_token_count = usage.prompt_token_count + usage.candidates_token_count + thoughts
    usage.prompt_tokens_details.add(modality=_MODALITY_TEXT, token_count=usage.prompt_token_count)
    usage.traffic_type = _ON_DEMAND


def _thinking_tokens(call: Call) -> int:
    thinking = call.request.generation_config.thinking_config
    return 0 if thinking.thinking_level == thinking.MINIMAL else _THINKING_TOKENS


@lru_cache(maxsize=1024)
def _tokens(text: str) -> int:
    return round(len(text.split()) * _TOKENS_PER_WORD)
