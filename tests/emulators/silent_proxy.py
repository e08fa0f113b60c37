"""A TCP proxy on loopback whose connections can go silent, as when a NAT or a load balancer forgets them."""

import asyncio
from contextlib import suppress
from typing import Self

from tests.emulators.google import LOOPBACK

_CHUNK_BYTES = 65_536


class Link:
    """One connection. While it `is_silent` nothing is passed on, either way, and nothing is closed."""

    def __init__(self, *, is_silent: bool) -> None:
        self.is_silent = is_silent


class SilentProxy:
    """Forwards connections to `target` (`host:port`), in the event loop of the caller. Use as `async with`.

    Every connection gets a link, oldest first; new ones are silent from their first byte while `starts_silent` is set.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.host = ""
        self.links: list[Link] = []
        self.starts_silent = False

    def silence(self) -> None:
        """Let all connections that there are now go silent; later ones work."""
        for link in self.links:
            link.is_silent = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, LOOPBACK, 0)
        self.host = "{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(is_silent=self.starts_silent)
        self.links.append(link)
        task = asyncio.create_task(self._forward(link, reader, writer))
        self._tasks.add(task)

    async def _forward(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = self._target.split(":")
        far_reader, far_writer = await asyncio.open_connection(address, int(port))
        try:
            await asyncio.gather(_pump(link, reader, far_writer), _pump(link, far_reader, writer))
        finally:
            writer.transport.abort()
            far_writer.transport.abort()


async def _pump(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            if not link.is_silent:
                writer.write(data)
                await writer.drain()
    if not link.is_silent:
        writer.close()
