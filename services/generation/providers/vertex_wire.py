"""What goes to Vertex AI and what comes back, in the messages of `google.cloud.aiplatform.v1`.

Plain protobuf messages are used instead of the wrappers around them (proto-plus): that takes a third less
CPU a call, and an enum value newer than the library is then a plain number instead of a warning.
"""

from functools import lru_cache
from typing import Any

from google.cloud.aiplatform_v1.types import (
    Candidate,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    HarmCategory,
    SafetySetting,
)
from google.protobuf import json_format
from pydantic import BaseModel

from services.generation.port import AnswerT, Completion, Finish, Rejection, Task, Usage
from services.generation.providers.vertex_schema import allow_only, response_schema

Request: Any = GenerateContentRequest.pb()
Response: Any = GenerateContentResponse.pb()

_Reason = Candidate.FinishReason
_FINISHES: dict[int, Finish] = {
    int(_Reason.STOP): "stop",
    int(_Reason.MAX_TOKENS): "max_tokens",
    int(_Reason.RECITATION): "recitation",
    int(_Reason.SAFETY): "blocked",
    int(_Reason.BLOCKLIST): "blocked",
    int(_Reason.PROHIBITED_CONTENT): "blocked",
    int(_Reason.SPII): "blocked",
    int(_Reason.MODEL_ARMOR): "blocked",
}
_BlockedReason = GenerateContentResponse.PromptFeedback.BlockedReason
_CATEGORIES = (
    HarmCategory.HARM_CATEGORY_HATE_SPEECH,
    HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
    HarmCategory.HARM_CATEGORY_HARASSMENT,
    HarmCategory.HARM_CATEGORY_SEXUALLY_EXPLICIT,
)


def build_request(model_path: str, task: Task[AnswerT], rejection: Rejection | None) -> Any:
    """The request for one call; asking again shows the model its own answer and what is wrong with it."""
    request = Request()
    request.CopyFrom(_constant_part(model_path, task.instructions, task.answer_type, task.max_output_tokens))
    schema = request.generation_config.response_json_schema
    for name, choices in task.choices.items():
        if choices:
            allow_only(choices, schema.struct_value.fields["properties"].struct_value.fields[name])
    _add_turn(request, "user", task.prompt)
    if rejection is not None:
        # The API refuses empty parts, and a conversation that ends with the model's turn.
        if rejection.text.strip():
            _add_turn(request, "model", rejection.text)
        _add_turn(request, "user", _complaint(rejection))
    return request


def read_completion(response: Any) -> Completion:
    """What a response says, in the words of the port. Reasons newer than this code count as `other`."""
    usage = _usage(response)
    if (reason := int(response.prompt_feedback.block_reason)) != _BlockedReason.BLOCKED_REASON_UNSPECIFIED:
        return Completion(
            text="", finish="blocked", usage=usage, blocked_by=f"prompt_{_name(_BlockedReason, reason)}"
        )
    if not response.candidates:
        return Completion(text="", finish="other", usage=usage)
    candidate = response.candidates[0]
    finish = _FINISHES.get(int(candidate.finish_reason), "other")
    if finish == "blocked":
        return Completion(
            text="", finish=finish, usage=usage, blocked_by=_name(_Reason, candidate.finish_reason)
        )
    text = "".join(part.text for part in candidate.content.parts if not part.thought)
    return Completion(text=text, finish=finish, usage=usage)


# 64 is more than stages times models times limits; what differs for each message is not part of the key.
@lru_cache(maxsize=64)
def _constant_part(
    model_path: str, instructions: str, answer_type: type[BaseModel], max_output_tokens: int
) -> Any:
    request = Request(model=model_path)
    request.system_instruction.parts.add(text=instructions)
    # No temperature, top_p or top_k: models from gemini-3.5-flash-lite on ignore them, and later ones
    # refuse them.
    config = request.generation_config
    config.max_output_tokens = max_output_tokens
    config.response_mime_type = "application/json"
    json_format.ParseDict(response_schema(answer_type), config.response_json_schema)
    # LOW is the least thinking that every current model accepts; 3.7, 3.8 and argon refuse MINIMAL. The 2.x models
    # know budgets only, and refuse levels.
    if "/models/gemini-2" not in model_path:
        config.thinking_config.thinking_level = int(GenerationConfig.ThinkingConfig.ThinkingLevel.LOW)
    for category in _CATEGORIES:
        # Children read the answers, and the service's own default is not to filter at all.
        request.safety_settings.add(
            category=int(category), threshold=int(SafetySetting.HarmBlockThreshold.BLOCK_LOW_AND_ABOVE)
        )
    return request


def _add_turn(request: Any, role: str, text: str) -> None:
    request.contents.add(role=role).parts.add(text=text)


def _complaint(rejection: Rejection) -> str:
    problems = "\n".join(f"- {problem}" for problem in rejection.problems)
    return f"That answer cannot be used:\n{problems}\nAnswer the same question again and mend this."


def _usage(response: Any) -> Usage | None:
    if not response.HasField("usage_metadata"):
        return None
    counted = response.usage_metadata
    output = counted.candidates_token_count + counted.thoughts_token_count
    return Usage(
        input_tokens=counted.prompt_token_count,
        # What is billed and named nowhere else is output: told less, the answer would seem to have cost less.
        output_tokens=max(output, counted.total_token_count - counted.prompt_token_count),
        cached_input_tokens=counted.cached_content_token_count,
    )


def _name(enum: Any, value: int) -> str:
    names: dict[int, str] = {int(member): member.name.lower() for member in enum}
    return names.get(int(value), "other")
