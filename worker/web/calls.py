"""One HTTP request as endpoints see it, and reading its body without trusting its length."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from worker.web.answers import HttpError

BODY_SECONDS = 30.0
"""How long a client may take to send its body."""

SPARED_BYTES = 1024 * 1024
"""How much more than allowed is read and thrown away: a client that is cut off while it sends sees no answer."""

_HANG_UP = {"Connection": "close"}
"""Ends the connection after the answer: the server would read what is left of the body, though it had no end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request. Names of headers are in lower case; `peer` is the address that the connection comes from."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str | None
    chunks: AsyncIterator[bytes]


async def body_of(call: Call, *, limit: int) -> bytes:
    """The body. Raises `HttpError`: 413 above `limit` bytes, 408 when it does not come."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(call, limit)
    except TimeoutError:
        message = f"The body did not arrive within {BODY_SECONDS:.0f} s."
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "slow_body", message, headers=_HANG_UP) from None


async def json_body_of(call: Call, *, limit: int) -> bytes:
    """The body of a call that does not say it were anything but JSON. Raises `HttpError`, 415 among others."""
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is not said to be JSON.",
            fix="Send the header Content-Type: application/json.",
        )
    if call.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "The body is compressed.",
            fix="Send it as it is, without Content-Encoding.",
        )
    return await body_of(call, limit=limit)


async def _read(call: Call, limit: int) -> bytes:
    announced = call.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit + SPARED_BYTES:
        raise _too_large(limit)
    body = bytearray()
    received = 0
    async for chunk in call.chunks:
        received += len(chunk)
        if received > limit + SPARED_BYTES:
            raise _too_large(limit)
        if received <= limit:
            body += chunk
    if received > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> HttpError:
    message = f"The body is too large; at most {limit} bytes are accepted."
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message, headers=_HANG_UP)
