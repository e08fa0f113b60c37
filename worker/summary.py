"""What a run did, in one line for people and one object for programs, and the exit code that follows from it."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from services.generation.spend import Spend, rounded_usd

Ending = Literal["drained", "max_runtime", "stopped", "outage", "configuration", "crashed"]

EXIT_OK = 0
EXIT_BUG = 1
EXIT_OUTAGE = 75
"""EX_TEMPFAIL of sysexits.h: could not go on, nothing is lost, try again."""
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: only a person can mend it."""

REFUSED_FIX = (
    "Trying again changes nothing. Check GOOGLE_CLOUD_PROJECT, and that the credentials are for it: "
    "gcloud auth application-default login, or an attached service account."
)
"""What a person can do when the first request to a queue or a store was refused as such."""


@dataclass(kw_only=True, slots=True)
class RunSummary:
    """Counts of one run. `settled` is by action, `results` by status, `modes` by mode; costs in US dollars.

    `cost_usd` is everything that was spent: on results, on failures, and on work that was cut short. It is the sum of
    the messages' log lines, and all of it where `cost_is_complete`.
    `saved_usd` is what answers had cost that were found instead of paid for, where their price is known.
    Results that no model was asked for (screened questions) have no mode to count. `execution` and `task_index` say
    which task of a Cloud Run execution this is, and are None elsewhere; one task's counts are its own, not those of
    the whole execution. `outage_since` says since when no model answers, where messages are held for one that does.
    """

    ending: Ending = "drained"
    pulled: int = 0
    settled: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    given_back: int = 0
    bugs: int = 0
    cost_usd: float = 0.0
    cost_is_complete: bool = True
    saved_usd: float = 0.0
    waiting_for_store: int = 0
    outage_since: str | None = None
    seconds: float = 0.0
    execution: str | None = None
    task_index: int | None = None
    image_digest: str | None = None

    def add_result(self, document: dict[str, Any]) -> None:
        """Count one stored result, but not its cost: that is what was spent on its message."""
        self.results[document["status"]] += 1
        if document["stages"]:
            self.modes[document["mode"]] += 1
        self.saved_usd += document["saved_usd"] or 0.0

    def add_spend(self, spend: Spend) -> None:
        """Count what was spent on one message, or on looking, rounded as its log line has it."""
        self.cost_usd = rounded_usd(self.cost_usd + rounded_usd(spend.least_usd))
        self.cost_is_complete = self.cost_is_complete and spend.cost_usd is not None

    @property
    def exit_code(self) -> int:
        """0 drained or stopped in time, 1 a bug, 75 an outage, 78 a broken configuration."""
        if self.ending == "configuration":
            return EXIT_CONFIGURATION
        if self.bugs or self.ending == "crashed":
            return EXIT_BUG
        if self.ending == "outage" or self.waiting_for_store:
            return EXIT_OUTAGE
        return EXIT_OK

    def as_json(self) -> dict[str, Any]:
        """The summary as plain JSON values."""
        values = {name.name: getattr(self, name.name) for name in fields(self)}
        counts = {name: dict(value) for name, value in values.items() if isinstance(value, Counter)}
        return {**values, **counts, "exit_code": self.exit_code}

    def line(self) -> str:
        """The summary in one line."""
        since = f" since {self.outage_since}" if self.outage_since and self.ending == "outage" else ""
        parts = [
            f"{self._whose()}{self.ending}{since} after {self.seconds:.1f} s",
            f"{self.pulled} pulled",
            f"{sum(self.results.values())} answered{_listed(self.results)}{_listed(self.modes)}",
        ]
        for action, name in (("dead_letter", "dead-lettered"), ("retry", "to be retried")):
            if self.settled[action]:
                parts.append(f"{self.settled[action]} {name}")
        if self.given_back:
            parts.append(f"{self.given_back} given back")
        if self.bugs:
            parts.append(f"{self.bugs} met a bug (see the log: message.crashed)")
        if self.waiting_for_store:
            parts.append(f"{self.waiting_for_store} waiting for the result store")
        at_least = "" if self.cost_is_complete else "at least "
        parts.append(f"{at_least}${self.cost_usd:.4f}")
        if self.saved_usd:
            parts.append(f"${self.saved_usd:.4f} saved")
        return ", ".join(parts)

    def _whose(self) -> str:
        if self.execution is None:
            return ""
        task = "" if self.task_index is None else f"task {self.task_index} of "
        return f"{task}{self.execution}: "


def _listed(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{count} {name}' for name, count in counts.most_common())})" if counts else ""
