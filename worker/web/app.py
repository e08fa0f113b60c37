"""From the web framework's requests to calls, and from answers to its responses; one front a process and target."""

import json
from collections.abc import AsyncIterator
from functools import cache

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from worker import logs
from worker.settings import load_settings
from worker.web.answers import Answer, HttpError
from worker.web.calls import Call
from worker.web.front import Front
from worker.wiring.serving import front

SECURITY_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@cache
def front_of(target: str) -> Front:
    """The one front of a target in this process, set up from the environment. Raises `ConfigurationError`."""
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    return front(target, settings)


async def answer(target: str, request: Request) -> Response:
    """Answer a request of the web framework."""
    return response_of(await front_of(target).answer(call_of(request)))


def call_of(request: Request) -> Call:
    """The request as a call."""
    return Call(
        method=request.method,
        path=request.scope["path"],
        query=request.query_params,
        headers={name.lower(): value for name, value in request.headers.items()},
        peer=request.client.host if request.client else None,
        chunks=_chunks(request),
    )


def response_of(answered: Answer) -> Response:
    """The answer as a response."""
    content, media_type = None, None
    if answered.body is not None:
        content, media_type = json.dumps(answered.body, ensure_ascii=False), "application/json"
    headers = {**SECURITY_HEADERS, **answered.headers}
    return Response(content, status_code=answered.status, headers=headers, media_type=media_type)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise HttpError(400, "disconnected", "The client went away before its body was complete.") from None
