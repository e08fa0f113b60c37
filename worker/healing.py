"""The command `heal`: repays debts while the models answer, at a bounded rate."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from services.content.failures import BUG
from services.content.healing import Healing, Settled
from services.errors import ConfigurationError, TransientError
from services.generation.allowance import Allowance
from services.generation.spend import Spend, cost_facts, in_dollars
from services.storage.port import Document
from worker import logs
from worker.consumer import TERMINATION_GRACE_SECONDS
from worker.drawing import progress_bar, tell
from worker.rate import RateLimit
from worker.settings import Settings, load_settings
from worker.stopping import StoppedEarly, stopped_by_signals, unless_stopped
from worker.summary import EXIT_BUG, EXIT_OK
from worker.wiring.backends import connect
from worker.wiring.work import healer

log = structlog.get_logger()

OUTCOMES = {
    "healed": "repaid by a live answer",
    "kept": "written off: nothing better is to be had",
    "failed": "still owed: no usable answer",
    "skipped": "repaid or expired meanwhile, or left to another process",
}


async def heal(*, limit: int, per_minute: float, dry_run: bool, as_json: bool) -> int:
    """Repay up to `limit` debts, the oldest first; returns the exit code.

    Raises `TransientError` and `ConfigurationError` where models or store keep it from going on.
    """
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    try:
        return await _heal(settings, limit=limit, per_minute=per_minute, dry_run=dry_run, as_json=as_json)
    except StoppedEarly as stopped:
        log.info("heal.stopping", signal=stopped.signal.name)
        return EXIT_OK


async def _heal(settings: Settings, *, limit: int, per_minute: float, dry_run: bool, as_json: bool) -> int:
    async with connect(settings) as backend:
        debts = await unless_stopped(backend.debts.debts(limit))
        if dry_run or not debts:
            counts = counts_as_json(Counter(), of=len(debts), spend=Spend())
            tell(counts if as_json else owed_line(len(debts), limit=limit))
            return EXIT_OK
        async with healer(settings, backend) as (healing, probe):
            await unless_stopped(probe())
            rounds = Rounds(healing, rate=RateLimit(per_minute / 60), at_once=settings.worker_concurrency)
            try:
                with progress_bar("healing", total=len(debts)) as advance:
                    async with stopped_by_signals(rounds.stop):
                        await rounds.run(debts, advance=advance)
            finally:
                # Also when it ends in the middle: what was repaid was repaid.
                say = counts_as_json if as_json else outcomes_line
                tell(say(rounds.outcomes, of=len(debts), spend=rounds.spend))
    return EXIT_BUG if rounds.bugs else EXIT_OK


class Rounds:
    """Starts on one debt after the other, and on no more as soon as models or store do not answer."""

    def __init__(self, healing: Healing, *, rate: RateLimit, at_once: int) -> None:
        self._healing = healing
        self._rate = rate
        self._slots = asyncio.Semaphore(at_once)
        self._starter: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._obstacle: TransientError | ConfigurationError | None = None
        self.outcomes: Counter[str] = Counter()
        self.spend = Spend()
        self.bugs = 0

    async def run(self, debts: Sequence[Document], *, advance: Callable[[int], None]) -> None:
        """Work on all debts. Raises the first error that keeps it from going on, once what was begun has ended."""
        async with asyncio.TaskGroup() as group:
            self._starter = group.create_task(self._start(group, debts, advance))
            if self._is_stopping:
                self._starter.cancel()
        if self._obstacle is not None:
            raise self._obstacle

    def stop(self, number: signal.Signals) -> None:
        """Begin on no more debts, and break off those that take longer than a killed process would have."""
        log.info("heal.stopping", signal=number.name)
        self._is_stopping = True
        if self._starter is not None:
            self._starter.cancel()
        asyncio.get_running_loop().call_later(TERMINATION_GRACE_SECONDS, self._break_off)

    def _break_off(self) -> None:
        for work in self._begun:
            work.cancel()

    async def _start(
        self, group: asyncio.TaskGroup, debts: Sequence[Document], advance: Callable[[int], None]
    ) -> None:
        for debt in debts:
            await self._rate.wait()
            await self._slots.acquire()
            work = group.create_task(self._heal(debt, advance))
            self._begun.add(work)
            work.add_done_callback(self._begun.discard)

    async def _heal(self, debt: Document, advance: Callable[[int], None]) -> None:
        allowance = Allowance()

        def claimed(own: Allowance) -> None:
            nonlocal allowance
            allowance = own

        try:
            with structlog.contextvars.bound_contextvars(request_id=debt["request_id"]):
                self._report(await self._healing.heal(debt, on_claim=claimed), allowance.spend)
            advance(1)
        except (TransientError, ConfigurationError) as error:
            self._stop(error)
            self._report_unsettled(debt, error, allowance.spend)
        finally:
            self.spend += allowance.spend
            self._slots.release()

    def _report_unsettled(
        self, debt: Document, error: TransientError | ConfigurationError, spend: Spend
    ) -> None:
        """Say what was spent on a debt that stays as it was."""
        if spend.calls:
            log.info(
                "debt.settled",
                request_id=debt["request_id"],
                outcome="none",
                reason=error.kind,
                **cost_facts(spend),
            )

    def _report(self, settled: Settled, spend: Spend) -> None:
        self.outcomes[settled.outcome] += 1
        failure = settled.failure
        facts = {"reason": failure.kind, "cause": failure.message} if failure else {}
        if failure and failure.kind == BUG:
            self.bugs += 1
        level = log.warning if settled.outcome == "failed" else log.info
        level("debt.settled", outcome=settled.outcome, **cost_facts(spend), **facts)

    def _stop(self, error: TransientError | ConfigurationError) -> None:
        if self._obstacle is None and self._starter is not None:
            self._obstacle = error
            self._starter.cancel()
            log.warning("heal.stopping", cause=error.message, fix="What was begun ends; the rest stays owed.")


def owed_line(owed: int, *, limit: int) -> str:
    """How many debts there are, for people; no more than `limit` of them were counted."""
    or_more = " or more" if owed == limit else ""
    return f"degraded results that are owed a better answer: {owed}{or_more}"


def outcomes_line(outcomes: Counter[str], *, of: int, spend: Spend) -> str:
    """What became of the debts and what was spent on them, for people."""
    parts = [f"{outcomes[name]} {meaning}" for name, meaning in OUTCOMES.items() if outcomes[name]]
    if rest := of - outcomes.total():
        parts.append(f"{rest} left as they were")
    return f"of {of} debts: {'; '.join(parts)}; {in_dollars(spend)}"


def counts_as_json(outcomes: Counter[str], *, of: int, spend: Spend) -> str:
    """The same for programs."""
    return json.dumps({"owed": of, **{name: outcomes[name] for name in OUTCOMES}, **cost_facts(spend)})
