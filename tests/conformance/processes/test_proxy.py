"""The proxy, and what the Vertex emulator sees of the callers behind it."""

from typing import Any

import grpc
import pytest
from google.cloud.aiplatform_v1.types import prediction_service

from tests.conformance.processes.proxy import TcpProxy
from tests.conformance.processes.waiting import until
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

GENERATE = "/google.cloud.aiplatform.v1.PredictionService/GenerateContent"
MODEL = "projects/p/locations/global/publishers/google/models/gemini-3.8-flash"
REQUEST = prediction_service.GenerateContentRequest(
    model=MODEL, contents=[{"role": "user", "parts": [{"text": "Why?"}]}]
)


def caller(host: str) -> grpc.Channel:
    """A channel that remembers nothing of others: gRPC shares connections, and their pauses after a refusal, else."""
    return grpc.insecure_channel(host, options=[("grpc.use_local_subchannel_pool", 1)])


def ask(channel: grpc.Channel) -> Any:
    method = channel.unary_unary(GENERATE, request_serializer=None, response_deserializer=None)
    return method.future(prediction_service.GenerateContentRequest.serialize(REQUEST), timeout=20)


def test_a_caller_whose_connection_breaks_leaves_a_cancelled_call_with_its_address() -> None:
    # Given a call behind a proxy that the model never answers
    faults = Faults(rules=[Rule(hang=True)])
    with VertexProcess(faults=faults) as vertex, TcpProxy(vertex.host) as proxy:
        with caller(proxy.host) as channel:
            open_call = ask(channel)
            until(lambda: len(vertex.control.requests()) == 1, 10, "a call")
            # When the connection is cut
            proxy.cut()
            # Then the caller meets an outage, and the emulator logs who it was and that it ended
            with pytest.raises(grpc.RpcError) as caught:
                open_call.result()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        until(lambda: vertex.control.requests()[0].status == "CANCELLED", 10, "a cancelled call")
        (seen,) = vertex.control.requests()
        assert {seen.peer} == proxy.peers
        assert seen.ended_at is not None
        assert seen.ended_at >= seen.received_at


def test_a_proxy_refuses_while_it_is_cut_and_passes_on_again_when_it_is_open() -> None:
    with VertexProcess() as vertex, TcpProxy(vertex.host) as proxy:
        # Given a proxy that has been cut
        proxy.cut()
        # When a caller comes, then it is refused at once
        with caller(proxy.host) as channel, pytest.raises(grpc.RpcError) as caught:
            ask(channel).result()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        # When it is open again at the same address, then the next caller gets its answer
        proxy.open()
        with caller(proxy.host) as channel:
            assert ask(channel).result()


def test_a_frozen_proxy_passes_nothing_on_until_it_is_open() -> None:
    with VertexProcess() as vertex, TcpProxy(vertex.host) as proxy:
        # Given a frozen proxy
        proxy.freeze()
        with caller(proxy.host) as channel:
            # When a caller comes, then nothing happens
            waiting = ask(channel)
            with pytest.raises(grpc.FutureTimeoutError):
                waiting.result(timeout=0.5)
            assert vertex.control.requests() == []
            # When it thaws, then the caller is answered
            proxy.open()
            assert waiting.result()


def test_the_emulator_keeps_as_many_calls_as_it_is_told() -> None:
    with VertexProcess() as vertex, grpc.insecure_channel(vertex.host) as channel:
        # Given an emulator that keeps two calls
        vertex.control.keep_requests(2)
        # When three are made, then the last two are in its log
        for _ in range(3):
            ask(channel).result()
        assert [seen.number for seen in vertex.control.requests()] == [2, 3]
