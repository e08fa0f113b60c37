"""The promises under faults: a part of what `scripts/conformance injection` visits, and that the kit itself sees well.

Of the await points of each call in each scenario every fault visits one here, which one is decided by a checksum: the
same in every run. The command visits all of them.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any
from zlib import crc32

import pytest
from click.testing import CliRunner

from tests.conformance import virtual_time
from tests.conformance.injection import command
from tests.conformance.injection.faults import Fault, Injection, Point
from tests.conformance.injection.promises import broken_promises
from tests.conformance.injection.running import Run, run_once
from tests.conformance.injection.scenarios import Scenario, scenarios
from tests.conformance.injection.visiting import run_all


def one_point_of_each_call(scenario: Scenario, every: Sequence[Injection]) -> Iterable[Injection]:
    alike: dict[tuple[str, Fault], list[Injection]] = defaultdict(list)
    for one in every:
        alike[one.point.call, one.fault].append(one)
    for (call, fault), same in alike.items():
        yield same[crc32(f"{scenario.name} {call} {fault}".encode()) % len(same)]


@pytest.mark.parametrize("name", scenarios())
def test_no_fault_at_any_call_breaks_a_promise(name: str) -> None:
    # Given a scenario, and one fault at one await between the worker and what is around it
    # When the message has gone its way to the end, with new workers where the first one is gone
    report = run_all(only_scenarios=[name], choose=one_point_of_each_call)
    # Then all promises were kept, in every run
    assert report.faults
    assert [f"{finding} (again: {finding.repeat})" for finding in report.findings] == []


def test_the_command_repeats_one_run_and_counts_it() -> None:
    # Given the arguments of one run
    arguments = ["--scenario", "ordinary", "--fault", "crash_after", "--point", "answers.keep#1", "--json"]
    # When the command gets them
    result = CliRunner().invoke(command.injection, arguments)
    # Then it makes that run, and its exit code says that all promises were kept
    report = json.loads(result.stdout)
    assert (report["faults"], report["broken"], result.exit_code) == ({"crash_after": 1}, [], 0)


def test_the_same_run_goes_the_same_way_again() -> None:
    # Given a fault that brings several workers onto the scene
    injection = Injection(point=Point(call="queue.extend", ordinal=1), fault=Fault.FREEZE)
    # When it is run twice
    first, second = (run_once(scenarios()["two-workers"], injection) for _ in range(2))
    # Then everything happens at the same points and moments
    assert [(one.point, one.at) for one in first.visits] == [(one.point, one.at) for one in second.visits]
    assert first.virtual_seconds == second.virtual_seconds


def test_a_crashed_worker_does_nothing_any_more() -> None:
    # Given a worker that dies when its model has answered
    injection = Injection(point=Point(call="model.complete", ordinal=1), fault=Fault.CRASH_AFTER)
    # When the run is over
    run = run_once(scenarios()["ordinary"], injection)
    # Then it has called nobody since, and another worker has done its work
    answered_at = next(one.at for one in run.visits if one.point == injection.point) + 25.0
    assert "worker-1" not in {one.process.name for one in run.visits if one.at > answered_at}
    assert [worker.exit_code for worker in run.workers] == [None, 0, 0]
    assert run.workers[-1].line.startswith("drained")


def test_a_frozen_worker_comes_back_after_its_work_was_taken_over() -> None:
    # Given a worker that stands still for longer than its lease and its claim, just before the result is stored
    injection = Injection(point=Point(call="store.complete", ordinal=1), fault=Fault.FREEZE)
    # When it moves again
    run = run_once(scenarios()["ordinary"], injection)
    # Then it tries to write its result, which is refused for the other's
    completes = [one.process.name for one in run.visits if one.point.call == "store.complete"]
    assert completes == ["worker-1", "worker-2"]
    assert broken_promises(run) == []


@cache
def run_that_went_well() -> Run:
    return run_once(scenarios()["ordinary"])


class TestWhatTheKitSees:
    """A run that went well, changed into one that did not."""

    def broken(self, run: Run, **changes: Any) -> set[str]:
        return {one.promise for one in broken_promises(replace(run, **changes))}

    def test_a_run_in_which_nothing_happens(self) -> None:
        # Given / When / Then
        assert self.broken(run_that_went_well()) == set()

    def test_an_ack_before_the_result(self) -> None:
        run = run_that_went_well()
        # Given a message that left the queue while its request was in work
        assert run.audit is not None
        early = replace(run.audit.removals[0], results={"r-1": "processing"})
        # When / Then
        assert self.broken(run, audit=replace(run.audit, removals=[early])) == {"nothing is lost"}

    def test_a_message_that_was_never_settled(self) -> None:
        run = run_that_went_well()
        # Given a message that is still in the queue
        assert run.audit is not None
        audit = replace(run.audit, removals=[], waiting=run.message_ids)
        # When / Then
        assert self.broken(run, audit=audit) == {"nothing is lost"}

    def test_a_result_that_was_written_twice(self) -> None:
        run = run_that_went_well()
        # Given
        assert run.audit is not None
        audit = replace(run.audit, writes=[*run.audit.writes, run.audit.writes[-1]])
        # When / Then
        assert self.broken(run, audit=audit) == {"one result each"}

    def test_an_answer_that_was_paid_for_twice(self) -> None:
        run = run_that_went_well()
        # Given / When / Then
        assert self.broken(run, calls=[*run.calls, run.calls[0]]) == {"paid once"}

    def test_a_claim_that_was_taken_while_it_was_alive(self) -> None:
        run = run_that_went_well()
        # Given a renewal of which another worker is the owner
        assert run.audit is not None
        renewal = next(one for one in run.audit.writes if one.before and "claim" in one.after)
        taken = replace(
            renewal, after={**renewal.after, "claim": {**renewal.after["claim"], "owner": "other"}}
        )
        # When / Then
        audit = replace(run.audit, writes=[*run.audit.writes, taken])
        assert self.broken(run, audit=audit) == {"no stale write"}

    def test_a_student_in_the_logs(self) -> None:
        run = run_that_went_well()
        # Given
        event = {"event": "message.settled", "log_level": "info", "question": "... zyxmarker ..."}
        worker = replace(run.workers[0], events=[event])
        # When / Then
        assert self.broken(run, workers=[worker]) == {"nothing of a student gets out"}

    def test_an_exit_code_without_a_reason(self) -> None:
        run = run_that_went_well()
        # Given
        worker = replace(run.workers[0], exit_code=75)
        # When / Then
        assert self.broken(run, workers=[worker]) == {"it ends in good order"}


class TestVirtualTime:
    def test_waiting_takes_no_time(self) -> None:
        # Given an hour, and half an hour beside it
        async def main(loop: virtual_time.VirtualTimeLoop) -> list[float]:
            moments: list[float] = []

            async def wait(seconds: float) -> None:
                await asyncio.sleep(seconds)
                moments.append(loop.time())

            # When both are waited for
            await asyncio.gather(wait(3600), wait(1800))
            return moments

        # Then they end in their order, at their moments
        assert virtual_time.run(main) == [1800, 3600]

    def test_work_of_threads_takes_no_virtual_time(self) -> None:
        # Given work for an executor and a short timer
        async def main(loop: virtual_time.VirtualTimeLoop) -> tuple[str, float]:
            # When it is waited for
            result = await loop.run_in_executor(None, lambda: "done")
            return result, loop.time()

        # Then its result is there before the clock has moved
        assert virtual_time.run(main) == ("done", 0.0)

    def test_errors_of_work_reach_who_waits_for_it(self) -> None:
        # Given work that fails
        async def main(loop: virtual_time.VirtualTimeLoop) -> None:
            # When it is waited for
            await loop.run_in_executor(None, lambda: 1 // 0)

        # Then
        with pytest.raises(ZeroDivisionError):
            virtual_time.run(main)

    def test_waiting_for_nothing_is_an_error(self) -> None:
        # Given an event that nobody will ever set
        async def main(_loop: virtual_time.VirtualTimeLoop) -> None:
            # When it is waited for
            await asyncio.Event().wait()

        # Then the loop says so instead of standing still
        with pytest.raises(RuntimeError, match="for ever"):
            virtual_time.run(main)

    def test_a_timer_of_somebody_held_up_ends_afterwards(self) -> None:
        # Given somebody who is held up until 90 seconds
        async def main(loop: virtual_time.VirtualTimeLoop) -> float:
            loop.held_until = lambda: 90.0
            # When he sleeps for a second
            await asyncio.sleep(1)
            return loop.time()

        # Then he wakes when he is free
        assert virtual_time.run(main) == 90.0
