"""The emulator as an object: a plaintext gRPC server in the event loop of the caller."""

from typing import Self

import grpc

from tests.emulators.vertex_calls import SeenRequest
from tests.emulators.vertex_control import UNLIMITED_MESSAGES, control_handler
from tests.emulators.vertex_faults import Faults
from tests.emulators.vertex_service import VertexService

_GRACE_SECONDS = 0.2
"""How long calls may go on after the stop; the ones that hang on purpose would never end."""


class VertexEmulator:
    """Gemini on Vertex AI, emulated. Use as `async with VertexEmulator(faults=…) as emulator`.

    `latency_seconds` is what every answer takes unless a rule of the faults says otherwise; port 0 takes a free
    one.
    Raises `RuntimeError` on entry when the port is taken.
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        latency_seconds: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._service = VertexService(faults=faults or Faults(), latency_seconds=latency_seconds)
        self._wanted = f"{host}:{port}"
        self._address = host
        self._port = port
        self._server: grpc.aio.Server | None = None

    @property
    def host(self) -> str:
        """`address:port`, as VERTEX_EMULATOR_HOST wants it."""
        return f"{self._address}:{self._port}"

    @property
    def requests(self) -> list[SeenRequest]:
        """The calls seen so far, oldest first, at most the last 10,000."""
        return self._service.log.entries

    def set_faults(self, faults: Faults) -> None:
        """Replace the script of faults; its rules start to count anew."""
        self._service.play(faults)

    def reset(self) -> None:
        """Forget all faults and all calls seen."""
        self._service.play(Faults())
        self._service.log.clear()

    async def __aenter__(self) -> Self:
        # Without so_reuseport=0 a second emulator on the same port would quietly take half of the calls.
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0), *UNLIMITED_MESSAGES))
        self._server.add_generic_rpc_handlers((*self._service.handlers(), control_handler(self._service)))
        self._port = self._server.add_insecure_port(self._wanted)
        await self._server.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)
