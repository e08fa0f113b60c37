"""The HTTP ways in as functions-framework targets: `content-worker serve submit`, or

    functions-framework --target submit --source worker/functions.py

The framework loads this file under a name of its own, beside the package: it must hold nothing but the targets.
"""

from functions_framework import aio
from starlette.requests import Request
from starlette.responses import Response

from worker.web.app import answer


@aio.http
async def submit(request: Request) -> Response:
    """POST a question; it is answered later, under its request id."""
    return await answer("submit", request)


@aio.http
async def result(request: Request) -> Response:
    """GET /<request_id>: the result, once there is one."""
    return await answer("result", request)


@aio.http
async def feedback(request: Request) -> Response:
    """POST what somebody thinks of a result."""
    return await answer("feedback", request)


@aio.http
async def push(request: Request) -> Response:
    """POST of a Pub/Sub push subscription or of Eventarc. Whoever may call it is decided by IAM, not by keys."""
    return await answer("push", request)
