"""The Vertex emulator, seen through Google's own client: what it shows must be what the real service would show."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1 import LlmUtilityServiceAsyncClient, PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.services.llm_utility_service.transports import (
    LlmUtilityServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.types import (
    Candidate,
    Content,
    CountTokensRequest,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    Part,
    Schema,
    Type,
)
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2
from pydantic import BaseModel, Field, ValidationError

from services.content.models import InterestMatch, ScriptDraft, Understanding
from tests.emulators.vertex import ErrorInfo, Faults, Rule, VertexEmulator, VertexProcess
from tests.emulators.vertex_calls import Call
from tests.emulators.vertex_faults import FaultPlayer

PROJECT = "projects/school/locations/global"
FLASH = "gemini-3.8-flash"

CANDIDATES = [
    {"id": "motion", "name": "Laws of motion", "summary": "How forces change the way things move."},
    {"id": "plants", "name": "Photosynthesis", "summary": "How plants make sugar from light, water and air."},
]
NLU_INPUT = {"question": "How do plants make sugar from light?", "grade_level": 6, "candidates": CANDIDATES}
INTEREST_INPUT = {"question": NLU_INPUT["question"], "grade_level": 6, "interests": ["chess", "soccer"]}
SCRIPT_INPUT = {
    "topic": {"name": "Photosynthesis"},
    "focus": "sugar",
    "interest": "soccer",
    "target_words": 450,
}


def path(model: str) -> str:
    return f"{PROJECT}/publishers/google/models/{model}"


def json_config(answer_type: type[BaseModel], **options: Any) -> GenerationConfig:
    schema = json_format.ParseDict(answer_type.model_json_schema(), struct_pb2.Value())
    return GenerationConfig(response_mime_type="application/json", response_json_schema=schema, **options)


def ask(
    data: dict[str, Any] = NLU_INPUT,
    answer_type: type[BaseModel] = Understanding,
    *,
    model: str = FLASH,
    **options: Any,
) -> GenerateContentRequest:
    prompt = "Understand the question.\nINPUT:\n" + json.dumps(data)
    return GenerateContentRequest(
        model=path(model),
        system_instruction=Content(parts=[Part(text="You teach.")]),
        contents=[Content(role="user", parts=[Part(text=prompt)])],
        generation_config=json_config(answer_type, **options),
    )


@asynccontextmanager
async def gapic(host: str) -> AsyncIterator[PredictionServiceAsyncClient]:
    async with grpc.aio.insecure_channel(host) as channel:
        yield PredictionServiceAsyncClient(transport=PredictionServiceGrpcAsyncIOTransport(channel=channel))


async def generate(
    host: str, request: GenerateContentRequest, *, timeout: float = 30
) -> GenerateContentResponse:
    async with gapic(host) as client:
        response: GenerateContentResponse = await client.generate_content(request, timeout=timeout)
        return response


def run(scenario: Callable[[VertexEmulator], Coroutine[Any, Any, Any]], *rules: Rule, **options: Any) -> Any:
    """What the scenario returns, run against an emulator with these rules."""

    async def serve() -> Any:
        async with VertexEmulator(faults=Faults(rules=list(rules), **options)) as emulator:
            return await scenario(emulator)

    return asyncio.run(serve())


def answer(request: GenerateContentRequest, *rules: Rule, **options: Any) -> GenerateContentResponse:
    response: GenerateContentResponse = run(
        lambda emulator: generate(emulator.host, request), *rules, **options
    )
    return response


def text_of(response: GenerateContentResponse) -> str:
    return "".join(part.text for part in response.candidates[0].content.parts)


# ---- answers


def test_a_question_gets_the_candidate_that_shares_most_words_with_it() -> None:
    # When
    understanding = Understanding.model_validate_json(text_of(answer(ask())))

    # Then
    assert (understanding.kind, understanding.topic_id) == ("learning", "plants")


def test_a_question_that_shares_no_word_gets_the_first_candidate() -> None:
    # Given
    question = ask({**NLU_INPUT, "question": "Which empire built those famous roads?"})

    # When
    understanding = Understanding.model_validate_json(text_of(answer(question)))

    # Then
    assert understanding.topic_id == "motion"


@pytest.mark.parametrize(
    ("question", "kind"),
    [("Why so?", "unclear"), ("Which pizza tastes best with extra cheese?", "off_topic")],
)
def test_a_question_that_cannot_be_taught_gets_no_topic(question: str, kind: str) -> None:
    # When
    understanding = Understanding.model_validate_json(
        text_of(answer(ask({**NLU_INPUT, "question": question})))
    )

    # Then
    assert (understanding.kind, understanding.topic_id) == (kind, None)


@pytest.mark.parametrize(
    ("question", "asks_about"),
    [
        ("Explain photosynthesis using soccer, please", "topic"),
        ("Why are plants green and never blue?", "detail"),
        ("Explain photosynthesis with how many leaves", "detail"),
        ("Explain photosynthesis question number 17", "detail"),
    ],
)
def test_numbers_and_question_words_make_it_a_question_about_a_detail(question: str, asks_about: str) -> None:
    # When
    understanding = Understanding.model_validate_json(
        text_of(answer(ask({**NLU_INPUT, "question": question})))
    )

    # Then
    assert (understanding.kind, understanding.asks_about) == ("learning", asks_about)


def test_without_candidates_a_topic_is_named_by_one_word_and_not_by_the_question() -> None:
    # Given
    question = ask({"question": "Tell me about the Renaissance please", "candidates": []})

    # When
    understanding = Understanding.model_validate_json(text_of(answer(question)))

    # Then
    assert (understanding.topic_id, understanding.topic_name) == (None, "renaissance")


def test_the_first_interest_is_matched() -> None:
    # When
    match = InterestMatch.model_validate_json(text_of(answer(ask(INTEREST_INPUT, InterestMatch))))

    # Then
    assert match.name == "chess"


@pytest.mark.parametrize("words", [75, 450, 1500])
def test_a_script_has_the_words_that_were_asked_for(words: int) -> None:
    # When
    draft = ScriptDraft.model_validate_json(
        text_of(answer(ask({**SCRIPT_INPUT, "target_words": words}, ScriptDraft)))
    )

    # Then
    spoken = " ".join([draft.hook, *(section.content for section in draft.sections)])
    assert len(spoken.split()) == words
    assert "soccer" in spoken
    assert "Photosynthesis" in spoken


def test_a_stage_is_known_by_its_fields_when_the_schema_has_no_title() -> None:
    # Given
    request = ask(SCRIPT_INPUT, ScriptDraft)
    del GenerateContentRequest.pb(request).generation_config.response_json_schema.struct_value.fields["title"]

    # When
    draft = ScriptDraft.model_validate_json(text_of(answer(request)))

    # Then
    assert draft.title == "Photosynthesis with soccer"


@pytest.mark.parametrize("answer_type", [Understanding, InterestMatch, ScriptDraft])
def test_a_stage_is_answered_even_without_input(answer_type: type[BaseModel]) -> None:
    # Given
    request = ask({}, answer_type)
    request.contents[0].parts[0].text = "Hello"

    # When / Then
    assert answer_type.model_validate_json(text_of(answer(request)))


class Leaf(BaseModel):
    kind: Literal["oak", "elm"]
    size: int = Field(ge=3, le=5)
    share: float = Field(gt=0, lt=0.4)


class Tree(BaseModel):
    name: str = Field(min_length=40, max_length=45)
    leaf: Leaf | None
    leaves: list[Leaf] = Field(min_length=2, max_length=3)
    parent: "Tree | None" = None
    green: bool


def test_an_unknown_schema_gets_an_answer_that_fits() -> None:
    # When
    tree = Tree.model_validate_json(text_of(answer(ask(answer_type=Tree))))

    # Then
    assert len(tree.leaves) == 2


def test_an_openapi_schema_gets_an_answer_that_fits() -> None:
    # Given
    number = Schema(type_=Type.INTEGER, minimum=3)
    schema = Schema(
        type_=Type.OBJECT,
        properties={"marks": Schema(type_=Type.ARRAY, items=number, min_items=2)},
        required=["marks"],
    )
    request = ask()
    request.generation_config = GenerationConfig(
        response_mime_type="application/json", response_schema=schema
    )

    # When / Then
    assert json.loads(text_of(answer(request))) == {"marks": [3, 3]}


def test_an_answer_tells_its_model_finish_and_usage() -> None:
    # When
    response = answer(ask())

    # Then
    usage = response.usage_metadata
    assert response.model_version == FLASH
    assert response.response_id
    assert response.candidates[0].finish_reason is Candidate.FinishReason.STOP
    assert usage.prompt_token_count > 20
    assert usage.candidates_token_count == round(len(text_of(response).split()) * 1.3)
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )


def test_an_answer_longer_than_its_limit_is_cut() -> None:
    # When
    response = answer(ask(SCRIPT_INPUT, ScriptDraft, max_output_tokens=200))

    # Then
    assert response.candidates[0].finish_reason is Candidate.FinishReason.MAX_TOKENS
    assert response.usage_metadata.candidates_token_count <= 200


def test_a_stream_brings_the_same_answer_in_pieces() -> None:
    # Given
    async def scenario(
        emulator: VertexEmulator,
    ) -> tuple[list[GenerateContentResponse], GenerateContentResponse]:
        async with gapic(emulator.host) as client:
            stream = await client.stream_generate_content(ask(SCRIPT_INPUT, ScriptDraft), timeout=30)
            return [chunk async for chunk in stream], await client.generate_content(
                ask(SCRIPT_INPUT, ScriptDraft)
            )

    # When
    chunks, whole = run(scenario)

    # Then
    assert len(chunks) == 4
    assert "".join(text_of(chunk) for chunk in chunks) == text_of(whole)
    assert [chunk.candidates[0].finish_reason.name for chunk in chunks] == [
        "FINISH_REASON_UNSPECIFIED"
    ] * 3 + ["STOP"]
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_tokens_are_counted() -> None:
    # Given
    async def scenario(emulator: VertexEmulator) -> int:
        async with grpc.aio.insecure_channel(emulator.host) as channel:
            client = LlmUtilityServiceAsyncClient(
                transport=LlmUtilityServiceGrpcAsyncIOTransport(channel=channel)
            )
            contents = [
                Content(role="user", parts=[Part(text="one two three four five six seven eight nine ten")])
            ]
            request = CountTokensRequest(endpoint=path(FLASH), model=path(FLASH), contents=contents)
            return int((await client.count_tokens(request, timeout=30)).total_tokens)

    # When / Then
    assert run(scenario) == 13


# ---- refusals


def test_a_retired_model_is_not_found_in_googles_words_and_without_details() -> None:
    # When
    with pytest.raises(exceptions.NotFound) as caught:
        answer(ask(), Rule(model=r"gemini-3\.8-.*", error="retired"))

    # Then
    assert f"Publisher Model `{path(FLASH)}` was not found" in caught.value.message
    assert (caught.value.reason, caught.value.details) == (None, [])


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("service_disabled", exceptions.PermissionDenied, "SERVICE_DISABLED"),
        ("iam_denied", exceptions.PermissionDenied, "IAM_PERMISSION_DENIED"),
        ("project_invalid", exceptions.PermissionDenied, "CONSUMER_INVALID"),
        ("billing_disabled", exceptions.PermissionDenied, "BILLING_DISABLED"),
        ("token_expired", exceptions.Unauthenticated, "ACCESS_TOKEN_EXPIRED"),
        ("quota", exceptions.ResourceExhausted, "RATE_LIMIT_EXCEEDED"),
        ("capacity", exceptions.ResourceExhausted, None),
        ("not_found", exceptions.NotFound, None),
    ],
)
def test_an_error_of_the_service_arrives_with_its_reason(
    name: Any, kind: type[exceptions.GoogleAPICallError], reason: str | None
) -> None:
    # When
    with pytest.raises(kind) as caught:
        answer(ask(), Rule(error=name))

    # Then
    assert caught.value.reason == reason


def test_error_info_and_retry_info_arrive_intact() -> None:
    # Given
    info = ErrorInfo(reason="TOO_BUSY", domain="example.org", metadata={"zone": "a"})
    rule = Rule(status="UNAVAILABLE", message="Not now.", error_info=info, retry_after_seconds=2.5)

    # When
    with pytest.raises(exceptions.ServiceUnavailable) as caught:
        answer(ask(), rule)

    # Then
    error = caught.value
    assert (error.message, error.reason, error.domain, error.metadata) == (
        "Not now.",
        "TOO_BUSY",
        "example.org",
        {"zone": "a"},
    )
    delays = [one.retry_delay for one in error.details if isinstance(one, error_details_pb2.RetryInfo)]
    assert [(delay.seconds, delay.nanos) for delay in delays] == [(2, 500_000_000)]


@pytest.mark.parametrize(
    "status", ["INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"]
)
def test_a_status_arrives_as_the_exception_of_its_code(status: str) -> None:
    # When
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        answer(ask(), Rule(status=status))

    # Then
    assert caught.value.grpc_status_code is grpc.StatusCode[status]


def test_calls_above_the_quota_are_refused() -> None:
    # Given
    async def scenario(emulator: VertexEmulator) -> Counter[str]:
        async with gapic(emulator.host) as client:
            calls = (client.generate_content(ask(), timeout=30) for _ in range(5))
            await asyncio.gather(*calls, return_exceptions=True)
        return Counter(entry.status for entry in emulator.requests)

    # When: so slow a quota gives nothing back while the test runs
    statuses = run(scenario, Rule(quota_per_second=1e-6, burst=3))

    # Then
    assert statuses == {"OK": 3, "RESOURCE_EXHAUSTED": 2}


def test_a_call_that_hangs_ends_by_the_callers_deadline() -> None:
    # When / Then
    with pytest.raises(exceptions.DeadlineExceeded):
        run(lambda emulator: generate(emulator.host, ask(), timeout=0.05), Rule(hang=True))


def with_model_turn(request: GenerateContentRequest) -> None:
    request.contents.append(Content(role="model", parts=[Part(text="{")]))


def with_minimal_thinking(request: GenerateContentRequest) -> None:
    request.generation_config.thinking_config.thinking_level = "MINIMAL"


def with_two_thinking_controls(request: GenerateContentRequest) -> None:
    request.generation_config.thinking_config.thinking_level = "LOW"
    request.generation_config.thinking_config.thinking_budget = 100


def with_plain_text(request: GenerateContentRequest) -> None:
    request.generation_config.response_mime_type = "text/plain"


def with_temperature(request: GenerateContentRequest) -> None:
    request.generation_config.temperature = 0.5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (with_model_turn, "Requests ending with a model turn are not supported."),
        (with_minimal_thinking, "MINIMAL"),
        (with_two_thinking_controls, "thinking_budget and thinking_level are not supported together"),
        (with_plain_text, "response_mime_type"),
        (with_temperature, "temperature"),
    ],
)
def test_a_request_that_the_service_would_refuse_is_refused(
    spoil: Callable[[GenerateContentRequest], None], words: str
) -> None:
    # Given
    request = ask()
    spoil(request)

    # When / Then
    with pytest.raises(exceptions.InvalidArgument, match=words):
        answer(request, reject_sampling=True)


def test_older_models_take_minimal_thinking_and_sampling() -> None:
    # Given
    request = ask(model="gemini-3.5-flash")
    with_minimal_thinking(request)
    with_temperature(request)

    # When / Then
    assert answer(request, reject_sampling=True).usage_metadata.thoughts_token_count == 0


def test_a_name_that_is_no_gemini_is_not_found() -> None:
    # When / Then
    with pytest.raises(exceptions.NotFound):
        answer(ask(model="palm-9"))


# ---- spoiled answers


@pytest.mark.parametrize(
    ("rule", "ending"),
    [
        (Rule(answer="fenced"), "```"),
        (Rule(answer="not_json"), "words."),
        (Rule(answer="truncated"), ""),
        (Rule(answer="schema_invalid"), "}"),
        (Rule(text="[1]"), "[1]"),
    ],
)
def test_a_spoiled_text_does_not_validate(rule: Rule, ending: str) -> None:
    # When
    text = text_of(answer(ask(), rule))

    # Then
    assert text.endswith(ending)
    with pytest.raises(ValidationError):
        Understanding.model_validate_json(text)


@pytest.mark.parametrize(
    ("rule", "reason", "has_text"),
    [
        (Rule(finish_reason="MAX_TOKENS"), "MAX_TOKENS", True),
        (Rule(finish_reason="MAX_TOKENS", answer="empty_text"), "MAX_TOKENS", False),
        (Rule(answer="empty_text"), "STOP", False),
        (Rule(finish_reason="SAFETY"), "SAFETY", False),
        (Rule(finish_reason="RECITATION"), "RECITATION", False),
    ],
)
def test_an_answer_that_does_not_finish_says_why(rule: Rule, reason: str, has_text: bool) -> None:
    # When
    response = answer(ask(), rule)

    # Then
    assert response.candidates[0].finish_reason.name == reason
    assert bool(text_of(response)) is has_text


def test_a_finish_reason_newer_than_the_client_arrives_as_a_number() -> None:
    # When
    response = answer(ask(), Rule(finish_reason=17))

    # Then
    assert GenerateContentResponse.pb(response).candidates[0].finish_reason == 17


def test_a_blocked_prompt_has_a_reason_and_no_candidates() -> None:
    # When
    response = answer(ask(), Rule(block_reason="PROHIBITED_CONTENT"))

    # Then
    assert response.prompt_feedback.block_reason.name == "PROHIBITED_CONTENT"
    assert not response.candidates


def test_an_answer_may_come_without_candidates() -> None:
    # When
    response = answer(ask(), Rule(answer="no_candidates"))

    # Then
    assert not response.candidates


# ---- the script of faults


def call(*, stage: str = "nlu", model: str = FLASH, location: str = "global") -> Call:
    parts = {
        "method": "GenerateContent",
        "path": path(model),
        "prompt": "",
        "instructions": "",
        "request": None,
    }
    return Call(stage=stage, model=model, location=location, **parts)  # type: ignore[arg-type]  # mixed values


def plays(rule: Rule, *calls: Call, **options: Any) -> list[bool]:
    player = FaultPlayer(Faults(rules=[rule], **options))
    return [player.next(one) is not None for one in calls]


@pytest.mark.parametrize("stage", ["script", "ScriptDraft"])
def test_a_rule_is_for_its_stage_by_either_name(stage: str) -> None:
    assert plays(Rule(stage=stage), call(stage="nlu"), call(stage="script")) == [False, True]


def test_a_rule_is_for_its_whole_model_name_and_its_location() -> None:
    # Given
    rule = Rule(model="gemini-3.5-flash", location="us")

    # When
    played = plays(
        rule,
        call(model="gemini-3.5-flash-lite", location="us"),
        call(model="gemini-3.5-flash", location="global"),
        call(model="gemini-3.5-flash", location="us"),
    )

    # Then
    assert played == [False, False, True]


def test_a_rule_waits_and_then_acts_a_number_of_times() -> None:
    assert plays(Rule(after=1, times=2), *[call()] * 5) == [False, True, True, False, False]


def test_probability_follows_the_seed() -> None:
    # When
    first, again, other = (plays(Rule(probability=0.3), *[call()] * 200, seed=seed) for seed in (1, 1, 2))

    # Then
    assert first == again != other
    assert 30 < sum(first) < 90


def test_a_quota_fills_up_with_time() -> None:
    # Given
    times = iter((0.0, 0.0, 0.1, 0.6, 0.7, 5.0, 5.0))
    player = FaultPlayer(Faults(rules=[Rule(quota_per_second=2)]), clock=lambda: next(times))

    # When
    refused = [player.next(call()) is not None for _ in range(6)]

    # Then
    assert refused == [False, True, False, True, False, True]


def test_a_latency_range_is_drawn_from() -> None:
    # Given
    player = FaultPlayer(Faults(rules=[Rule(latency_seconds=(0.1, 0.2))]))

    # When
    latencies = [played[1] for _ in range(20) if (played := player.next(call())) is not None]

    # Then
    assert all(seconds is not None and 0.1 <= seconds <= 0.2 for seconds in latencies)
    assert len(set(latencies)) > 1


def test_a_rule_that_wants_two_things_is_refused() -> None:
    with pytest.raises(ValidationError, match="a rule does one thing"):
        Rule(error="retired", hang=True)


@pytest.mark.parametrize("field", ["status", "finish_reason", "block_reason", "model", "unknown"])
def test_a_rule_with_a_word_nobody_knows_is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({field: "(NONSENSE"})


# ---- the log, the control and the process


def test_the_log_tells_what_was_asked_and_how_it_ended() -> None:
    # Given
    async def scenario(emulator: VertexEmulator) -> None:
        with pytest.raises(exceptions.ServiceUnavailable):
            await generate(emulator.host, ask())
        await generate(emulator.host, ask())
        await generate(emulator.host, ask(INTEREST_INPUT, InterestMatch, model="gemini-3.5-flash"))

        # Then
        seen = emulator.requests
        assert [(one.number, one.stage, one.attempt, one.status) for one in seen] == [
            (1, "nlu", 1, "UNAVAILABLE"),
            (2, "nlu", 2, "OK"),
            (3, "interest", 1, "OK"),
        ]
        assert [one.model for one in seen] == [FLASH, FLASH, "gemini-3.5-flash"]
        assert seen[0].prompt.endswith(json.dumps(NLU_INPUT))
        assert (seen[0].instructions, seen[0].location, seen[0].in_flight) == ("You teach.", "global", 1)

    # When
    run(scenario, Rule(times=1, status="UNAVAILABLE"))


def test_asking_again_with_the_rejected_answer_is_the_second_attempt() -> None:
    # Given
    again = ask()
    again.contents.append(Content(role="model", parts=[Part(text="{}")]))
    again.contents.append(Content(role="user", parts=[Part(text="That answer cannot be used.")]))

    async def scenario(emulator: VertexEmulator) -> None:
        # When
        await generate(emulator.host, ask())
        response = await generate(emulator.host, again)

        # Then
        assert [entry.attempt for entry in emulator.requests] == [1, 2]
        assert emulator.requests[1].prompt.endswith("\n{}\nThat answer cannot be used.")
        assert Understanding.model_validate_json(text_of(response)).topic_id == "plants"

    run(scenario)


def test_faults_change_and_the_log_empties_while_it_runs() -> None:
    # Given
    async def scenario(emulator: VertexEmulator) -> None:
        # When
        emulator.set_faults(Faults(rules=[Rule(status="INTERNAL")]))
        # Then
        with pytest.raises(exceptions.InternalServerError):
            await generate(emulator.host, ask())

        # When
        emulator.reset()
        # Then
        assert emulator.requests == []
        assert await generate(emulator.host, ask())

    run(scenario)


def test_a_process_is_controlled_from_outside_and_stops_cleanly() -> None:
    # Given
    with VertexProcess(faults=Faults(rules=[Rule(times=1, error="retired")])) as vertex:
        # When / Then
        with pytest.raises(exceptions.NotFound):
            asyncio.run(generate(vertex.host, ask()))
        vertex.control.set_faults(Faults(rules=[Rule(status="INTERNAL")]))
        with pytest.raises(exceptions.InternalServerError):
            asyncio.run(generate(vertex.host, ask()))
        assert [entry.status for entry in vertex.control.requests()] == ["NOT_FOUND", "INTERNAL"]
        vertex.control.reset()
        assert vertex.control.requests() == []

        # When / Then
        assert vertex.stop() == 0


def test_a_process_stops_cleanly_while_calls_hang() -> None:
    # Given
    with VertexProcess(faults=Faults(rules=[Rule(hang=True)])) as vertex:

        async def scenario() -> int:
            hanging = asyncio.create_task(generate(vertex.host, ask()))
            while not await asyncio.to_thread(vertex.control.requests):
                pass
            code = await asyncio.to_thread(vertex.stop)
            with pytest.raises(exceptions.GoogleAPICallError):
                await hanging
            return code

        # When / Then
        assert asyncio.run(scenario()) == 0


def test_a_process_that_cannot_read_its_faults_says_so() -> None:
    # Given
    vertex = VertexProcess()
    vertex._command[-1] = '{"rules": [{"status": "TEAPOT"}]}'

    # When / Then
    with pytest.raises(RuntimeError, match="exit code 2"):
        vertex.start()
