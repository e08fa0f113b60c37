"""The provider on the wire, against the emulator in the same event loop."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import google.auth.credentials
import grpc
import pytest
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.auth.transport.grpc import AuthMetadataPlugin
from structlog.testing import capture_logs

from services.errors import ModelRejected, ModelUnavailable
from services.generation.port import Answer, Completion, ModelRef, Rejection
from services.generation.pricing import price
from services.generation.providers.vertex import VertexProvider, endpoint_of
from tests.emulators.vertex import Faults, Rule, VertexEmulator
from tests.unit.generation.doubles import BEST, MARKER, SECOND, Lesson, Pauses, ladder, lesson_task, rung


def on_the_wire(
    scenario: Callable[[VertexProvider, VertexEmulator], Awaitable[None]], *rules: Rule
) -> VertexEmulator:
    async def run() -> VertexEmulator:
        async with VertexEmulator(faults=Faults(rules=list(rules), reject_sampling=True)) as emulator:
            provider = VertexProvider("school", emulator_host=emulator.host, today=lambda: date(2026, 11, 20))
            try:
                await scenario(provider, emulator)
            finally:
                await provider.close()
        return emulator

    return asyncio.run(run())


def complete(*rules: Rule, model: ModelRef = BEST, timeout: float = 10.0) -> Completion:
    completions: list[Completion] = []

    async def scenario(provider: VertexProvider, emulator: VertexEmulator) -> None:
        completions.append(await provider.complete(lesson_task(), model=model, timeout=timeout))

    on_the_wire(scenario, *rules)
    return completions[0]


def test_a_completion_fits_the_schema_and_was_counted() -> None:
    # Given a service that works
    # When a task is completed
    completion = complete()
    # Then there is an answer of the task's type, with its tokens
    assert completion.finish == "stop"
    assert Lesson.model_validate_json(completion.text)
    assert completion.usage is not None
    assert completion.usage.input_tokens > 0


def test_a_call_goes_to_the_models_own_path() -> None:
    # Given a reference with a location
    ref = ModelRef(provider="vertex", model="gemini-3.5-flash", location="eu")

    async def scenario(provider: VertexProvider, emulator: VertexEmulator) -> None:
        await provider.complete(lesson_task(), model=ref, timeout=10)
        await provider.complete(
            lesson_task(), model=ModelRef(provider="vertex", model="gemini-3.5-flash"), timeout=10
        )

    # When it is called, and then one without
    emulator = on_the_wire(scenario)
    # Then the location is the reference's, or else the provider's
    assert [(seen.model, seen.location) for seen in emulator.requests] == [
        ("gemini-3.5-flash", "eu"),
        ("gemini-3.5-flash", "global"),
    ]


def test_asking_again_is_accepted_by_the_service() -> None:
    # Given a rejected answer
    rejection = Rejection(text='{"grade": 13}', problems=["grade: too high"])

    async def scenario(provider: VertexProvider, emulator: VertexEmulator) -> None:
        await provider.complete(lesson_task(), model=BEST, rejection=rejection, timeout=10)

    # When it is asked again
    emulator = on_the_wire(scenario)
    # Then the service, which refuses a conversation that ends with the model, saw the problems
    assert "grade: too high" in emulator.requests[0].prompt
    assert emulator.requests[0].status == "OK"


@pytest.mark.parametrize(
    ("rule", "kind", "code", "retry_after"),
    [
        (Rule(status="UNAVAILABLE"), "unavailable", 503, None),
        (Rule(status="UNAVAILABLE", retry_after_seconds=1.5), "unavailable", 503, 1.5),
        (Rule(error="capacity"), "quota", 429, None),
        (Rule(error="quota", retry_after_seconds=7), "quota", 429, 7.0),
        (Rule(status="INTERNAL"), "server_error", 500, None),
        (Rule(hang=True), "timeout", 504, None),
    ],
)
def test_trouble_that_passes_is_unavailable(
    rule: Rule, kind: str, code: int, retry_after: float | None
) -> None:
    # Given a service in trouble
    # When it is called
    with pytest.raises(ModelUnavailable) as caught:
        complete(rule, timeout=0.2 if rule.hang else 10.0)
    # Then the trouble is named
    error = caught.value
    assert (error.kind, error.code, error.retry_after) == (kind, code, retry_after)


@pytest.mark.parametrize(
    ("rule", "kind", "fix"),
    [
        (Rule(error="retired"), "model_not_found", "constraints/vertexai.allowedModels"),
        (Rule(error="service_disabled"), "permission_denied", "gcloud services enable"),
        (Rule(error="iam_denied"), "permission_denied", "roles/aiplatform.user"),
        (Rule(error="project_invalid"), "permission_denied", "GOOGLE_CLOUD_PROJECT"),
        (Rule(error="billing_disabled"), "permission_denied", "gcloud billing"),
        (Rule(error="token_expired"), "unauthenticated", "gcloud auth"),
        (
            Rule(status="INVALID_ARGUMENT", message=f"Cannot read: {MARKER}"),
            "invalid_request",
            "WORKER_MODELS",
        ),
    ],
)
def test_a_refusal_is_rejected_without_the_servers_words(rule: Rule, kind: str, fix: str) -> None:
    # Given a service that refuses
    # When it is called
    with pytest.raises(ModelRejected) as caught:
        complete(rule)
    # Then the fix is there, and the question is in neither the error nor its traceback
    assert caught.value.kind == kind
    assert fix in caught.value.fix
    assert MARKER not in "".join(traceback.format_exception(caught.value))
    assert MARKER not in repr(vars(caught.value))


@pytest.mark.parametrize(
    ("rule", "finish", "blocked_by"),
    [
        (Rule(finish_reason="SAFETY"), "blocked", "safety"),
        (Rule(block_reason="PROHIBITED_CONTENT"), "blocked", "prompt_prohibited_content"),
        (Rule(finish_reason=17), "other", None),
        (Rule(finish_reason="MAX_TOKENS"), "max_tokens", None),
        (Rule(answer="no_candidates"), "other", None),
    ],
)
def test_answers_that_are_none_are_told_apart(rule: Rule, finish: str, blocked_by: str | None) -> None:
    # Given a service that answers without an answer
    # When it is called
    completion = complete(rule)
    # Then that is said in the port's words
    assert (completion.finish, completion.blocked_by) == (finish, blocked_by)


def climb(*rules: Rule) -> tuple[Answer[Lesson], VertexEmulator]:
    answers: list[Answer[Lesson]] = []

    async def scenario(provider: VertexProvider, emulator: VertexEmulator) -> None:
        pauses = Pauses()
        rungs = [rung(provider, ref, pauses=pauses, price=price) for ref in (BEST, SECOND)]  # type: ignore[arg-type]  # the real provider
        answers.append(await ladder(*rungs).generate(lesson_task()))

    emulator = on_the_wire(scenario, *rules)
    return answers[0], emulator


def test_a_storm_of_two_calls_is_sat_out() -> None:
    # Given a service that is unavailable twice
    # When the ladder is asked
    answer, emulator = climb(Rule(times=2, status="UNAVAILABLE"))
    # Then the best model answers on its third call, at a price
    assert (answer.provenance.mode, answer.provenance.attempts) == ("live", 3)
    assert answer.provenance.cost_usd
    assert len(emulator.requests) == 3


def test_a_retired_model_is_replaced_by_the_next_rung() -> None:
    # Given a best model that is gone
    with capture_logs() as logs:
        # When the ladder is asked
        answer, emulator = climb(Rule(model=r"gemini-3\.8-flash", error="retired"))
    # Then it said so twice, the next one answered, and there is one warning
    assert answer.provenance.mode == "fallback"
    assert [seen.model for seen in emulator.requests] == [BEST.model, BEST.model, SECOND.model]
    assert [entry["event"] for entry in logs] == ["rung.closed"]
    assert MARKER not in repr((logs, answer.provenance))


def test_an_answer_that_breaks_the_schema_is_mended() -> None:
    # Given a service whose first answer does not fit
    # When the ladder is asked
    answer, emulator = climb(Rule(times=1, answer="schema_invalid"))
    # Then the second answer of the same model is taken, and the first was a part of its question
    assert (answer.provenance.mode, answer.provenance.attempts) == ("live", 2)
    assert "cannot be used" in emulator.requests[1].prompt


def test_calls_at_the_same_moment_share_one_channel() -> None:
    # Given a provider that has not called yet, and slow credentials
    opened: list[str] = []

    async def run() -> None:
        async with VertexEmulator() as emulator:

            async def open_channel(endpoint: str) -> grpc.aio.Channel:
                opened.append(endpoint)
                await asyncio.sleep(0)
                return grpc.aio.insecure_channel(emulator.host)

            provider = VertexProvider("school", open_channel=open_channel)
            refs = [BEST, SECOND, ModelRef(provider="vertex", model="gemini-3.5-flash", location="eu")] * 5
            # When fifteen calls begin at once, to two endpoints
            await asyncio.gather(*(provider.complete(lesson_task(), model=ref, timeout=10) for ref in refs))
            await provider.close()

    asyncio.run(run())
    # Then each endpoint has one channel
    assert sorted(opened) == ["aiplatform.eu.rep.googleapis.com", "aiplatform.googleapis.com"]


def test_more_calls_than_a_connection_takes_share_several() -> None:
    # Given a worker that makes up to 250 calls at once
    opened: list[grpc.aio.Channel] = []

    async def run() -> None:
        async with VertexEmulator() as emulator:

            async def open_channel(_endpoint: str) -> grpc.aio.Channel:
                opened.append(grpc.aio.insecure_channel(emulator.host))
                return opened[-1]

            provider = VertexProvider("school", calls_at_once=250, open_channel=open_channel)
            # When it calls
            await asyncio.gather(
                *(provider.complete(lesson_task(), model=BEST, timeout=10) for _ in range(6))
            )
            # Then three connections share the calls
            assert len(opened) == 3
            ready = grpc.ChannelConnectivity.READY
            assert [channel.get_state() for channel in opened] == [ready] * 3
            await provider.close()

    asyncio.run(run())


def test_missing_credentials_are_a_refusal_with_a_fix() -> None:
    # Given a machine without credentials
    async def open_channel(endpoint: str) -> grpc.aio.Channel:
        raise DefaultCredentialsError("Your default credentials were not found.")

    async def run() -> None:
        await VertexProvider("school", open_channel=open_channel).complete(
            lesson_task(), model=BEST, timeout=10
        )

    # When the first call is made
    with pytest.raises(ModelRejected) as caught:
        asyncio.run(run())
    # Then it says how to log in
    assert caught.value.kind == "unauthenticated"
    assert "gcloud auth application-default login" in caught.value.fix


class _Credentials(google.auth.credentials.Credentials):  # type: ignore[misc]  # google.auth has no types here
    """Credentials that cannot be renewed."""

    def __init__(self, error: GoogleAuthError) -> None:
        super().__init__()
        self._error = error

    def refresh(self, request: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RefreshError("invalid_grant: Token has been expired or revoked."), ModelRejected),
        (TransportError("connection refused"), ModelUnavailable),
    ],
)
def test_a_token_that_cannot_be_had_during_a_call_is_understood(
    error: GoogleAuthError, expected: type[Exception], tmp_path: Path
) -> None:
    # Given a channel as the library makes it, whose credentials fail to renew their token
    address, local = f"unix:{tmp_path}/s", grpc.LocalConnectionType.UDS

    async def open_channel(endpoint: str) -> grpc.aio.Channel:
        plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(_Credentials(error), None))
        both = grpc.composite_channel_credentials(grpc.local_channel_credentials(local), plugin)
        return grpc.aio.secure_channel(address, both)

    async def run() -> None:
        server = grpc.aio.server()
        server.add_secure_port(address, grpc.local_server_credentials(local))
        await server.start()
        provider = VertexProvider("school", open_channel=open_channel)
        try:
            await provider.complete(lesson_task(), model=BEST, timeout=10)
        finally:
            await provider.close()
            await server.stop(None)

    # When a call is made
    # Then dead credentials are told apart from a network that may recover
    with pytest.raises(expected):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_a_location_has_its_host(location: str, host: str) -> None:
    # Given a location
    # When its host is asked for
    # Then it is the documented one
    assert endpoint_of(location) == host
