"""The HTTP ways in, put together. Knows no web framework, so that commands without one need not load it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import structlog

from services.learning.feedback import FeedbackDesk
from services.storage.patience import Patience
from worker.lease import LeaseKeeper
from worker.settings import Settings
from worker.web.buckets import TokenBuckets
from worker.web.front import Endpoint, Front, Gate
from worker.web.keys import parse_keys
from worker.web.lazily import Lazily
from worker.web.looking import Result
from worker.web.opinions import GiveFeedback
from worker.web.pushing import Push, PushedQueue
from worker.web.submission import Submit
from worker.wiring.backends import connect
from worker.wiring.models import language_models
from worker.wiring.work import message_handler, result_policy, settler, student_key

log = structlog.get_logger()

Make = Callable[[Settings], AbstractAsyncContextManager[Endpoint]]


def front(target: str, settings: Settings) -> Front:
    """The target's front; its endpoint is made at first need. Raises `ConfigurationError` for bad keys."""
    make, methods = TARGETS[target]
    return Front(target, Lazily(lambda: make(settings)), methods=methods, gate=_gate(target, settings))


def _gate(target: str, settings: Settings) -> Gate:
    if target == "push":  # IAM decides who may push, and the slots how often
        return Gate(keys=None, buckets=None)
    buckets = TokenBuckets(settings.worker_api_rate_per_minute)
    if settings.worker_api_keys is not None:
        return Gate(keys=parse_keys(settings.worker_api_keys.get_secret_value()), buckets=buckets)
    log.warning(
        "api.open",
        cause="WORKER_API_KEYS is not set: whoever reaches this service may call it.",
        fix="Set WORKER_API_KEYS, or let IAM decide (Cloud Run with --no-allow-unauthenticated).",
    )
    return Gate(keys=None, buckets=buckets)


@asynccontextmanager
async def _submit(settings: Settings) -> AsyncIterator[Endpoint]:
    async with connect(settings) as backend:
        yield Submit(
            results=backend.results,
            publisher=backend.publisher,
            announcements=backend.announcements,
            topic=settings.worker_topic,
            policy=result_policy(settings, student_key=student_key(settings)),
        )


@asynccontextmanager
async def _result(settings: Settings) -> AsyncIterator[Endpoint]:
    async with connect(settings) as backend:
        yield Result(backend.results)


@asynccontextmanager
async def _feedback(settings: Settings) -> AsyncIterator[Endpoint]:
    async with connect(settings) as backend:
        yield GiveFeedback(FeedbackDesk(results=backend.results, store=backend.feedback, now=_utc_now))


@asynccontextmanager
async def _push(settings: Settings) -> AsyncIterator[Endpoint]:
    patience, queue = Patience(), PushedQueue()
    async with (
        connect(settings) as backend,
        language_models(settings, backend, patience) as asked,
    ):
        push = Push(
            handler=message_handler(settings, backend, model=asked.language, patience=patience),
            settler=settler(settings, backend, queue),
            leases=LeaseKeeper(queue, lease_seconds=settings.worker_lease_seconds),
            concurrency=settings.worker_concurrency,
            seconds=settings.worker_max_runtime_seconds,
            watch=asked.watch,
        )
        async with push.renewing():
            yield push


def _utc_now() -> datetime:
    return datetime.now(UTC)


TARGETS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "submit": (_submit, ("POST",)),
    "result": (_result, ("GET", "HEAD")),
    "feedback": (_feedback, ("POST",)),
    "push": (_push, ("POST",)),
}
