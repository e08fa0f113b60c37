"""The command `run`: check everything that can be checked before the first pull, then consume."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import structlog

from services.errors import ConfigurationError, TransientError
from services.storage.patience import Patience
from worker import logs
from worker.consumer import Consumer
from worker.settings import Settings, load_settings, unknown_variables
from worker.summary import EXIT_CONFIGURATION, EXIT_OUTAGE
from worker.wiring import connect, consumer, language_model

log = structlog.get_logger()


async def run_worker(*, continuous: bool, as_json: bool) -> int:
    """Run to the end and return the exit code. What keeps it from starting is logged with cause and fix."""
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    _greet(settings)
    try:
        patience = Patience()
        async with (
            connect(settings) as backend,
            language_model(settings, backend, patience) as model,
        ):
            await backend.provisioner.verify()
            await backend.results.get("startup-check")
            worker = consumer(settings, backend, model=model, patience=patience, continuous=continuous)
            log.info("run.pulling", start_cpu_seconds=round(time.process_time(), 3))
            async with stopped_by_signals(worker):
                summary = await worker.run()
    except ConfigurationError as error:
        log.error("run.not_started", cause=error.message, fix=error.fix)
        return EXIT_CONFIGURATION
    except TransientError as error:
        log.error("run.not_started", cause=error.message, fix="Nothing was pulled. Start it again later.")
        return EXIT_OUTAGE
    click.echo(json.dumps(summary.as_json()) if as_json else summary.line())
    return summary.exit_code


@asynccontextmanager
async def stopped_by_signals(worker: Consumer) -> AsyncIterator[None]:
    """SIGTERM and SIGINT stop the worker in good order; the handlers that were there come back afterwards."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def stop(number: signal.Signals) -> None:
        log.info("run.stopping", signal=number.name)
        worker.stop()

    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _greet(settings: Settings) -> None:
    set_by_hand = {
        name: "*****" if name == "worker_student_key" else str(getattr(settings, name))
        for name in sorted(settings.model_fields_set)
    }
    log.info(
        "run.started", backend=settings.worker_backend, models=settings.worker_models, settings=set_by_hand
    )
    for name, nearest in unknown_variables().items():
        meant = f"Did you mean {nearest}? " if nearest else ""
        log.warning(
            "setting.unknown", cause=f"{name} means nothing to this version.", fix=f"{meant}Or unset it."
        )
