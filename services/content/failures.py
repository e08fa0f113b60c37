"""Counting what goes wrong with one request, and deciding when it is enough."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from traceback import walk_tb
from typing import Any

from services.content.models import Failure
from services.errors import ContentWorkerError

SAME_FAILURES = 5
"""After so many failures with one fingerprint the next attempt would fail like them."""

ALL_FAILURES = 10
"""A request that fails in a new way every time must end, too: each attempt may cost money."""

BUG = "bug"

BLOCKED = "blocked"
"""A model's safety filter took the answer away."""

SAME_BLOCKS = 3
"""A request that was blocked so often is not asked again: by then it is no false alarm of the filter."""


def failure(
    *,
    stage: str,
    kind: str,
    message: str,
    code: int | None = None,
    cost_usd: float | None = 0.0,
    now: datetime,
) -> Failure:
    """One failure, as it is counted, stored and told. `message` holds nothing of what a student typed."""
    return Failure(
        stage=stage,
        kind=kind,
        code=code,
        message=message,
        fingerprint=fingerprint(stage, kind, message),
        count=1,
        cost_usd=cost_usd,
        last_at=now,
    )


def failure_of(error: Exception, *, stage: str, cost_usd: float | None, now: datetime) -> Failure:
    """The failure that an error stands for; an error that nobody raised on purpose is a bug, told by its place."""
    if not isinstance(error, ContentWorkerError):
        message = f"{type(error).__name__} at {place_of(error)}: a bug; please report the place."
        return failure(stage=stage, kind=BUG, message=message, cost_usd=cost_usd, now=now)
    return failure(
        stage=getattr(error, "stage", stage),
        kind=error.kind,
        message=error.message,
        code=getattr(error, "code", None),
        cost_usd=cost_usd,
        now=now,
    )


def counted(earlier: Iterable[Mapping[str, Any]], latest: Failure) -> list[Failure]:
    """The failures of a request with one more, the latest at the end; those with one fingerprint are one entry."""
    others = [Failure.model_validate(one) for one in earlier]
    same = next((one for one in others if one.fingerprint == latest.fingerprint), None)
    if same is None:
        return [*others, latest]
    summed = {"count": same.count + 1, "cost_usd": total_cost([same.cost_usd, latest.cost_usd])}
    return [*(one for one in others if one is not same), latest.model_copy(update=summed)]


def is_hopeless(failures: Sequence[Failure]) -> bool:
    """Whether a request has failed often enough to be given up."""
    counts = [one.count for one in failures]
    return max(counts, default=0) >= SAME_FAILURES or sum(counts) >= ALL_FAILURES


def is_believed(failures: Sequence[Failure]) -> bool:
    """Whether a request was blocked so often that it is not asked again."""
    return sum(one.count for one in failures if one.kind == BLOCKED) >= SAME_BLOCKS


def fingerprint(stage: str, kind: str, message: str) -> str:
    """The same for the same cause: stage, kind, and the message without its numbers."""
    words = re.sub(r"\d+", "#", message)
    return hashlib.sha256(f"{stage}|{kind}|{words}".encode()).hexdigest()[:12]


def total_cost(costs: Iterable[float | None]) -> float | None:
    """The sum, or None as soon as one price is unknown: an unknown cost is never reported as nothing."""
    known = list(costs)
    return None if None in known else round(sum(cost for cost in known if cost is not None), 8)


def place_of(error: Exception) -> str:
    """The last place outside of libraries that an error came from: folder, file and line.

    Its text is left out, it may quote the message.
    """
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    own = [(path, line) for path, line in frames if "site-packages" not in path.parts] or frames
    if not own:
        return "unknown"
    path, line = own[-1]
    return f"{path.parent.name}/{path.name}:{line}"
