"""Which requests the real service refuses because of what they ask for."""

import re
from typing import Any

import grpc

from tests.emulators.vertex_calls import Call
from tests.emulators.vertex_errors import Refusal, known_error

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


def rejection(call: Call, *, reject_sampling: bool) -> Refusal | None:
    """The refusal of a request that can never succeed, or None."""
    if not call.model.startswith("gemini-"):
        return known_error("retired", model_path=call.path)
    config = call.request.generation_config
    problem = (
        _contents_problem(call.request.contents)
        or _schema_problem(config)
        or _thinking_problem(config, call.model)
        or (_sampling_problem(config, call.model) if reject_sampling else None)
    )
    return Refusal(code=grpc.StatusCode.INVALID_ARGUMENT, message=problem) if problem else None


def _contents_problem(contents: Any) -> str | None:
    if not contents:
        return "Unable to submit request because it must have at least one contents field."
    if contents[-1].role == "model":
        return "Requests ending with a model turn are not supported."
    return None


def _schema_problem(config: Any) -> str | None:
    named = [name for name in ("response_schema", "response_json_schema") if config.HasField(name)]
    if len(named) == 2:
        return "response_json_schema is set: response_schema must be omitted."
    if named and config.response_mime_type != "application/json":
        return f"{named[0]} is set: response_mime_type must be application/json."
    return None


def _thinking_problem(config: Any, model: str) -> str | None:
    thinking = config.thinking_config
    if thinking.HasField("thinking_budget") and thinking.HasField("thinking_level"):
        return "thinking_budget and thinking_level are not supported together."
    if _version(model) < (3, 7):
        return None
    if thinking.HasField("thinking_budget"):
        return f"thinking_budget is not supported by {model}."
    if thinking.thinking_level == thinking.ThinkingLevel.Value("MINIMAL"):
        return f"Thinking level MINIMAL is not supported by {model}."
    return None


def _sampling_problem(config: Any, model: str) -> str | None:
    if _version(model) < (3, 6) and not model.startswith("gemini-3.5-flash-lite"):
        return None
    named = [name for name in ("temperature", "top_p", "top_k") if config.HasField(name)]
    return f"{', '.join(named)} cannot be set for {model}." if named else None


def _version(model: str) -> tuple[int, int]:
    found = _VERSION.match(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
