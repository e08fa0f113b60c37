"""What goes to Vertex AI and what comes back, in the messages of `google.cloud.aiplatform.v1`.

Plain protobuf messages are used instead of the wrappers around them (proto-plus): that takes a third less
CPU a call, and an enum value newer than the library is then a plain number instead of a warning.
"""

from functools import lru_cache
from typing import Any

from google.protobuf import json_format
from pydantic import BaseModel

from services.generation.port import AnswerT, Completion, Finish, Rejection, Task, Usage
from services.generation.providers.vertex_schema import allow_only, response_schema
from services.generation.providers.vertex_stubs import (
    Candidate,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    HarmCategory,
    SafetySetting,
)
from services.generation.runaway import shown_again

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
    request.CopyFrom(_constant_part(model_path, task.instructions, task.answer_type))
    config = request.generation_config
    config.max_output_tokens = task.max_output_tokens
    for name, choices in task.choices.items():
        if choices:
            properties = config.response_json_schema.struct_value.fields["properties"].struct_value
            allow_only(choices, properties.fields[name])
    _add_turn(request, "user", task.prompt)
    if rejection is not None:
        # The API refuses empty parts, and a conversation that ends with the model's turn.
        if (shown := shown_again(rejection.text)).strip():
            _add_turn(request, "model", shown)
        _add_turn(request, "user", _complaint(rejection))
    return request


def read_completion(response: Any) -> Completion:
    """What a response says, in the words of the port. Reasons newer than this code count as `other`."""
    usage = _usage(response)
    reason = int(response.prompt_feedback.block_reason)
    if reason == _BlockedReason.OTHER:
        # No verdict about what was asked: nothing came back, and nobody says why.
        return Completion(text="", finish="other", usage=usage)
    if reason != _BlockedReason.BLOCKED_REASON_UNSPECIFIED:
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
    if text and usage is not None and not usage.output_tokens:
        usage = None  # text without tokens: nobody counted it
    return Completion(text=text, finish=finish, usage=usage)


# 64 is more than stages times models; what differs for each message is not part of the key.
@lru_cache(maxsize=64)
def _constant_part(model_path: str, instructions: str, answer_type: type[BaseModel]) -> Any:
    request = Request(model=model_path)
    request.system_instruction.parts.add(text=instructions)
    # No temperature, top_p or top_k: models from gemini-3.5-flash-lite on ignore them, and later ones
    # refuse them.
    config = request.generation_config
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
    """The tokens of a call, or None where they were not counted: every call has a prompt.

    The prompt's count includes cached tokens. What the total has beyond its parts was billed, too, and is taken for
    output, the dearer kind. Fields: google/cloud/aiplatform/v1/prediction_service.proto, UsageMetadata.
    """
    counted = response.usage_metadata
    if counted.prompt_token_count <= 0:
        return None
    of_tools = sum(one.token_count for one in counted.tool_use_prompt_tokens_details)
    input_tokens = counted.prompt_token_count + of_tools
    return Usage(
        input_tokens=input_tokens,
        output_tokens=max(
            counted.candidates_token_count + counted.thoughts_token_count,
            counted.total_token_count - input_tokens,
        ),
        cached_input_tokens=min(counted.cached_content_token_count, input_tokens),
    )


def _name(enum: Any, value: int) -> str:
    names: dict[int, str] = {int(member): member.name.lower() for member in enum}
    return names.get(int(value), "other")
