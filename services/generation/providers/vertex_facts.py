"""What is known about a call that failed: whom it was for, and what the service said."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Whom the call was for: these words, unlike the server's, may be printed."""

    project: str
    model: str
    location: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.model} at {self.location}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the service said. `text` may quote the request: it is searched, never shown."""

    code: int
    is_precondition: bool
    reason: str
    metadata: Mapping[str, str]
    text: str
