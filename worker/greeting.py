"""The first log lines of a process: what it is, what was set by hand, and which settings mean nothing."""

from typing import Any

import structlog

from worker.settings import Settings, unknown_variables

log = structlog.get_logger()


def greet(event: str, settings: Settings, **facts: Any) -> None:
    """Log the start under this event name."""
    # Secrets are of a type that shows as asterisks.
    set_by_hand = {name: str(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    log.info(event, backend=settings.worker_backend, **facts, settings=set_by_hand)
    for name, nearest in unknown_variables().items():
        meant = f"Did you mean {nearest}? " if nearest else ""
        log.warning(
            "setting.unknown", cause=f"{name} means nothing to this version.", fix=f"{meant}Or unset it."
        )
