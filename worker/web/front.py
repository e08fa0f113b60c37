"""What stands before every endpoint: method, key, rate; errors become answers; one log line a call."""

import asyncio
import contextvars
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from services.content.failures import place_of
from services.errors import ConfigurationError, ContentWorkerError
from worker.web.answers import Answer, HttpError, come_again, http_error_of
from worker.web.buckets import TokenBuckets
from worker.web.callers import caller_of
from worker.web.calls import Call
from worker.web.keys import ApiKeys
from worker.web.lazily import Lazily

log = structlog.get_logger()

Endpoint = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Who may pass, and how often. Without keys everybody may; without buckets as often as they like."""

    keys: ApiKeys | None
    buckets: TokenBuckets | None

    def let_pass(self, call: Call) -> None:
        """Bind the caller's name to log lines. Raises `HttpError`: 401 without a known key, 429 above the rate."""
        name = self._name_of(call)
        if self.buckets is None:
            return
        wait = self.buckets.wait_seconds(name or caller_of(call))
        if wait > 0:
            raise come_again("rate_limited", "Too many requests.", seconds=math.ceil(wait), status=429)

    def _name_of(self, call: Call) -> str | None:
        if self.keys is None:
            return None
        name = self.keys.name_of(call.headers.get("authorization"))
        if name is None:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "unauthenticated",
                "The request has no key that is known here.",
                fix="Send the header Authorization: Bearer <secret>.",
                headers={"WWW-Authenticate": 'Bearer realm="content-worker"'},
            )
        structlog.contextvars.bind_contextvars(key=name)
        return name


class Front:
    """One target. Answers every call, and ends in good order."""

    def __init__(
        self,
        target: str,
        endpoint: Lazily[Endpoint],
        *,
        methods: Sequence[str],
        gate: Gate,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._endpoint = endpoint
        self._methods = methods
        self._gate = gate
        self._clock = clock
        self._in_flight: set[asyncio.Task[Answer]] = set()

    async def open(self) -> None:
        """Make the endpoint before anybody calls. Raises what keeps it from being made."""
        await self._endpoint()

    async def answer(self, call: Call) -> Answer:
        """Answer one call, come what may."""
        started, context = self._clock(), contextvars.copy_context()
        # A task of its own, so that it can be ended without ending what has to send the answer.
        work = asyncio.create_task(self._work(call), context=context)
        self._in_flight.add(work)
        try:
            answer = await self._outcome(work)
        finally:
            self._in_flight.discard(work)
        context.run(self._tell, answer, self._clock() - started)
        return answer

    def cut_off(self) -> None:
        """End all calls in flight; they are answered that this instance is stopping."""
        for work in self._in_flight:
            work.cancel()

    async def close(self) -> None:
        """Close the endpoint's connections, once nothing is in flight any more."""
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        await self._endpoint.close()

    async def _outcome(self, work: asyncio.Task[Answer]) -> Answer:
        try:
            return await work
        except asyncio.CancelledError:
            if (call := asyncio.current_task()) is not None and call.cancelling():
                raise  # it is the call that was cancelled, and its work with it
            message = "This instance is stopping; what was begun is not finished."
            return come_again("stopping", message, seconds=1).answer()

    async def _work(self, call: Call) -> Answer:
        structlog.contextvars.clear_contextvars()
        try:
            return await self._admit(call)
        except HttpError as error:
            return error.answer()
        except ContentWorkerError as error:
            self._tell_operator(error)
            return http_error_of(error).answer()
        except Exception as error:  # noqa: BLE001  # a bug is answered, too; its text may quote what was sent
            cause = f"{type(error).__name__} at {place_of(error)}: a bug; please report the place."
            log.error("http.crashed", target=self._target, cause=cause)
            message = "A bug kept this request from being handled; it was logged."
            return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", message).answer()

    async def _admit(self, call: Call) -> Answer:
        if call.method not in self._methods:
            allowed = ", ".join(self._methods)
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"This way in takes {allowed}.",
                headers={"Allow": allowed},
            )
        self._gate.let_pass(call)
        endpoint = await self._endpoint()
        return await endpoint(call)

    def _tell_operator(self, error: ContentWorkerError) -> None:
        if isinstance(error, ConfigurationError):
            log.error("http.not_answered", target=self._target, cause=error.message, fix=error.fix)
        else:
            log.warning("http.not_answered", target=self._target, kind=error.kind, cause=error.message)

    def _tell(self, answer: Answer, seconds: float) -> None:
        level = log.warning if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else log.info
        level("http.answered", target=self._target, status=answer.status, seconds=round(seconds, 3))
