"""The connections to one endpoint of Vertex AI, each judged by itself.

A connection can go silent: a NAT or a load balancer forgets it, packets are dropped, and nobody says so. gRPC finds out
by its keepalive, unless something in between answers the pings. So a connection on which calls only time out is
replaced, too.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from services.generation.providers.vertex_wire import Request, Response

log = structlog.get_logger()

METHOD = "/google.cloud.aiplatform.v1.PredictionService/GenerateContent"

SILENT_SECONDS = 20.0
"""How long nothing may come while calls wait, before one that times out condemns its connection.

Less than a call's own time limit, so that one is enough; more than a message may have left at its end.
"""

OpenChannel = Callable[[str], Awaitable[grpc.aio.Channel]]
Metadata = Sequence[tuple[str, str]]


@dataclass(eq=False, kw_only=True, slots=True)
class _Connection:
    """`silent_since` is when the first call began that nothing has been heard after, None while none is waiting."""

    channel: grpc.aio.Channel
    generate: Callable[..., Awaitable[Any]]
    calls: int = 0
    silent_since: float | None = None

    def begin(self, now: float) -> None:
        self.calls += 1
        if self.silent_since is None:
            self.silent_since = now

    def heard(self, now: float) -> None:
        self.silent_since = now if self.calls > 1 else None

    def silence(self, now: float) -> float:
        return 0.0 if self.silent_since is None else now - self.silent_since


class Channels:
    """Makes calls on `connections` connections in turn; they are opened by the first call, in its event loop."""

    def __init__(
        self,
        endpoint: str,
        *,
        open_channel: OpenChannel,
        connections: int = 1,
        silent_seconds: float = SILENT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._open_channel = open_channel
        self._wanted = connections
        self._silent_seconds = silent_seconds
        self._clock = clock
        self._turns = itertools.count()
        self._connections: list[_Connection] = []
        self._replaced: set[_Connection] = set()
        self._changing = asyncio.Lock()

    async def generate(self, request: Any, *, timeout: float, metadata: Metadata) -> Any:
        """The response to one call. Raises `AioRpcError`, and what opening a channel raises."""
        connections = self._connections or await self._open_all()
        connection = connections[next(self._turns) % len(connections)]
        connection.begin(self._clock())
        try:
            response = await connection.generate(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                await self._judge(connection)
            else:
                # An answer, or gRPC has noticed by itself that the connection is gone and opens it again.
                connection.heard(self._clock())
            raise
        else:
            connection.heard(self._clock())
            return response
        finally:
            connection.calls -= 1
            if not connection.calls and connection in self._replaced:
                self._replaced.remove(connection)
                await connection.channel.close(grace=None)

    async def close(self) -> None:
        """Close the connections; calls under way are cancelled."""
        opened = [*self._connections, *self._replaced]
        self._connections = []
        self._replaced.clear()
        for connection in opened:
            await connection.channel.close(grace=None)

    async def _open_all(self) -> list[_Connection]:
        async with self._changing:
            if not self._connections:
                self._connections = [await self._open() for _ in range(self._wanted)]
            return self._connections

    async def _open(self) -> _Connection:
        channel = await self._open_channel(self._endpoint)
        generate = channel.unary_unary(
            METHOD, request_serializer=Request.SerializeToString, response_deserializer=Response.FromString
        )
        return _Connection(channel=channel, generate=generate)

    async def _judge(self, connection: _Connection) -> None:
        """Replace a connection that has been silent for too long. Its last calls end on it: one may still answer."""
        silence = connection.silence(self._clock())
        if silence < self._silent_seconds:
            return
        async with self._changing:
            if connection not in self._connections:
                return
            self._connections[self._connections.index(connection)] = await self._open()
            self._replaced.add(connection)
        log.info("connection.replaced", endpoint=self._endpoint, silent_seconds=round(silence, 1))
