"""Calls for tests, with bodies that come in pieces."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from worker.web.calls import Call


class Chunks:
    """A body in pieces; `taken` counts the bytes that somebody has read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.taken += len(piece)
            yield piece


def call(
    body: bytes | Mapping[str, Any] | Chunks = b"",
    *,
    method: str = "POST",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    peer: str | None = "127.0.0.1",
) -> Call:
    if isinstance(body, Mapping):
        body = json.dumps(body).encode()
    chunks = Chunks([body]) if isinstance(body, bytes) else body
    return Call(
        method=method,
        path=path,
        query=query or {},
        headers=headers or {},
        peer=peer,
        chunks=aiter(chunks),
    )
