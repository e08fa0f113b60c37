"""Tasks of one Cloud Run execution, and executions that overlap, share a queue: nothing twice, and more get more done.

Model calls take so long, and the slots of a task are so few, that a task mostly waits. So it is seen whether tasks
get in each other's way, and not how many processors the machine has that runs them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.conformance.processes.accounts import account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.questions import questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.waiting import until
from tests.conformance.processes.workers import WorkerProcess
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts

JOB = "content-worker"
LOOK_EVERY_SECONDS = 3.0
"""How often results are looked at while the tasks work; each look keeps Firestore from answering the tasks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """The tasks of one execution, in the order of their indices."""

    name: str
    tasks: Sequence[WorkerProcess]

    @property
    def answered(self) -> list[int]:
        """How many results each task has stored, as its summary says."""
        return [sum(task.summary().get("results", {}).values()) for task in self.tasks]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasks:
    """Executions of 1, 2 and 4 tasks, each alone with its queue; every task has the same number of messages to itself.

    `messages` is what the largest execution has. Without `least_growth` nothing is asked of the time it takes.
    """

    messages: int = 2000
    executions: tuple[int, ...] = (1, 2, 4)
    concurrency: int = 16
    latency_seconds: float = 1.0
    least_growth: float | None = 3.0
    ended_within_seconds: float = 400.0
    name: str = "tasks"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Let one execution after the other drain its queue, count, and compare how fast they were."""
        report, speeds = Report(scenario=self.name, seed=seed), dict[int, float]()
        for tasks in self.executions:
            part = Report(scenario=self.name, seed=seed)
            speeds[tasks] = self._drain(hosts, tasks, part)
            report.figures |= part.figures
            for one in part.promises:
                report.promise(f"{one.name} ({tasks} tasks)", one.kept, one.seen)
        self._compare(speeds, report)
        return report

    def _drain(self, hosts: EmulatorHosts, tasks: int, report: Report) -> float:
        """The messages a second that an execution of so many tasks has answered."""
        messages, ledger = self.messages * tasks // max(self.executions), Ledger()
        with World(
            hosts,
            latency_seconds=self.latency_seconds,
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_IDLE_TIMEOUT_SECONDS="5",
        ) as world:
            world.cloud.publish(questions(messages))
            execution = start_execution(world, f"{JOB}-of-{tasks}", tasks)
            watch(world, ledger, self.ended_within_seconds)
            tell_all(world, report, ledger, messages)
            tell_summaries(report, [execution], messages)
            return messages / seconds_of_work(execution)

    def _compare(self, speeds: dict[int, float], report: Report) -> None:
        least, most = min(speeds), max(speeds)
        growth = {tasks: speed / speeds[least] for tasks, speed in speeds.items()}
        for tasks, speed in speeds.items():
            report.figures[f"messages/s of {tasks}"] = f"{speed:.1f}"
        for tasks in list(speeds)[1:]:
            report.figures[f"{tasks} beside {least}"] = f"{growth[tasks]:.2f}"
        if self.least_growth is not None:
            name = f"{most} tasks answer {self.least_growth:g} times what {least} answers"
            report.promise(name, growth[most] >= self.least_growth, f"{growth[most]:.2f} times")


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """A second execution of the job starts while the first still works, as when a schedule is too tight.

    Half of the messages are there at first, the others come when both executions pull.
    """

    messages: int = 800
    tasks: int = 2
    concurrency: int = 16
    latency_seconds: float = 1.0
    ended_within_seconds: float = 240.0
    name: str = "tasks, overlap"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Start one execution in the middle of another, wait for the end of both, and count."""
        report, ledger = Report(scenario=self.name, seed=seed), Ledger()
        with World(
            hosts,
            latency_seconds=self.latency_seconds,
            WORKER_CONCURRENCY=str(self.concurrency),
            WORKER_IDLE_TIMEOUT_SECONDS="5",
        ) as world:
            bodies = list(questions(self.messages))
            world.cloud.publish(bodies[: self.messages // 2])
            first = start_execution(world, f"{JOB}-first", self.tasks)
            until(lambda: len(world.cloud.finished()) >= self.messages // 10, 60, "a tenth of the results")
            second = start_execution(world, f"{JOB}-second", self.tasks)
            for task in second.tasks:
                task.wait_until_pulling()
            world.cloud.publish(bodies[self.messages // 2 :])
            watch(world, ledger, self.ended_within_seconds)
            tell_all(world, report, ledger, self.messages)
            tell_summaries(report, [first, second], self.messages)
            answered = [sum(execution.answered) for execution in (first, second)]
        report.figures |= {"by the first execution": answered[0], "by the second": answered[1]}
        report.promise("both executions answer", all(answered), answered)
        return report


def start_execution(world: World, name: str, tasks: int) -> Execution:
    """Start the tasks of one execution, with the variables that Cloud Run gives to each."""
    started = [
        world.worker(
            CLOUD_RUN_JOB=JOB,
            CLOUD_RUN_EXECUTION=name,
            CLOUD_RUN_TASK_INDEX=str(index),
            CLOUD_RUN_TASK_COUNT=str(tasks),
            CLOUD_RUN_TASK_ATTEMPT="0",
        )
        for index in range(tasks)
    ]
    return Execution(name=name, tasks=started)


def watch(world: World, ledger: Ledger, seconds: float) -> None:
    """Wait for the end of all tasks, and look at the results on the way."""

    def ended() -> bool:
        ledger.see(world.cloud.finished())
        return not any(worker.is_running for worker in world.workers)

    until(ended, seconds, "an end of the work", every=LOOK_EVERY_SECONDS)


def tell_all(world: World, report: Report, ledger: Ledger, messages: int) -> None:
    """Whether each message was answered, paid for and written once."""
    results = world.cloud.results()
    ledger.see(results)
    report.nothing_is_lost(request_ids(messages), results, world.cloud.dead())
    report.all_are_answered(results)
    report.nothing_is_written_twice(ledger, world.cloud.left_in_queue())
    accounts = account(world.calls())
    report.nothing_is_paid_twice(accounts)
    report.all_stages_were_asked(accounts, messages)
    report.exit_codes(world.workers)
    report.no_bugs(world.events())


def tell_summaries(report: Report, executions: Sequence[Execution], messages: int) -> None:
    """Whether the tasks' own words agree with what was seen, and name execution and task."""
    tasks = [task for execution in executions for task in execution.tasks]
    answered = [count for execution in executions for count in execution.answered]
    report.figures |= {
        "pulled": sum(task.summary().get("pulled", 0) for task in tasks),
        "answered": sum(answered),
        "fewest by a task": min(answered),
        "most by a task": max(answered),
    }
    report.promise("the summaries add up", sum(answered) == messages, answered)
    for execution in executions:
        for index, task in enumerate(execution.tasks):
            _tell_name(report, task, index, execution)


def seconds_of_work(execution: Execution) -> float:
    """From the first task's first pull to the last answer of all: neither starting nor waiting for more is work."""
    lines = [line for task in execution.tasks for line in task.logged()]
    begun = min(_time(line) for line in lines if line["message"] == "run.pulling")
    ended = max(_time(line) for line in lines if line["message"] == "message.settled")
    return (ended - begun).total_seconds()


def _tell_name(report: Report, task: WorkerProcess, index: int, execution: Execution) -> None:
    name, summary = f"task {index} of {execution.name}", task.summary()
    lines = {line["message"]: line for line in task.logged()}
    begun, ended = lines.get("run.started", {}), lines.get("run.ended", {})
    who = {"execution": execution.name, "task_index": index}

    _tell_facts(report, f"{name} says which it is and how it ended", summary, {**who, "exit_code": 0})
    origin = {**who, "task_count": len(execution.tasks), "attempt": 0}
    _tell_facts(report, f"the log of {name} begins with where it comes from", begun, origin)
    ends_so = bool(summary) and ended.items() >= summary.items()
    report.promise(f"the log of {name} ends with its summary", ends_so, ended)


def _tell_facts(report: Report, name: str, told: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    facts = {key: told.get(key) for key in wanted}
    report.promise(name, facts == wanted, facts)


def _time(line: dict[str, str]) -> datetime:
    return datetime.fromisoformat(line["time"])
