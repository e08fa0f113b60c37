"""Runs that overlap on one queue: each goes by what it gets itself, and none waits for what another one has."""

import asyncio
import math
from pathlib import Path

import pytest

from services.messaging.port import Message, MessageQueue
from services.storage.patience import Patience
from tests.contract.clock import Clock
from tests.contract.queues import TOPIC, SqliteQueues
from tests.fakes import RecordingPublisher
from worker.consumer import Consumer, Limits
from worker.handler import Handled
from worker.lease import InFlight, LeaseKeeper
from worker.puller import PULL_WAIT_SECONDS, Puller
from worker.settlement import Action, Settlement
from worker.settler import Settler

IDLE_SECONDS = 10.0


@pytest.fixture
def queues(database_path: Path) -> SqliteQueues:
    return SqliteQueues(database_path)


def run_on(queue: MessageQueue, clock: Clock) -> Consumer:
    """A run that acks whatever it gets, in the queue's own time."""

    async def ack(_message: InFlight) -> Handled:
        return Handled(settlement=Settlement(action=Action.ACK, reason="stored"))

    def seconds() -> float:
        return clock.now().timestamp()

    return Consumer(
        queue=queue,
        puller=Puller(queue, clock=seconds, sleep=clock.sleep),
        handler=type("Handler", (), {"handle": staticmethod(ack)})(),
        leases=LeaseKeeper(queue, lease_seconds=60),
        settler=Settler(queue=queue, publisher=RecordingPublisher(), dead_letter_topic="dead"),
        limits=Limits(
            concurrency=8,
            idle_timeout_seconds=IDLE_SECONDS,
            max_runtime_seconds=math.inf,
            lease_seconds=60,
        ),
        patience=Patience(),
        clock=seconds,
    )


def test_a_task_that_finds_an_empty_queue_ends_well_after_the_idle_timeout(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given a queue that other tasks have emptied
        await queues.provisioner().provision()
        # When a task is started late
        summary = await run_on(queues.queue(), queues.clock).run()
        # Then it looks for as long as it may be idle, no longer than one pull beyond that, and ends with 0
        assert (summary.ending, summary.pulled, summary.exit_code) == ("drained", 0, 0)
        assert IDLE_SECONDS <= summary.seconds < IDLE_SECONDS + PULL_WAIT_SECONDS + 1

    queues.run(scenario)


def test_a_run_does_not_wait_for_messages_that_another_one_works_on(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given an execution that works on all messages there are, and keeps their leases
        await queues.provisioner().provision()
        await queues.publisher().publish(TOPIC, [Message(data=b"a"), Message(data=b"b")])
        other = queues.queue()
        held = await other.pull(2, wait_seconds=0)
        await other.extend(held, seconds=600)
        # When another execution starts
        summary = await run_on(queues.queue(), queues.clock).run()
        # Then it ends when it has been idle for long enough, although the first is still at work
        assert (summary.ending, summary.pulled, summary.exit_code) == ("drained", 0, 0)
        assert IDLE_SECONDS <= summary.seconds < IDLE_SECONDS + PULL_WAIT_SECONDS + 1
        # And it has not touched what the first has
        await asyncio.gather(*map(other.acknowledge, held))
        queues.clock.advance(3600)
        assert not await other.pull(2, wait_seconds=0)

    queues.run(scenario)


def test_what_another_run_gives_back_in_time_is_worked_on(queues: SqliteQueues) -> None:
    async def scenario() -> None:
        # Given an execution that dies with a message, whose lease ends while another one is idle
        await queues.provisioner().provision()
        await queues.publisher().publish(TOPIC, [Message(data=b"a")])
        other = queues.queue()
        await other.extend(await other.pull(1, wait_seconds=0), seconds=int(IDLE_SECONDS) - 3)
        # When the other one drains the queue
        summary = await run_on(queues.queue(), queues.clock).run()
        # Then it answers the message, and its idle time begins anew after it
        assert (summary.ending, summary.pulled, summary.settled["ack"]) == ("drained", 1, 1)
        assert summary.seconds >= 2 * IDLE_SECONDS - 3

    queues.run(scenario)
