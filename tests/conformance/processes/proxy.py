"""A TCP proxy between a worker and a service, by which the service goes away and comes back."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

from tests.emulators.google import LOOPBACK

_TIMEOUT_SECONDS = 10.0
_CHUNK_BYTES = 65_536

T = TypeVar("T")


class TcpProxy:
    """Forwards connections to `target` (`host:port`); it runs in a thread of its own. Use as a context manager."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.peers: set[str] = set()
        """The addresses that the target has seen connections from, as gRPC writes them."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        # Bound but not listening, it keeps the port while the proxy refuses connections.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind((LOOPBACK, 0))

    @property
    def host(self) -> str:
        """`address:port` of the proxy."""
        return f"{LOOPBACK}:{self._port.getsockname()[1]}"

    def open(self) -> None:
        """Accept connections and forward them."""
        self._do(self._open())

    def cut(self) -> None:
        """Break all connections and refuse new ones until `open`."""
        self._do(self._cut())

    def freeze(self) -> None:
        """Leave all connections up, accept new ones, and pass nothing on until `open`."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_SECONDS)
        self._loop.close()
        self._port.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_SECONDS)

    async def _open(self) -> None:
        self._flowing.set()
        if self._server is None:
            address, port = self.host.split(":")
            self._server = await asyncio.start_server(self._forward, address, int(port))

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._flowing.set()

    async def _end(self) -> None:
        await self._cut()
        # With their connections broken they end by themselves; asyncio complains about those that are cancelled.
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=_TIMEOUT_SECONDS / 2)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            # A service that is gone breaks the connection; the caller sees what it would see without a proxy.
            with suppress(OSError):
                address, port = self.target.split(":")
                far_reader, far_writer = await asyncio.open_connection(address, int(port))
                self.peers.add("ipv4:{}:{}".format(*far_writer.get_extra_info("sockname")))
                self._writers.add(far_writer)
                await self._both_ways((reader, far_writer), (far_reader, writer))
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _both_ways(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Until either side ends: gRPC never uses a half-closed connection."""
        pumps = [asyncio.create_task(self._pump(reader, writer)) for reader, writer in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for (_, writer), pump in zip(ways, pumps, strict=True):
                pump.cancel()
                writer.transport.abort()
                self._writers.discard(writer)
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
