"""What stands before every endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from services.errors import (
    ConfigurationError,
    ContentWorkerError,
    MessageDecodeError,
    PermanentError,
    QueueUnavailable,
    StoreUnavailable,
)
from tests.unit.worker.web.calling import call
from worker.web.answers import Answer, HttpError
from worker.web.buckets import TokenBuckets
from worker.web.calls import Call
from worker.web.front import Endpoint, Front, Gate
from worker.web.keys import parse_keys
from worker.web.lazily import Lazily

SECRET = "a-secret-of-the-app"
OPEN = Gate(keys=None, buckets=None)


def front(endpoint: Callable[[Call], Awaitable[Answer]], gate: Gate = OPEN) -> Front:
    @asynccontextmanager
    async def made() -> AsyncIterator[Endpoint]:
        yield endpoint

    return Front("submit", Lazily(made), methods=("POST",), gate=gate, clock=lambda: 0.0)


def raising(error: Exception) -> Callable[[Call], Awaitable[Answer]]:
    async def endpoint(_call: Call) -> Answer:
        raise error

    return endpoint


async def fine(_call: Call) -> Answer:
    structlog.contextvars.bind_contextvars(request_id="q-1")
    return Answer(status=204)


def answer(front: Front, **changes: Any) -> Answer:
    return asyncio.run(front.answer(call(**changes)))


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (HttpError(409, "in_progress", "Not yet."), 409, "in_progress"),
        (MessageDecodeError("grade_level: odd", kind="invalid_fields"), 400, "invalid_fields"),
        (MessageDecodeError("large", kind="too_large"), 413, "too_large"),
        (StoreUnavailable("The database of project y is away."), 503, "store_unavailable"),
        (QueueUnavailable("The topic of project y is away."), 503, "queue_unavailable"),
        (ConfigurationError("Topic x of project y is missing.", fix="Make it."), 503, "configuration"),
        (PermanentError("The queue refuses it."), 500, "permanent"),
        (ContentWorkerError("Something else."), 500, "error"),
        (ValueError("words of a student"), 500, "bug"),
    ],
)
def test_every_error_is_an_answer_in_json(error: Exception, status: int, kind: str) -> None:
    with capture_logs() as logs:
        answered = answer(front(raising(error)))
    assert (answered.status, answered.body["error"]["kind"]) == (status, kind)  # type: ignore[index]
    if status == 503:
        assert int(answered.headers["Retry-After"]) > 0
    assert "words of a student" not in json.dumps([dict(answered.body or {}), logs])
    assert "project y" not in json.dumps(dict(answered.body or {}))


def test_what_an_operator_must_mend_is_logged_with_the_fix() -> None:
    with capture_logs() as logs:
        answer(front(raising(ConfigurationError("Topic x is missing.", fix="Make it."))))
    (told,) = [line for line in logs if line["event"] == "http.not_answered"]
    assert (told["log_level"], told["cause"], told["fix"]) == ("error", "Topic x is missing.", "Make it.")


def test_a_bug_is_logged_with_its_kind_and_place() -> None:
    with capture_logs() as logs:
        answer(front(raising(ValueError("words"))))
    (told,) = [line for line in logs if line["event"] == "http.crashed"]
    assert "ValueError at " in told["cause"]
    assert "words" not in told["cause"]


def test_every_call_has_one_line_with_what_its_work_has_bound() -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        both = front(fine)
        answer(both)
    (line,) = [line for line in logs if line["event"] == "http.answered"]
    assert (line["target"], line["status"], line["seconds"]) == ("submit", 204, 0.0)
    assert line["request_id"] == "q-1"


def test_another_method_is_told_the_right_one_before_anybody_asks_for_a_key() -> None:
    gate = Gate(keys=parse_keys(f"app:{SECRET}"), buckets=None)
    answered = answer(front(fine, gate), method="PUT")
    assert (answered.status, answered.headers["Allow"]) == (405, "POST")


def test_who_has_no_key_costs_the_others_nothing() -> None:
    gate = Gate(keys=parse_keys(f"app:{SECRET}"), buckets=TokenBuckets(1, clock=lambda: 0.0))
    guarded = front(fine, gate)
    assert [answer(guarded).status for _ in range(3)] == [401, 401, 401]
    known = {"authorization": f"Bearer {SECRET}"}
    assert [answer(guarded, headers=known).status for _ in range(2)] == [204, 429]


def test_without_keys_everybody_is_counted_by_address() -> None:
    counted = front(fine, Gate(keys=None, buckets=TokenBuckets(1, clock=lambda: 0.0)))
    assert [answer(counted, peer=peer).status for peer in ("8.8.8.8", "8.8.4.4", "8.8.8.8")] == [
        204,
        204,
        429,
    ]


def test_what_is_cut_off_lets_go_what_it_holds_and_is_answered() -> None:
    let_go: list[str] = []

    at_work = asyncio.Event()

    async def stuck(_call: Call) -> Answer:
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append("claim")
        raise AssertionError

    async def stop() -> Answer:
        stopping = front(stuck)
        waiting = asyncio.create_task(stopping.answer(call()))
        await at_work.wait()
        stopping.cut_off()
        await stopping.close()
        return await waiting

    answered = asyncio.run(stop())
    assert (answered.status, answered.body["error"]["kind"]) == (503, "stopping")  # type: ignore[index]
    assert let_go == ["claim"]


def test_a_call_that_is_cut_off_by_the_server_takes_its_work_with_it() -> None:
    ended: list[bool] = []
    at_work = asyncio.Event()

    async def stuck(_call: Call) -> Answer:
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        raise AssertionError

    async def cut() -> None:
        waiting = asyncio.create_task(front(stuck).answer(call()))
        await at_work.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cut())
    assert ended == [True]


class Connections:
    """Counts how often it is opened and closed; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.opened = 0
        self.closed = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        self.opened += 1
        yield "connection"
        self.closed += 1


def test_a_connection_is_made_once_however_many_need_it_at_the_same_time() -> None:
    connections = Connections()

    async def many() -> list[str]:
        lazily = Lazily(connections)
        made = await asyncio.gather(*(lazily() for _ in range(50)))
        await lazily.close()
        return made

    assert asyncio.run(many()) == ["connection"] * 50
    assert (connections.opened, connections.closed) == (1, 1)


def test_a_failure_to_connect_is_not_kept() -> None:
    async def twice() -> str:
        lazily = Lazily(Connections(failures=1))
        with pytest.raises(StoreUnavailable):
            await lazily()
        return await lazily()

    assert asyncio.run(twice()) == "connection"


def test_what_was_never_made_is_never_closed() -> None:
    connections = Connections()
    asyncio.run(Lazily(connections).close())
    assert (connections.opened, connections.closed) == (0, 0)
