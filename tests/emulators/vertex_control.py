"""Changing the faults and reading the request log of a running emulator, over its own port.

The service is `emulator.Control`, its messages are JSON: `SetFaults` takes a script, `KeepRequests` a number,
`Requests` and `Reset` take nothing.
"""

import dataclasses
import json
from typing import Any, Self

import grpc
from pydantic import ValidationError

from tests.emulators.vertex_calls import SeenRequest
from tests.emulators.vertex_faults import Faults
from tests.emulators.vertex_service import VertexService

UNLIMITED_MESSAGES = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
"""A request log with its prompts easily exceeds the usual 4 MB."""

_TIMEOUT_SECONDS = 10.0


def _as_it_is(message: bytes) -> bytes:
    return message


def control_handler(service: VertexService) -> "grpc.GenericRpcHandler[bytes, bytes]":
    """The control service of one emulator."""

    async def set_faults(request: bytes, context: Any) -> bytes:
        try:
            service.play(Faults.model_validate_json(request))
        except ValidationError as exc:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        return b"{}"

    async def keep_requests(request: bytes, _context: Any) -> bytes:
        service.log.keep(int(json.loads(request)))
        return b"{}"

    async def requests(_request: bytes, _context: Any) -> bytes:
        return json.dumps([dataclasses.asdict(entry) for entry in service.log.entries]).encode()

    async def reset(_request: bytes, _context: Any) -> bytes:
        service.play(Faults())
        service.log.clear()
        return b"{}"

    methods = {
        "SetFaults": set_faults,
        "KeepRequests": keep_requests,
        "Requests": requests,
        "Reset": reset,
    }
    return grpc.method_handlers_generic_handler(
        "emulator.Control",
        {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()},
    )


class VertexControl:
    """Controls the emulator at `host` (`127.0.0.1:8085`).

    Blocking: not for the event loop that serves the emulator. Every method raises `grpc.RpcError` when the
    emulator does not answer within ten seconds.
    """

    def __init__(self, host: str) -> None:
        self._channel = grpc.insecure_channel(host, options=UNLIMITED_MESSAGES)

    def set_faults(self, faults: Faults) -> None:
        """Replace the script of faults; its rules start to count anew."""
        self._call("SetFaults", faults.model_dump_json().encode())

    def keep_requests(self, number: int) -> None:
        """Keep this many calls in the log from now on, instead of the last 10,000."""
        self._call("KeepRequests", json.dumps(number).encode())

    def requests(self) -> list[SeenRequest]:
        """The calls seen since the start or the last reset, oldest first, at most the last 10,000."""
        return [SeenRequest(**entry) for entry in json.loads(self._call("Requests"))]

    def reset(self) -> None:
        """Forget all faults and all calls seen."""
        self._call("Reset")

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _call(self, method: str, message: bytes = b"{}") -> bytes:
        call = self._channel.unary_unary(f"/emulator.Control/{method}", _as_it_is, _as_it_is)
        answer: bytes = call(message, timeout=_TIMEOUT_SECONDS)
        return answer
