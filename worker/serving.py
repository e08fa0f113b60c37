"""The command `serve`: one HTTP way in, as a functions-framework target on one event loop.

The framework makes the app. It is not run under gunicorn, which is the framework's own way: one process of its own is
one that SIGTERM reaches, that can let go what it holds before it is killed, and that needs nothing to write to.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn

from services.content.failures import place_of
from services.errors import ConfigurationError, PermanentError, TransientError
from worker import logs
from worker.consumer import TERMINATION_GRACE_SECONDS
from worker.greeting import greet
from worker.settings import load_settings
from worker.stopping import StoppedEarly, stopped_by_signals, unless_stopped
from worker.summary import EXIT_CONFIGURATION, EXIT_OK, REFUSED_FIX
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
        await unless_stopped(_open(front))
    except ConfigurationError as error:
        log.error("serve.not_started", cause=error.message, fix=error.fix)
        return EXIT_CONFIGURATION
    except PermanentError as error:
        log.error("serve.not_started", cause=error.message, fix=REFUSED_FIX)
        return EXIT_CONFIGURATION
    except StoppedEarly as stopped:
        log.info("serve.stopping", signal=stopped.signal.name)
    else:
        server = _Server(_config(target, host, port), front)
        try:
            async with stopped_by_signals(server.stop):
                await server.serve(_listening(host, port))
        except (SystemExit, OSError):  # how the server, or the system, says that it cannot listen
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

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they were listened to before the server was there."""
        yield

    def stop(self, number: signal.Signals) -> None:
        """Take no more calls; by a second Ctrl-C do not wait for those in flight either."""
        log.info("serve.stopping", signal=number.name)
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True
        # By a timer, because calls that have arrived may not have begun yet.
        asyncio.get_running_loop().call_later(TERMINATION_GRACE_SECONDS, self._front.cut_off)


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


def _listening(host: str, port: int) -> list[socket.socket] | None:
    """The socket for all addresses of both families; None where the server opens its own, for one family alone."""
    if host != "::" or not socket.has_dualstack_ipv6():
        return None
    return [socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)]


async def _open(front: Front) -> None:
    try:
        await front.open()
    except TransientError as error:
        log.warning("serve.not_connected", cause=error.message, fix="Every request tries again.")
