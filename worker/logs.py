"""structlog set-up: readable on a terminal, JSON that Cloud Logging understands everywhere else.

Cloud Logging reads `severity`, `message`, `time` and `logging.googleapis.com/*` out of one JSON object a line
(https://cloud.google.com/logging/docs/structured-logging). Logs go to standard error; standard output belongs to
what a command was asked for. A line that cannot be written is lost, and nothing else.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.streams import lossy_part_of, speaks_unicode

LogFormat = Literal["auto", "json", "console"]

_SEVERITIES = {"warn": "WARNING", "exception": "ERROR"}


def configure(*, level: str, log_format: LogFormat) -> None:
    """Set logging up for this process."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderers: list[Processor] = (
        [_for_cloud_logging, structlog.processors.JSONRenderer(ensure_ascii=not speaks_unicode(sys.stderr))]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_names: _LossyLogger(sys.stderr),
        cache_logger_on_first_use=True,
    )


class _LossyLogger(structlog.WriteLogger):
    """Writes lines. Those that are lost are told once, by their number, when a line can be written again."""

    def msg(self, message: str) -> None:
        """Write a line, if it can be written."""
        output = lossy_part_of(self._file)
        lost_before = output.lost if output else 0
        try:
            super().msg(message)
        except (OSError, ValueError):
            # Where the stream is not the command line's own; ValueError: it is closed.
            return
        if output and lost_before and output.lost == lost_before:
            fix = "Nothing else is lost. See what became of standard error: a full disk, or a reader that has ended."
            structlog.get_logger().warning("log.lost", lines=output.take_lost(), fix=fix)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _for_cloud_logging(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    level = event.pop("level", "info")
    event["severity"] = _SEVERITIES.get(level, level.upper())
    event["message"] = event.pop("event")
    event["time"] = event.pop("timestamp")
    return event
