"""The methods of the service, on raw protobuf messages: the client library's wrappers cost far more time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from services.generation.providers.vertex_stubs import prediction_service
from tests.emulators.vertex_calls import Call, RequestLog, read_call
from tests.emulators.vertex_errors import RefusedError, abort
from tests.emulators.vertex_faults import FaultPlayer, Faults, Rule
from tests.emulators.vertex_rejections import rejection
from tests.emulators.vertex_replies import chunks, prompt_tokens, reply

_GenerateRequest = prediction_service.GenerateContentRequest.pb()
_GenerateResponse = prediction_service.GenerateContentResponse.pb()
_CountRequest = prediction_service.CountTokensRequest.pb()
_CountResponse = prediction_service.CountTokensResponse.pb()


class VertexService:
    """Answers calls, by the script of faults, and logs them."""

    def __init__(self, *, faults: Faults, latency_seconds: float) -> None:
        self.log = RequestLog()
        self._latency_seconds = latency_seconds
        self._player = FaultPlayer(faults)

    def play(self, faults: Faults) -> None:
        """Replace the script; its rules start to count anew."""
        self._player = FaultPlayer(faults)

    def handlers(self) -> "tuple[grpc.GenericRpcHandler[Any, Any], ...]":
        """What a gRPC server needs to serve this. CountTokens belongs to another service, as in the API."""
        generate = grpc.unary_unary_rpc_method_handler(
            self._generate, _GenerateRequest.FromString, _GenerateResponse.SerializeToString
        )
        stream = grpc.unary_stream_rpc_method_handler(
            self._stream, _GenerateRequest.FromString, _GenerateResponse.SerializeToString
        )
        count = grpc.unary_unary_rpc_method_handler(
            self._count, _CountRequest.FromString, _CountResponse.SerializeToString
        )
        return (
            grpc.method_handlers_generic_handler(
                "google.cloud.aiplatform.v1.PredictionService",
                {"GenerateContent": generate, "StreamGenerateContent": stream},
            ),
            grpc.method_handlers_generic_handler(
                "google.cloud.aiplatform.v1.LlmUtilityService", {"CountTokens": count}
            ),
        )

    async def _generate(self, request: Any, context: Any) -> Any:
        call = read_call("GenerateContent", request, request.model)
        try:
            with self.log.record(call, peer=context.peer()) as entry:
                rule = await self._admit(call)
                return reply(call, rule, response_id=f"emulated-{entry.number}")
        except RefusedError as exc:
            await abort(context, exc.refusal)

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        call = read_call("StreamGenerateContent", request, request.model)
        try:
            with self.log.record(call, peer=context.peer()) as entry:
                rule = await self._admit(call)
                for chunk in chunks(reply(call, rule, response_id=f"emulated-{entry.number}")):
                    yield chunk
        except RefusedError as exc:
            await abort(context, exc.refusal)

    async def _count(self, request: Any, context: Any) -> Any:
        call = read_call("CountTokens", request, request.model or request.endpoint)
        try:
            with self.log.record(call, peer=context.peer()):
                await self._admit(call)
                characters = len("".join((call.instructions + call.prompt).split()))
                return _CountResponse(total_tokens=prompt_tokens(call), total_billable_characters=characters)
        except RefusedError as exc:
            await abort(context, exc.refusal)

    async def _admit(self, call: Call) -> Rule | None:
        """Wait as long as the call takes; return the rule that shapes its answer, or raise `RefusedError`."""
        played = self._player.next(call)
        rule, latency = played or (None, None)
        refusal = rule.refusal(call) if rule is not None else None
        # Authorisation and quota come before the request is looked at; refusals come at once.
        refusal = refusal or rejection(call, reject_sampling=self._player.faults.reject_sampling)
        if latency is None:
            latency = 0.0 if refusal is not None else self._latency_seconds
        if latency:
            await asyncio.sleep(latency)
        if refusal is not None:
            raise RefusedError(refusal)
        if rule is not None and rule.hang:
            await asyncio.get_running_loop().create_future()
        return rule
