"""What a scenario found out: figures, and promises with what became of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.processes.accounts import CALLS_PER_MESSAGE, Accounts
from tests.conformance.processes.cloud import Result
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.workers import WorkerProcess

BUGS = ("message.crashed", "leases.crashed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One promise, whether it was kept, and what was seen."""

    name: str
    kept: bool
    seen: str


@dataclass(kw_only=True, slots=True)
class Report:
    """One run of one scenario."""

    scenario: str
    seed: int
    figures: dict[str, Any] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether all promises were kept."""
        return all(promise.kept for promise in self.promises)

    def broken(self) -> str:
        """The broken promises in words; empty when there are none."""
        return "; ".join(f"{one.name}: {one.seen}" for one in self.promises if not one.kept)

    def promise(self, name: str, kept: bool, seen: object = "") -> None:
        """Note one promise."""
        self.promises.append(Promise(name=name, kept=kept, seen=str(seen)))

    def nothing_is_lost(
        self, published: Iterable[str], results: dict[str, Result], letters: Iterable[str] = ()
    ) -> None:
        """Every published request has a finished result or a dead letter."""
        wanted, dead = set(published), list(letters)
        finished = {key: found for key, found in results.items() if found.status != "processing"}
        lost = sorted(wanted - set(finished) - set(dead))
        self.figures |= {
            "published": len(wanted),
            **dict(sorted(Counter(one.status for one in results.values()).items())),
            "dead letters": len(dead),
            "lost": len(lost),
        }
        self.promise("nothing is lost", not lost, f"{len(lost)} without result or dead letter {lost[:5]}")

    def all_are_answered(
        self, results: dict[str, Result], *, statuses: Sequence[str] = ("completed",)
    ) -> None:
        """Every result has one of these statuses."""
        others = Counter(one.status for one in results.values() if one.status not in statuses)
        self.promise("every question is answered", not others, dict(others))

    def nothing_is_written_twice(self, ledger: Ledger, left: Sequence[object]) -> None:
        """No finished result was written again, and no settled message is still in the queue."""
        self.figures |= {"rewritten": len(ledger.rewritten), "left in queue": len(left)}
        self.promise("nothing is written twice", not ledger.rewritten, sorted(ledger.rewritten)[:5])
        self.promise("the queue is empty at the end", not left, f"{len(left)} messages")

    def nothing_is_paid_twice(self, accounts: Accounts) -> None:
        """What was paid for beyond the needed calls was in flight when a worker ended."""
        self.figures |= {
            "calls": accounts.seen,
            "needed": accounts.needed,
            "extra": accounts.extra,
            "(a) open": accounts.open_at_cuts,
            "(b) unstored": accounts.unstored_at_cuts,
            "oldest (b) s": round(accounts.age, 3),
            "unexplained": accounts.unexplained,
        }
        self.promise(
            "nothing is paid for twice beyond what was in flight",
            accounts.extra <= accounts.in_flight and not accounts.unexplained,
            f"{accounts.extra} extra calls, {accounts.in_flight} in flight, {accounts.unexplained} unexplained",
        )

    def all_stages_were_asked(self, accounts: Accounts, messages: int) -> None:
        """Each message took the calls that a message takes; if not, the accounts would count something else."""
        wanted = CALLS_PER_MESSAGE * messages
        self.promise("three calls a message", accounts.needed == wanted, f"{accounts.needed}, not {wanted}")

    def exit_codes(self, workers: Iterable[WorkerProcess], *, allowed: Iterable[int] = (0,)) -> None:
        """The workers have ended, with these codes."""
        codes = Counter(worker.wait(0) for worker in workers)
        self.figures["exit codes"] = ", ".join(f"{code}: {number}" for code, number in sorted(codes.items()))
        self.promise("exit codes", set(codes) <= set(allowed), dict(codes))

    def no_bugs(self, events: Mapping[str, int]) -> None:
        """Nothing that a worker itself calls a bug was logged."""
        crashed = {name: events[name] for name in BUGS if events.get(name)}
        self.promise("no worker met a bug", not crashed, crashed)
