"""structlog set-up: readable on a terminal, JSON that Cloud Logging understands everywhere else.

Cloud Logging reads `severity`, `message`, `time` and `logging.googleapis.com/*` out of one JSON object a line
(https://cloud.google.com/logging/docs/structured-logging). Logs go to standard error; standard output belongs to
what a command was asked for.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]

_SEVERITIES = {"warn": "WARNING", "exception": "ERROR"}


def configure(*, level: str, log_format: LogFormat) -> None:
    """Set logging up for this process."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderers: list[Processor] = (
        [_for_cloud_logging, structlog.processors.JSONRenderer(ensure_ascii=False)]
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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _for_cloud_logging(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    level = event.pop("level", "info")
    event["severity"] = _SEVERITIES.get(level, level.upper())
    event["message"] = event.pop("event")
    event["time"] = event.pop("timestamp")
    return event
