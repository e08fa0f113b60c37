"""All scenarios in their full size, by the name of their command."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from tests.conformance.processes.kills import Kills
from tests.conformance.processes.outage import Outage
from tests.conformance.processes.poison import Poison
from tests.conformance.processes.quota import QuotaHold, QuotaStorm
from tests.conformance.processes.redelivery import Redelivery
from tests.conformance.processes.report import Report
from tests.conformance.processes.restart import Restart
from tests.conformance.processes.tasks import Overlap, Tasks
from tests.conformance.processes.terminate import Terminate
from tests.emulators.google import EmulatorHosts


class Scenario(Protocol):
    """One way to make life hard for the worker: a frozen dataclass of sizes."""

    @property
    def name(self) -> str:
        """As it is printed."""
        ...

    @property
    def messages(self) -> int:
        """How many messages it publishes."""
        ...

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Do it and tell what happened. The seed decides everything that is left to chance."""
        ...


SCENARIOS: dict[str, tuple[str, Sequence[Scenario]]] = {
    "kills": ("Kill workers at random in the middle of work, again and again.", [Kills()]),
    "terminate": ("Send SIGTERM to workers in the middle of long calls.", [Terminate()]),
    "outage": (
        "Take Firestore or Pub/Sub away for a while: refused, and frozen.",
        [
            Outage(of="firestore"),
            Outage(of="firestore", how="freeze"),
            Outage(of="pubsub"),
            Outage(of="pubsub", how="freeze"),
        ],
    ),
    "restart": ("Restart Firestore so that it forgets everything.", [Restart()]),
    "quota": ("Use up the model's quota, with either policy for outages.", [QuotaStorm(), QuotaHold()]),
    "poison": ("Mix malformed and hostile messages into good ones.", [Poison()]),
    "redelivery": ("Deliver everything several times, also while it is worked on.", [Redelivery()]),
    "tasks": (
        "Share the queue among tasks of one execution, and among executions that overlap.",
        [Tasks(), Overlap()],
    ),
}


def with_messages(scenario: Any, messages: int | None) -> Scenario:
    """The scenario with another number of messages, or as it is."""
    sized: Scenario = scenario if messages is None else replace(scenario, messages=messages)
    return sized
