"""The loop: pull what there is room for, work on it, settle it, and stop in good order.

No more is pulled than there are free slots: a message that waits in a process is a message another worker cannot
have, and its delivery attempts are spent for nothing.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from services.content.failures import BUG
from services.errors import (
    ConfigurationError,
    ContentWorkerError,
    NoModelAnswered,
    QueueUnavailable,
    StoreUnavailable,
)
from services.generation.spend import Spend
from services.messaging.port import Delivery, MessageQueue
from services.storage.patience import Patience
from worker.handler import Handled, MessageHandler
from worker.lease import InFlight, LeaseKeeper
from worker.outage_watch import OutageWatch
from worker.pace import BATCHES
from worker.puller import Puller
from worker.reporting import tell_crashed, tell_late, tell_settled, tell_unsettled
from worker.settlement import Settlement
from worker.settler import Settler
from worker.summary import Ending, RunSummary

log = structlog.get_logger()

_Done = TypeVar("_Done")

BATCH_LINGER_SECONDS = 0.05
"""How long to wait for a whole batch of free slots: many small pulls cost more than they gain."""

TERMINATION_GRACE_SECONDS = 7.0
"""Cloud Run kills ten seconds after SIGTERM; what does not finish in seven is given back in the rest."""

RUNTIME_GRACE_SECONDS = 45.0
"""After the maximum runtime: what is in flight may finish in this time, still inside the job's own 600 s."""

HOLDING = (
    "Messages stay in the queue, because WORKER_ON_OUTAGE is hold. Run again when a model answers; with "
    "WORKER_ON_OUTAGE=degrade the mock answers meanwhile."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What bounds a run. `idle_timeout_seconds` and `max_runtime_seconds` are infinite for a run without end.

    `lease_seconds` is how long a message stays away whose delivery nobody has received.
    """

    concurrency: int
    idle_timeout_seconds: float
    max_runtime_seconds: float
    lease_seconds: int

    @property
    def has_no_end(self) -> bool:
        """Whether the run goes on until it is told to stop."""
        return math.isinf(self.max_runtime_seconds) and math.isinf(self.idle_timeout_seconds)

    @property
    def batch(self) -> int:
        """How many messages one pull asks for."""
        return max(1, self.concurrency // BATCHES)


class Consumer:
    """Consumes one subscription until it is drained, told to stop, or out of time.

    With a `watch` nothing is pulled while no model answers: a delivery is an attempt, and attempts are counted. The run
    then ends, or waits for the models where it has no end.
    """

    def __init__(
        self,
        *,
        queue: MessageQueue,
        puller: Puller,
        handler: MessageHandler,
        leases: LeaseKeeper,
        settler: Settler,
        limits: Limits,
        patience: Patience,
        watch: OutageWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._puller = puller
        self._handler = handler
        self._leases = leases
        self._settler = settler
        self._limits = limits
        self._patience = patience
        self._watch = watch
        self._clock = clock
        self._in_flight: set[InFlight] = set()
        self._stop_requested = asyncio.Event()
        self._slot_freed = asyncio.Event()
        self._cut_short: Ending = "stopped"
        self._busy_until = 0.0
        self._outage_met: str | None = None
        self.summary = RunSummary()

    def stop(self) -> None:
        """Stop pulling and end the run; safe to call at any time, from a signal handler too."""
        self._stop_requested.set()
        self._slot_freed.set()
        self._puller.stop()

    async def run(self) -> RunSummary:
        """Consume until the run ends by itself or by `stop`. Raises nothing that the queue or a message caused."""
        started = self._clock()
        keeper = asyncio.create_task(self._leases.run())
        keeper.add_done_callback(self._lease_keeper_ended)
        try:
            self.summary.ending = await self._consume(started)
        except (QueueUnavailable, StoreUnavailable) as error:
            self.summary.ending = "outage"
            what = "queue" if isinstance(error, QueueUnavailable) else "store"
            log.error(
                "run.ending", cause=error.message, fix=f"Nothing is lost. Run again when the {what} is back."
            )
        except ConfigurationError as error:
            self.summary.ending = "configuration"
            log.error("run.ending", cause=error.message, fix=error.fix)
        finally:
            await self._drain()
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await self._end_watch()
        self.summary.seconds = self._clock() - started
        return self.summary

    async def _consume(self, started: float) -> Ending:
        self._busy_until = self._clock()
        while not self._stop_requested.is_set():
            if self._watch is not None and not await self._models_answer(self._watch):
                break
            seconds_left = self._limits.max_runtime_seconds - (self._clock() - started)
            if seconds_left <= 0:
                return "max_runtime"
            room = await self._wait_for_room(seconds_left)
            deliveries = await self._pull(min(room, self._limits.batch), seconds_left) if room else ()
            if self._stop_requested.is_set():
                await self._give_back(deliveries)
                break
            for delivery in deliveries:
                self._start(delivery)
            if self._is_drained():
                return "drained"
        return self._cut_short

    async def _models_answer(self, watch: OutageWatch) -> bool:
        """Whether messages may be pulled; a run without end waits until they may, or until `stop`."""
        await self._tell(watch)
        while (outage := await self._unless_stopped(watch.outage())) is not None:
            if not self._limits.has_no_end:
                self.summary.outage_since = outage.since.isoformat(timespec="seconds")
                self._cut("outage", cause=outage.cause, fix=HOLDING, since=self.summary.outage_since)
                return False
            await self._unless_stopped(asyncio.sleep(watch.seconds_to_next_look))
        return not self._stop_requested.is_set()

    async def _tell(self, watch: OutageWatch) -> None:
        """Let the watch know of an outage that a message has met."""
        if self._outage_met is not None:
            cause, self._outage_met = self._outage_met, None
            outage = await watch.met(cause)
            self.summary.outage_since = outage.since.isoformat(timespec="seconds")

    async def _end_watch(self) -> None:
        if self._watch is None:
            return
        self.summary.add_spend(self._watch.spend)
        try:
            await self._tell(self._watch)
        except StoreUnavailable as error:
            log.warning("outage.not_noted", cause=error.message)

    async def _unless_stopped(self, work: Coroutine[Any, Any, _Done]) -> _Done | None:
        """What the work comes to; None after `stop`, which ends it."""
        working = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop_requested.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return None if self._stop_requested.is_set() else working.result()
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.gather(working, stopped, return_exceptions=True)

    async def _pull(self, limit: int, patience_seconds: float) -> Sequence[Delivery]:
        deliveries = await self._puller.pull(limit, patience_seconds=patience_seconds)
        if self._puller.was_away:
            # What an answer brought that was lost on the way stays away until its leases end.
            self._busy_until = self._clock() + self._limits.lease_seconds
        return deliveries

    async def _wait_for_room(self, seconds_left: float) -> int:
        """Free slots, as soon as there is a batch of them, or any after the linger.

        None after `stop`, and when every slot is held until the time is over.
        """
        while not self._stop_requested.is_set():
            free = self._limits.concurrency - len(self._in_flight)
            if free >= self._limits.batch:
                return free
            self._slot_freed.clear()
            try:
                async with asyncio.timeout(BATCH_LINGER_SECONDS if free else _finite(seconds_left)):
                    await self._slot_freed.wait()
            except TimeoutError:
                return free
        return 0

    def _is_drained(self) -> bool:
        now = self._clock()
        if self._in_flight:
            self._busy_until = max(self._busy_until, now)
            return False
        return now - self._busy_until >= self._limits.idle_timeout_seconds

    def _start(self, delivery: Delivery) -> None:
        message = InFlight(delivery)
        self.summary.pulled += 1
        self._in_flight.add(message)
        self._leases.keep(message)
        message.task = asyncio.create_task(self._work(message))

    async def _work(self, message: InFlight) -> None:
        started = self._clock()
        try:
            handled = await self._handler.handle(message)
            self._leases.drop(message)
            seconds = self._clock() - started
            comes_again_in = await self._settler.settle(message.delivery, handled)
            self._expect_again(handled.settlement, comes_again_in)
            self._report(message, handled, seconds)
        except asyncio.CancelledError:
            # Cancelled for a lost claim: the new owner answers. Cancelled by the drain: the drain gives it back.
            if not message.claim_lost:
                raise
            log.info("message.claim_lost", message_id=message.delivery.message_id)
            self._bill_unsettled(message, "claim_lost")
        except ContentWorkerError as error:
            # The result is stored or the message unsettled; either way its lease ends and it comes again.
            log.warning("message.not_settled", message_id=message.delivery.message_id, cause=error.message)
            self._bill_unsettled(message, error.kind)
            if isinstance(error, ConfigurationError):
                self._cut("configuration", cause=error.message, fix=error.fix)
        except Exception as error:  # noqa: BLE001  # the one place where a bug in one message must not end the others
            self._crashed(message, error)
        finally:
            # Whatever went wrong, a slot that is not freed is lost for the life of the process.
            self._finish(message)

    def _expect_again(self, settlement: Settlement, seconds: int) -> None:
        if not seconds:
            return
        # A queue that looks empty only because this run put messages off is not drained.
        self._busy_until = max(self._busy_until, self._clock() + seconds)
        # In both cases every further message would meet the same wall.
        if settlement.reason == ConfigurationError.kind:
            self._cut("configuration", cause=settlement.detail, fix=settlement.fix)
        elif settlement.reason == NoModelAnswered.kind and self._watch is not None:
            self._outage_met = settlement.detail
            if not self._limits.has_no_end:
                self._cut("outage", cause=settlement.detail, fix=HOLDING)

    def _cut(self, ending: Ending, *, cause: str, fix: str, **facts: str) -> None:
        if not self._stop_requested.is_set():
            log.error("run.ending", cause=cause, fix=fix, **facts)
            self._cut_short = ending
            self.stop()

    def _report(self, message: InFlight, handled: Handled, seconds: float) -> None:
        self._puller.pace.finished(seconds)
        self.summary.settled[handled.settlement.action.value] += 1
        if handled.document is not None:
            self.summary.add_result(handled.document)
        if handled.failure is not None and handled.failure.kind == BUG:
            self.summary.bugs += 1
        spend = self._bill(message)
        tell_settled(handled, message_id=message.delivery.message_id, seconds=seconds, spend=spend)

    def _bill(self, message: InFlight) -> Spend:
        """What was spent on a message, counted in the summary once."""

        def late(spend: Spend) -> None:
            self.summary.add_spend(spend)
            tell_late(spend, message_id=message.delivery.message_id)

        spend = message.bill(late)
        self.summary.add_spend(spend)
        return spend

    def _bill_unsettled(self, message: InFlight, reason: str) -> None:
        """Count and log what was spent on a message that comes again."""
        tell_unsettled(reason, message_id=message.delivery.message_id, spend=self._bill(message))

    def _crashed(self, message: InFlight, error: Exception) -> None:
        self.summary.bugs += 1
        tell_crashed(message.delivery.message_id, error)
        self._bill_unsettled(message, BUG)

    def _lease_keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled() or (error := keeper.exception()) is None:
            return
        # Without renewals messages are delivered twice; better to stop while the leases last.
        self.summary.bugs += 1
        log.error(
            "leases.crashed", error=type(error).__name__, fix="This is a bug; the run ends in good order."
        )
        self.stop()

    def _finish(self, message: InFlight) -> None:
        self._leases.drop(message)
        self._in_flight.discard(message)
        self._slot_freed.set()
        self._busy_until = max(self._busy_until, self._clock())

    async def _drain(self) -> None:
        tasks = {message.task for message in self._in_flight if message.task is not None}
        if not tasks:
            return
        log.info("run.draining", in_flight=len(tasks))
        if not self._stop_requested.is_set():
            await self._finish_or_stop(tasks)
        if self._stop_requested.is_set():
            await asyncio.wait(tasks, timeout=TERMINATION_GRACE_SECONDS)
        unfinished = list(self._in_flight)
        if self._patience.is_waiting:
            self.summary.waiting_for_store = len(unfinished)
        cut_short = [message.task for message in unfinished if message.task is not None]
        for message in unfinished:
            # A renewal that comes after the message was given back would take it away again.
            self._leases.drop(message)
        for task in cut_short:
            task.cancel()
        await asyncio.gather(*cut_short, return_exceptions=True)
        for message in unfinished:
            self._bill_unsettled(message, "given_back")
        await self._give_back([message.delivery for message in unfinished])

    async def _finish_or_stop(self, tasks: set[asyncio.Task[None]]) -> None:
        """Let the tasks end by themselves, until the grace after the maximum runtime is over or a signal comes."""
        stopped = asyncio.create_task(self._stop_requested.wait())
        ended = asyncio.create_task(asyncio.wait(tasks))
        await asyncio.wait(
            {stopped, ended}, timeout=RUNTIME_GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for watcher in (stopped, ended):
            watcher.cancel()
        await asyncio.gather(stopped, ended, return_exceptions=True)

    async def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        self.summary.given_back += len(deliveries)
        try:
            await self._queue.extend(deliveries, seconds=0)
        except QueueUnavailable as error:
            log.warning("messages.not_given_back", messages=len(deliveries), cause=error.message)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
