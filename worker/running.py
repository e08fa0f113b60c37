"""The command `run`: check everything that can be checked before the first pull, then consume."""

import json
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import asdict

import structlog

from services.content.failures import place_of
from services.errors import ConfigurationError, PermanentError, TransientError
from services.storage.patience import Patience
from worker import logs
from worker.consumer import Consumer
from worker.drawing import tell
from worker.greeting import greet
from worker.origin import Origin, origin_of
from worker.settings import Settings, load_settings
from worker.stopping import StoppedEarly, stopped_by_signals, unless_stopped
from worker.summary import EXIT_CONFIGURATION, EXIT_OUTAGE, REFUSED_FIX, RunSummary
from worker.wiring.backends import connect
from worker.wiring.models import language_models
from worker.wiring.work import consumer

log = structlog.get_logger()


async def run_worker(*, continuous: bool, as_json: bool) -> int:
    """Run to the end and return the exit code. What keeps it from starting is logged with cause and fix."""
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    origin = origin_of(settings)
    greet("run.started", settings, models=settings.worker_models, **asdict(origin))
    async with AsyncExitStack() as connections:
        try:
            worker = await unless_stopped(_ready(settings, connections, continuous=continuous))
        except StoppedEarly as stopped:
            summary = _stopped_early(stopped.signal, origin)
        except ConfigurationError as error:
            log.error("run.not_started", cause=error.message, fix=error.fix)
            return EXIT_CONFIGURATION
        except TransientError as error:
            log.error("run.not_started", cause=error.message, fix="Nothing was pulled. Start it again later.")
            return EXIT_OUTAGE
        except PermanentError as error:
            log.error("run.not_started", cause=error.message, fix=REFUSED_FIX)
            return EXIT_CONFIGURATION
        else:
            log.info("run.pulling", start_cpu_seconds=round(time.process_time(), 3))
            async with stopped_by_signals(lambda number: _stop(worker, number)):
                summary = await run_and_tell(worker, origin)
    tell(json.dumps(summary.as_json()) if as_json else summary.line())
    return summary.exit_code


async def run_and_tell(worker: Consumer, origin: Origin) -> RunSummary:
    """Run to the end, and say in one log line what was done: also when a bug outside of any message ended the run."""
    started, summary = time.monotonic(), worker.summary
    _sign(summary, origin)
    try:
        await worker.run()
    except Exception as error:  # noqa: BLE001  # the summary and its exit code say it; its text may quote a message
        summary.ending, summary.seconds = "crashed", time.monotonic() - started
        cause = f"{type(error).__name__} at {place_of(error)}: a bug; please report the place."
        log.error("run.crashed", cause=cause, fix="Run it again: what was not settled is delivered again.")
    log.info("run.ended", **summary.as_json())
    return summary


def _stop(worker: Consumer, number: signal.Signals) -> None:
    log.info("run.stopping", signal=number.name)
    worker.stop()


def _stopped_early(number: signal.Signals, origin: Origin) -> RunSummary:
    """The summary of a run that was told to stop before it could pull anything."""
    summary = RunSummary(ending="stopped")
    _sign(summary, origin)
    log.info("run.stopping", signal=number.name)
    log.info("run.ended", **summary.as_json())
    return summary


def _sign(summary: RunSummary, origin: Origin) -> None:
    summary.execution, summary.task_index = origin.execution, origin.task_index
    summary.image_digest = origin.image_digest


async def _ready(settings: Settings, connections: AsyncExitStack, *, continuous: bool) -> Consumer:
    """A worker whose queue and store have answered."""
    patience = Patience()
    backend = await connections.enter_async_context(connect(settings))
    asked = await connections.enter_async_context(language_models(settings, backend, patience))
    await backend.provisioner.verify()
    await backend.results.get("startup-check")
    return consumer(settings, backend, models=asked, patience=patience, continuous=continuous)
