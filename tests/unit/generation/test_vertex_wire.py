from typing import Any

import pytest
from google.protobuf import json_format
from pydantic import BaseModel

from services.content.catalog import load_catalog
from services.generation.port import Completion, Rejection, Usage
from services.generation.providers.vertex_wire import Response, build_request, read_completion
from tests.unit.generation.doubles import MARKER, lesson_task


class Choosy(BaseModel):
    maybe: str | None
    must: str


PATH = "projects/p/locations/global/publishers/google/models/gemini-3.8-flash"


def request_of(path: str = PATH, **changes: Any) -> dict[str, Any]:
    rejection = changes.pop("rejection", None)
    built = build_request(path, lesson_task(**changes), rejection)
    as_dict: dict[str, Any] = json_format.MessageToDict(built, preserving_proto_field_name=True)
    return as_dict


def response(**fields: Any) -> Any:
    return json_format.ParseDict(fields, Response())


def candidate(finish: int, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": list(parts)}, "finish_reason": finish}


def test_a_request_says_everything_on_every_call() -> None:
    # Given a task
    # When its request is built
    request = request_of()
    # Then instructions, prompt, schema, limit and thinking are there
    assert request["model"] == PATH
    assert request["system_instruction"] == {"parts": [{"text": "Write a lesson."}]}
    assert request["contents"] == [{"role": "user", "parts": [{"text": f"Explain the {MARKER}."}]}]
    config = request["generation_config"]
    assert config["response_mime_type"] == "application/json"
    assert config["response_json_schema"]["title"] == "Lesson"
    assert config["max_output_tokens"] == 1000
    assert config["thinking_config"] == {"thinking_level": "LOW"}
    assert not {"temperature", "top_p", "top_k", "response_schema"} & set(config)


def test_models_that_know_no_thinking_levels_are_not_sent_one() -> None:
    # Given a model of the generation that knows thinking budgets only
    # When its request is built
    config = request_of(PATH.replace("gemini-3.8-flash", "gemini-2.5-flash"))["generation_config"]
    # Then it is left to its own default
    assert "thinking_config" not in config


def test_the_four_adjustable_safety_filters_are_set_to_the_strictest() -> None:
    # Given a task for a student
    # When its request is built
    settings = request_of()["safety_settings"]
    # Then none is left to the service's default, which is off
    assert {setting["category"] for setting in settings} == {
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    }
    assert {setting["threshold"] for setting in settings} == {"BLOCK_LOW_AND_ABOVE"}


def test_asking_again_shows_the_answer_and_its_problems_and_ends_with_the_user() -> None:
    # Given an answer that was turned down
    rejection = Rejection(text='{"grade": 13}', problems=["grade: too high", "title: missing"])
    # When the request is built
    contents = request_of(rejection=rejection)["contents"]
    # Then the model sees both, and the last turn is not its own
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    assert contents[1]["parts"][0]["text"] == '{"grade": 13}'
    assert "- grade: too high\n- title: missing" in contents[2]["parts"][0]["text"]


def test_an_empty_answer_is_not_shown_again_because_empty_parts_are_refused() -> None:
    # Given an answer without text
    rejection = Rejection(text=" ", problems=["The answer was empty."])
    # When the request is built
    contents = request_of(rejection=rejection)["contents"]
    # Then there is no model turn
    assert [turn["role"] for turn in contents] == ["user", "user"]


def test_an_answer_that_runs_on_is_not_shown_again_and_a_very_long_one_not_whole() -> None:
    # Given an answer that is stuck in a loop, and one of 60,000 characters
    loop = Rejection(text='{"title": "' + "light " * 5000, problems=["No JSON object."])
    prose = " ".join(fact for topic in load_catalog().topics.values() for fact in topic.key_facts)
    long = Rejection(text=prose[:60_000], problems=["No JSON object."])
    # When requests are built
    stuck, shortened = (request_of(rejection=rejection)["contents"] for rejection in (loop, long))
    # Then the model is only told what was wrong, or sees head and tail
    assert [turn["role"] for turn in stuck] == ["user", "user"]
    assert [turn["role"] for turn in shortened] == ["user", "model", "user"]
    assert len(shortened[1]["parts"][0]["text"]) < 10_000


def test_what_is_cached_of_a_request_is_not_changed_by_using_it() -> None:
    # Given a request that was built with its own prompt and a rejection
    request_of(prompt="First.", rejection=Rejection(text="x", problems=["y"]))
    # When the next one of the same stage is built
    contents = request_of(prompt="Second.")["contents"]
    # Then it holds nothing of the first
    assert contents == [{"role": "user", "parts": [{"text": "Second."}]}]


def test_choices_are_told_with_each_request_and_are_not_kept_for_the_next() -> None:
    # Given two questions with other candidates
    schemas = [
        request_of(choices={"maybe": ids}, answer_type=Choosy)["generation_config"]["response_json_schema"]
        for ids in (["a.b", "c.d"], ["e.f"], [])
    ]
    # When their requests are built
    allowed = [schema["properties"]["maybe"]["anyOf"] for schema in schemas]
    # Then each schema has its own candidates, or null; without any candidate there is no enumeration of nothing
    assert allowed == [
        [{"type": "string", "enum": ["a.b", "c.d"]}, {"type": "null"}],
        [{"type": "string", "enum": ["e.f"]}, {"type": "null"}],
        [{"type": "string"}, {"type": "null"}],
    ]
    plain = request_of(choices={"must": ["x"]}, answer_type=Choosy)["generation_config"][
        "response_json_schema"
    ]
    assert plain["properties"]["must"] == {"type": "string", "enum": ["x"]}


def test_a_larger_limit_is_not_lost_in_the_cache() -> None:
    # Given a task that was asked with one limit
    request_of()
    # When it is asked with another one
    config = request_of(max_output_tokens=2000)["generation_config"]
    # Then that one is sent
    assert config["max_output_tokens"] == 2000


def test_an_answer_is_its_text_without_the_thoughts() -> None:
    # Given a response with a thought, and text in two parts
    parts = ({"text": "Hm.", "thought": True}, {"text": '{"title": '}, {"text": '"Light"}'})
    usage = {
        "prompt_token_count": 100,
        "cached_content_token_count": 60,
        "candidates_token_count": 20,
        "thoughts_token_count": 30,
    }
    # When it is read
    completion = read_completion(response(candidates=[candidate(1, *parts)], usage_metadata=usage))
    # Then the text is whole, and thinking is billed as output
    assert completion == Completion(
        text='{"title": "Light"}',
        finish="stop",
        usage=Usage(input_tokens=100, output_tokens=50, cached_input_tokens=60),
    )


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        # Only the total knows of the output, or of some of it.
        ({"prompt_token_count": 100, "total_token_count": 140}, (100, 40, 0)),
        ({"prompt_token_count": 100, "candidates_token_count": 5, "total_token_count": 140}, (100, 40, 0)),
        ({"prompt_token_count": 100, "thoughts_token_count": 7, "total_token_count": 140}, (100, 40, 0)),
        # The total is missing, or smaller than its parts.
        ({"prompt_token_count": 100, "candidates_token_count": 5, "thoughts_token_count": 7}, (100, 12, 0)),
        ({"prompt_token_count": 100, "candidates_token_count": 5, "total_token_count": 3}, (100, 5, 0)),
        # What tools brought is input, and is not counted again as output.
        (
            {
                "prompt_token_count": 100,
                "tool_use_prompt_tokens_details": [{"token_count": 15}, {"token_count": 5}],
                "candidates_token_count": 5,
                "total_token_count": 125,
            },
            (120, 5, 0),
        ),
        # Cached tokens are a part of the prompt.
        (
            {"prompt_token_count": 100, "cached_content_token_count": 60, "candidates_token_count": 5},
            (100, 5, 60),
        ),
        (
            {"prompt_token_count": 100, "cached_content_token_count": 160, "candidates_token_count": 5},
            (100, 5, 100),
        ),
        # Nobody counted: the text has tokens, and so has the prompt.
        ({}, None),
        ({"prompt_token_count": 100}, None),
        ({"prompt_token_count": 100, "total_token_count": 100}, None),
        ({"candidates_token_count": 5, "total_token_count": 5}, None),
    ],
)
def test_tokens_are_as_many_as_were_billed_and_unknown_where_nobody_counted(
    counted: dict[str, Any], usage: tuple[int, int, int] | None
) -> None:
    # Given an answer with such a count
    answer = response(candidates=[candidate(1, {"text": '{"title": "Light"}'})], usage_metadata=counted)
    # When it is read
    read = read_completion(answer).usage
    # Then
    told = None if read is None else (read.input_tokens, read.output_tokens, read.cached_input_tokens)
    assert told == usage


@pytest.mark.parametrize(
    ("reason", "finish", "blocked_by"),
    [
        (0, "other", None),
        (1, "stop", None),
        (2, "max_tokens", None),
        (3, "blocked", "safety"),
        (4, "recitation", None),
        (5, "other", None),
        (6, "blocked", "blocklist"),
        (7, "blocked", "prohibited_content"),
        (8, "blocked", "spii"),
        (9, "other", None),
        (10, "blocked", "model_armor"),
        (17, "other", None),
        (9999, "other", None),
    ],
)
def test_finish_reasons_are_put_into_five_words(reason: int, finish: str, blocked_by: str | None) -> None:
    # Given a response that ended for a reason, perhaps one that the library does not know yet
    answer = response(candidates=[candidate(reason, {"text": "{}"})])
    # When it is read
    completion = read_completion(answer)
    # Then it is one of the port's words, and text that a filter blocked is gone
    assert (completion.finish, completion.blocked_by) == (finish, blocked_by)
    assert (completion.text == "") == (finish == "blocked")


@pytest.mark.parametrize(
    ("reason", "blocked_by"),
    [
        (1, "prompt_safety"),
        (3, "prompt_blocklist"),
        (4, "prompt_prohibited_content"),
        (5, "prompt_model_armor"),
        (6, "prompt_jailbreak"),
        (17, "prompt_other"),
    ],
)
def test_a_blocked_prompt_is_told_apart_from_a_blocked_answer(reason: int, blocked_by: str) -> None:
    # Given a response without candidates
    answer = response(prompt_feedback={"block_reason": reason}, usage_metadata={"prompt_token_count": 8})
    # When it is read
    completion = read_completion(answer)
    # Then the filter is named, and the tokens are counted
    assert (completion.finish, completion.blocked_by) == ("blocked", blocked_by)
    assert completion.usage == Usage(input_tokens=8, output_tokens=0)


def test_a_prompt_that_was_blocked_for_no_reason_given_is_no_verdict_but_an_empty_answer() -> None:
    # Given a response without candidates, whose block reason is OTHER
    answer = response(prompt_feedback={"block_reason": 2}, usage_metadata={"prompt_token_count": 8})
    # When it is read
    completion = read_completion(answer)
    # Then nobody is said to have blocked it, and the tokens are counted
    assert (completion.text, completion.finish, completion.blocked_by) == ("", "other", None)
    assert completion.usage == Usage(input_tokens=8, output_tokens=0)


def test_a_response_without_anything_is_an_empty_one() -> None:
    # Given a response with nothing in it
    # When it is read
    completion = read_completion(response())
    # Then there is no text, and nobody counted
    assert completion == Completion(text="", finish="other", usage=None)
