"""Cancellation that lets what is nearly done end first."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def ended_first(work: Coroutine[Any, Any, None], *, seconds: float) -> None:
    """Do the work; a cancellation meanwhile takes effect when it has ended, or after so many seconds."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=seconds)
        if not task.cancel():
            task.exception()  # otherwise asyncio complains that nobody has heard of it
        raise
