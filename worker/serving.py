"""The command `serve`: one HTTP way in, as a functions-framework target on one event loop.

The framework makes the app. It is not run under gunicorn, which is the framework's own way: one process of its own is
one that SIGTERM reaches, that can let go what it holds before it is killed, and that needs nothing to write to.
"""

import asyncio
import logging
import signal
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from services.content.failures import place_of
from services.errors import ConfigurationError, TransientError
from worker import logs
from worker.consumer import TERMINATION_GRACE_SECONDS
from worker.greeting import greet
from worker.settings import load_settings
from worker.summary import EXIT_CONFIGURATION, EXIT_OK
from worker.web.app import front_of
from worker.web.front import Front

log = structlog.get_logger()

FUNCTIONS = Path(__file__).with_name("functions.py")

KEEP_ALIVE_SECONDS = 620
"""Longer than proxies keep idle connections: one that is closed while a proxy sends on it is a lost request."""

LAST_CALL_SECONDS = 9
"""After SIGTERM: connections that are still open by then are cut. Cloud Run kills after ten seconds."""


async def serve(target: str, *, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code. What keeps it from starting is logged with the fix."""
    settings = load_settings()
    logs.configure(level=settings.log_level, log_format=settings.log_format)
    _route_library_logs()
    greet("serve.started", settings, target=target, port=port, image_digest=settings.worker_image_digest)
    try:
        front = front_of(target)
        await _open(front)
    except ConfigurationError as error:
        log.error("serve.not_started", cause=error.message, fix=error.fix)
        return EXIT_CONFIGURATION
    server = _Server(_config(target, host, port), front)
    # The server raises the signal that ended it once more when it is done, for the handler that was there before it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _nothing_more)
    try:
        await server.serve()
    except SystemExit:  # how the server says that it cannot listen
        fix = "Choose another one with --port or PORT, or end what listens there."
        log.error("serve.not_started", cause=f"Port {port} of {host} cannot be listened on.", fix=fix)
        return EXIT_CONFIGURATION
    finally:
        front.cut_off()
        await front.close()
    log.info("serve.ended", target=target)
    return EXIT_OK


class _Server(uvicorn.Server):
    """Lets calls in flight end by themselves for a while after the signal that ends it."""

    def __init__(self, config: uvicorn.Config, front: Front) -> None:
        super().__init__(config)
        self._front = front
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._stop, sig)

    def _stop(self, sig: int) -> None:
        log.info("serve.stopping", signal=signal.Signals(sig).name)
        # By a timer, because calls that have arrived may not have begun yet.
        self._loop.call_later(TERMINATION_GRACE_SECONDS, self._front.cut_off)


class _LibraryLogs(logging.Handler):
    """What libraries log, as our own lines: without arguments and error texts, which may hold what somebody sent."""

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"logger": record.name, "detail": str(record.msg).partition("\n")[0]}
        if record.exc_info and isinstance(error := record.exc_info[1], Exception):
            facts["cause"] = f"{type(error).__name__} at {place_of(error)}"
        log.log(record.levelno, "server.log", **facts)


def _route_library_logs() -> None:
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryLogs()], force=True)


def _config(target: str, host: str, port: int) -> uvicorn.Config:
    from functions_framework.aio import create_asgi_app

    return uvicorn.Config(
        create_asgi_app(target, str(FUNCTIONS)),  # type: ignore[no-untyped-call]  # the framework's own
        host=host,
        port=port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_CALL_SECONDS,
    )


async def _open(front: Front) -> None:
    try:
        await front.open()
    except TransientError as error:
        log.warning("serve.not_connected", cause=error.message, fix="Every request tries again.")


def _nothing_more(_number: int, _frame: FrameType | None) -> None:
    """The server has heard it."""
