"""Which model calls were paid for, which of them twice, and what a worker's sudden end excuses.

A call is paid for when it was answered, or open when its worker ended (the model works on, whoever listens). Each
stage of a message is to be paid for once. Paying again is excused for what was in flight at a cut, which is:

(a) calls that the worker had open: the emulator logs them as cancelled when its connections break;
(b) answers that were sent to the worker but not durable yet. The emulator cannot see what is durable, so this is
    bounded by what it does see: the call was answered less than a second before the worker was stopped, the same
    stage of the same message was asked for again later, and the worker had not gone on to the next stage, before
    which it must have stored the answer.

Everything else that was asked for twice is unexplained, and a broken promise. The bound of (b) is generous by the
time that a worker may take to store an answer; `age` says how long before the stop the oldest of them was answered.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.conformance.processes.questions import mark_in
from tests.emulators.vertex_calls import SeenRequest

CALLS_PER_MESSAGE = 3
LATEST_ANSWERS_SECONDS = 1.0

_PAID = ("OK", "CANCELLED", "IN_FLIGHT")
_LAST_STAGE = "script"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """The end of a worker in the middle of work: where its calls came from, and when it did its last step.

    `stopped_at` is in seconds since the epoch, and None for a worker that ended in good order: such a one has stored
    every answer that it got, so that there is no (b).
    """

    peers: frozenset[str]
    stopped_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Counts of calls; `needed` is one for each stage of each message that was asked for. `age` is in seconds."""

    seen: int
    needed: int
    open_at_cuts: int
    unstored_at_cuts: int
    unexplained: int
    cuts_that_hit: int
    age: float

    @property
    def extra(self) -> int:
        """How many calls were paid for beyond the needed ones."""
        return self.seen - self.needed

    @property
    def in_flight(self) -> int:
        """What was in flight at the cuts, (a) and (b)."""
        return self.open_at_cuts + self.unstored_at_cuts


def account(calls: Iterable[SeenRequest], cuts: Sequence[Cut] = ()) -> Accounts:
    """The accounts of a scenario whose questions are those of `questions`, which share no work."""
    paid = [call for call in calls if call.status in _PAID]
    cut_of = {peer: cut for cut in cuts for peer in cut.peers}
    open_at_cuts = [call for call in paid if call.peer in cut_of and call.status == "CANCELLED"]
    went_on = {(call.peer, mark_in(call.prompt)) for call in paid if call.stage == _LAST_STAGE}
    repeated = [call for call in _asked_again(paid) if call.status != "CANCELLED" or call.peer not in cut_of]
    ages = [
        age
        for call in repeated
        if (age := _age_at_cut(call, cut_of)) < LATEST_ANSWERS_SECONDS
        and (call.stage == _LAST_STAGE or (call.peer, mark_in(call.prompt)) not in went_on)
    ]
    return Accounts(
        seen=len(paid),
        needed=len({_work(call) for call in paid}),
        open_at_cuts=len(open_at_cuts),
        unstored_at_cuts=len(ages),
        unexplained=len(repeated) - len(ages),
        cuts_that_hit=len({cut_of[call.peer].peers for call in open_at_cuts}),
        age=max(ages, default=0.0),
    )


def _work(call: SeenRequest) -> tuple[str, str]:
    # Where the mock matched an interest, the script is one that messages may share: then its prompt tells it apart.
    return call.stage, mark_in(call.prompt) or call.prompt


def _asked_again(paid: Iterable[SeenRequest]) -> Iterator[SeenRequest]:
    """The calls after which the same stage of the same message was asked for again."""
    by_work: dict[tuple[str, str], list[SeenRequest]] = defaultdict(list)
    for call in paid:
        by_work[_work(call)].append(call)
    for same in by_work.values():
        yield from (
            earlier for earlier, _ in itertools.pairwise(sorted(same, key=lambda one: one.received_at))
        )


def _age_at_cut(call: SeenRequest, cut_of: dict[str, Cut]) -> float:
    """How long before its worker was stopped the call was answered; infinite where nothing stopped it."""
    cut = cut_of.get(call.peer)
    if cut is None or cut.stopped_at is None or call.ended_at is None:
        return math.inf
    return cut.stopped_at - call.ended_at
