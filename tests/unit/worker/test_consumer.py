"""The loop: what is pulled, how it is settled, and how a run ends."""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.content.failures import BUG, failure
from services.content.fulfilment import Failed
from services.errors import (
    ConfigurationError,
    NoModelAnswered,
    PermanentError,
    QueueUnavailable,
    StoreUnavailable,
)
from services.generation.outage_notes import Outage
from services.generation.spend import Spend
from services.messaging.port import Delivery, Message
from services.storage.patience import Patience
from tests.builders import NOON, delivery
from tests.fakes import RecordingPublisher, ScriptedQueue
from worker.consumer import Consumer, Limits
from worker.handler import Handled
from worker.lease import InFlight, LeaseKeeper
from worker.puller import Puller
from worker.settlement import Action, Settlement, settle_error, settle_outcome
from worker.settler import Settler
from worker.summary import RunSummary

DOCUMENT = {
    "status": "completed",
    "mode": "live",
    "cost_usd": 0.01,
    "saved_usd": 0.0,
    "attempt": 1,
    "stages": {"nlu": {}},
}
ACKED = Handled(settlement=Settlement(action=Action.ACK, reason="stored"), document=DOCUMENT)

Work = Callable[[InFlight], Awaitable[Handled]]


async def ack(_message: InFlight) -> Handled:
    return ACKED


class Clock:
    """Time that moves only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Rig:
    """A consumer on a scripted queue, with a function in the place of the handler."""

    def __init__(
        self, queue: ScriptedQueue, work: Work = ack, *, watch: "Watch | None" = None, **limits: Any
    ) -> None:
        self.queue = queue
        self.clock = Clock()
        queue.after_each_pull = self.clock.tick
        self.publisher = RecordingPublisher()
        self.leases = LeaseKeeper(queue, lease_seconds=60)
        self.patience = Patience()
        handler = type("Handler", (), {"handle": staticmethod(work)})()
        chosen = {
            "concurrency": 8,
            "idle_timeout_seconds": 0.0,
            "max_runtime_seconds": math.inf,
            "lease_seconds": 60,
            **limits,
        }
        self.consumer = Consumer(
            queue=queue,
            puller=Puller(queue, clock=self.clock, sleep=self.clock.sleep),
            handler=handler,
            leases=self.leases,
            settler=Settler(queue=queue, publisher=self.publisher, dead_letter_topic="dead"),
            limits=Limits(**chosen),
            patience=self.patience,
            watch=watch,  # type: ignore[arg-type]  # has all that a consumer asks for
            clock=self.clock,
        )

    async def run(self) -> RunSummary:
        return await self.consumer.run()


def deliveries(*names: str) -> list[Delivery]:
    return [delivery(message_id=name, lease_id=f"lease-{name}") for name in names]


def test_all_messages_are_worked_on_and_acked_then_the_run_ends() -> None:
    async def scenario() -> None:
        # Given two batches
        rig = Rig(ScriptedQueue([deliveries("a", "b"), deliveries("c")]))
        # When the queue is drained
        summary = await rig.run()
        # Then each was acked once and the summary says so
        assert sorted(rig.queue.acked) == ["a", "b", "c"]
        assert (summary.ending, summary.pulled, summary.exit_code) == ("drained", 3, 0)
        assert summary.results == {"completed": 3}

    asyncio.run(scenario())


def test_no_more_is_in_flight_than_there_are_slots_and_no_more_is_pulled_than_a_batch() -> None:
    async def scenario() -> None:
        # Given a queue that always has as many messages as it is asked for, and work that waits for all slots
        in_flight, most = 0, 0
        all_slots_taken = asyncio.Event()

        async def work(_message: InFlight) -> Handled:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            if in_flight == 20:
                all_slots_taken.set()
            await all_slots_taken.wait()
            in_flight -= 1
            return ACKED

        class Endless(ScriptedQueue):
            async def pull(self, limit: int, *, wait_seconds: float) -> list[Delivery]:
                await super().pull(limit, wait_seconds=wait_seconds)
                if len(self.limits) > 40:
                    rig.consumer.stop()
                return deliveries(*(f"{len(self.limits)}-{number}" for number in range(limit)))

        # When it is consumed with 20 slots
        rig = Rig(Endless(), work, concurrency=20)
        summary = await rig.run()
        # Then batches are an eighth of the slots, and the slots are a bound
        assert set(rig.queue.limits) <= {1, 2}
        assert most == 20
        assert len(rig.queue.acked) == summary.pulled

    asyncio.run(scenario())


def test_an_empty_pull_is_no_proof_of_an_empty_queue() -> None:
    async def scenario() -> None:
        # Given a queue that is silent for a while before its last message
        queue = ScriptedQueue([[], [], deliveries("late")])
        rig = Rig(queue, idle_timeout_seconds=10.0)
        queue.after_each_pull = lambda: rig.clock.tick(3.0)
        # When it is drained with an idle timeout of ten seconds
        summary = await rig.run()
        # Then the message is not missed, and the run ends ten idle seconds after it
        assert rig.queue.acked == ["late"]
        assert summary.ending == "drained"
        assert len(queue.limits) == 7

    asyncio.run(scenario())


def test_a_run_does_not_end_while_something_is_in_flight() -> None:
    async def scenario() -> None:
        # Given a message that takes longer than the idle timeout
        release = asyncio.Event()

        async def work(_message: InFlight) -> Handled:
            await release.wait()
            return ACKED

        pulls = 0

        def quiet() -> list[Delivery]:
            nonlocal pulls
            pulls += 1
            rig.clock.tick(60)
            if pulls == 5:
                release.set()
            return []

        rig = Rig(ScriptedQueue([deliveries("slow"), *[quiet] * 5]), work, idle_timeout_seconds=10.0)
        # When five quiet minutes pass before it is done
        await rig.run()
        # Then it was waited for
        assert rig.queue.acked == ["slow"]

    asyncio.run(scenario())


def test_a_message_put_off_by_this_run_is_waited_for() -> None:
    async def scenario() -> None:
        # Given a store that fails the first time
        failed: list[str] = []

        async def work(message: InFlight) -> Handled:
            if not failed:
                failed.append(message.delivery.message_id)
                return Handled(settlement=settle_error(StoreUnavailable("down")))
            return ACKED

        queue = ScriptedQueue([deliveries("a"), [], [], deliveries("a")])
        rig = Rig(queue, work, idle_timeout_seconds=0.0)
        queue.after_each_pull = lambda: rig.clock.tick(2.0)
        # When the run goes on until it is drained
        summary = await rig.run()
        # Then the message came back and was answered, and nothing waits any more
        assert queue.acked == ["a"]
        assert queue.extended == [("a", 10)]
        assert (summary.ending, summary.waiting_for_store, summary.exit_code) == ("drained", 0, 0)

    asyncio.run(scenario())


def test_a_run_that_ends_while_messages_wait_for_the_store_says_so(monkeypatch: Any) -> None:
    async def scenario() -> None:
        # Given messages that wait for a store which is away, and a run whose time is up
        monkeypatch.setattr("worker.consumer.TERMINATION_GRACE_SECONDS", 0.0)

        async def away() -> Handled:
            raise StoreUnavailable("down")

        async def work(_message: InFlight) -> Handled:
            return await rig.patience(away)

        def stop() -> list[Delivery]:
            rig.consumer.stop()
            return []

        rig = Rig(ScriptedQueue([deliveries("a", "b"), stop]), work)
        # When it ends
        summary = await rig.run()
        # Then both are given back, and the exit code says that something is down
        assert (rig.queue.acked, sorted(rig.queue.extended)) == ([], [("a", 0), ("b", 0)])
        assert (summary.waiting_for_store, summary.exit_code) == (2, 75)

    asyncio.run(scenario())


def test_a_dead_letter_is_published_before_the_message_is_acked() -> None:
    async def scenario() -> None:
        letter = Message(data=b"bytes", attributes={"error_kind": "not_json"})

        async def work(_message: InFlight) -> Handled:
            settlement = Settlement(action=Action.DEAD_LETTER, reason="not_json")
            return Handled(settlement=settlement, dead_letter=letter)

        # Given a topic that refuses every letter
        rig = Rig(ScriptedQueue([deliveries("bad")]), work)
        rig.publisher.error = PermanentError("too large")
        await rig.run()
        # Then the message is not acked
        assert rig.queue.acked == []
        # And given one that takes it
        rig = Rig(ScriptedQueue([deliveries("bad")]), work)
        summary = await rig.run()
        assert rig.publisher.published == [("dead", letter)]
        assert rig.queue.acked == ["bad"]
        assert summary.settled == {"dead_letter": 1}

    asyncio.run(scenario())


def test_a_bug_in_one_message_does_not_end_the_others_and_shows_in_the_exit_code() -> None:
    async def scenario() -> None:
        async def work(message: InFlight) -> Handled:
            if message.delivery.message_id == "bug":
                raise KeyError("SECRET question of a student")
            return ACKED

        rig = Rig(ScriptedQueue([deliveries("a", "bug", "c")]), work)
        with capture_logs() as logs:
            summary = await rig.run()
        # Then the others are acked, the bug is not, and the log tells the place but not the text
        assert sorted(rig.queue.acked) == ["a", "c"]
        assert (summary.bugs, summary.exit_code) == (1, 1)
        crash = next(entry for entry in logs if entry["event"] == "message.crashed")
        assert "KeyError at worker/test_consumer.py:" in crash["cause"]
        assert "SECRET" not in str(logs)

    asyncio.run(scenario())


@pytest.mark.parametrize("broken", [["tell_settled"], ["tell_settled", "tell_crashed"]])
def test_a_slot_is_freed_whatever_goes_wrong_with_telling_of_its_message(
    broken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given a single slot, and nobody who can be told anything
        def fail(*_given: object, **_facts: object) -> None:
            raise OSError(28, "No space left on device")

        for name in broken:
            monkeypatch.setattr(f"worker.consumer.{name}", fail)
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        rig = Rig(ScriptedQueue([deliveries("a"), deliveries("b"), deliveries("c")]), concurrency=1)
        # When three messages come, one after the other
        summary = await rig.run()
        # Then each had the slot, was acked, and the run ends by itself
        assert rig.queue.acked == ["a", "b", "c"]
        assert (summary.ending, summary.bugs) == ("drained", 3)

    asyncio.run(scenario())


def test_a_slot_is_freed_when_a_message_is_cancelled_for_no_known_reason() -> None:
    async def scenario() -> None:
        async def work(message: InFlight) -> Handled:
            if message.delivery.message_id == "a":
                raise asyncio.CancelledError
            return ACKED

        rig = Rig(ScriptedQueue([deliveries("a"), deliveries("b")]), work, concurrency=1)
        await rig.run()
        assert rig.queue.acked == ["b"]

    asyncio.run(scenario())


def test_a_stop_before_the_start_is_not_lost() -> None:
    async def scenario() -> None:
        rig = Rig(ScriptedQueue([deliveries("a")]))
        rig.consumer.stop()
        summary = await rig.run()
        assert (summary.ending, summary.pulled) == ("stopped", 0)
        assert rig.queue.limits == []

    asyncio.run(scenario())


def test_a_stop_gives_back_what_the_last_pull_brought_and_finishes_what_is_in_flight() -> None:
    async def scenario() -> None:
        release = asyncio.Event()

        async def work(_message: InFlight) -> Handled:
            await release.wait()
            return ACKED

        def pull_while_stopping() -> list[Delivery]:
            rig.consumer.stop()
            release.set()
            return deliveries("late")

        rig = Rig(ScriptedQueue([deliveries("early"), pull_while_stopping]), work)
        summary = await rig.run()
        assert rig.queue.acked == ["early"]
        assert rig.queue.extended == [("late", 0)]
        assert (summary.ending, summary.given_back, summary.exit_code) == ("stopped", 1, 0)

    asyncio.run(scenario())


def test_what_does_not_finish_in_the_grace_time_is_cancelled_and_given_back(monkeypatch: Any) -> None:
    async def scenario() -> None:
        # Given work that would never end, and no grace
        monkeypatch.setattr("worker.consumer.TERMINATION_GRACE_SECONDS", 0.0)
        cancelled: list[str] = []

        async def work(message: InFlight) -> Handled:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(message.delivery.message_id)
            raise AssertionError

        def stop() -> list[Delivery]:
            rig.consumer.stop()
            return []

        rig = Rig(ScriptedQueue([deliveries("a", "b"), stop]), work)
        # When the run is stopped
        summary = await rig.run()
        # Then it was cancelled first and given back afterwards, and never acked
        assert sorted(cancelled) == ["a", "b"]
        assert sorted(rig.queue.extended) == [("a", 0), ("b", 0)]
        assert (rig.queue.acked, summary.given_back, summary.exit_code) == ([], 2, 0)

    asyncio.run(scenario())


def test_the_maximum_runtime_ends_pulling_but_not_the_work_in_flight() -> None:
    async def scenario() -> None:
        release = asyncio.Event()

        async def work(_message: InFlight) -> Handled:
            await release.wait()
            return ACKED

        def time_is_up() -> list[Delivery]:
            rig.clock.tick(541)
            asyncio.get_running_loop().call_soon(release.set)
            return []

        rig = Rig(ScriptedQueue([deliveries("a"), time_is_up]), work, max_runtime_seconds=540.0)
        summary = await rig.run()
        assert rig.queue.acked == ["a"]
        assert (summary.ending, summary.exit_code) == ("max_runtime", 0)

    asyncio.run(scenario())


def test_a_signal_during_the_last_grace_shortens_it(monkeypatch: Any) -> None:
    async def scenario() -> None:
        # Given a run whose time is up, with work that would never end, and no grace after a signal
        monkeypatch.setattr("worker.consumer.TERMINATION_GRACE_SECONDS", 0.0)

        async def work(_message: InFlight) -> Handled:
            await asyncio.Event().wait()
            raise AssertionError

        def time_is_up() -> list[Delivery]:
            rig.clock.tick(541)
            asyncio.get_running_loop().call_later(0.01, rig.consumer.stop)
            return []

        # When a signal comes
        rig = Rig(ScriptedQueue([deliveries("a"), time_is_up]), work, max_runtime_seconds=540.0)
        summary = await rig.run()
        # Then the work is given back without waiting for the rest of the grace
        assert rig.queue.extended == [("a", 0)]
        assert (summary.ending, summary.given_back, summary.exit_code) == ("max_runtime", 1, 0)

    asyncio.run(scenario())


def test_a_queue_that_comes_back_in_time_costs_nothing_but_time() -> None:
    async def scenario() -> None:
        gone = QueueUnavailable("The queue does not answer.")
        rig = Rig(ScriptedQueue([gone, gone, deliveries("a")]))
        with capture_logs() as logs:
            summary = await rig.run()
        assert rig.queue.acked == ["a"]
        assert summary.exit_code == 0
        pauses = [entry["again_in_seconds"] for entry in logs if entry["event"] == "queue.away"]
        assert pauses == [1.0, 2.0]

    asyncio.run(scenario())


def test_a_queue_that_stays_away_for_the_rest_of_the_run_ends_it_with_75() -> None:
    async def scenario() -> None:
        gone = QueueUnavailable("The queue does not answer.")
        rig = Rig(ScriptedQueue([gone] * 500), max_runtime_seconds=540.0)
        summary = await rig.run()
        assert (summary.ending, summary.exit_code) == ("outage", 75)
        assert summary.seconds >= 540.0

    asyncio.run(scenario())


def test_a_stop_ends_the_wait_for_a_queue_that_is_away() -> None:
    async def scenario() -> None:
        def away() -> list[Delivery]:
            asyncio.get_running_loop().call_soon(rig.consumer.stop)
            raise QueueUnavailable("The queue does not answer.")

        async def endless(_seconds: float) -> None:
            await asyncio.Event().wait()

        # Given pauses that would never end
        rig = Rig(ScriptedQueue([away, away]))
        rig.consumer._puller._sleep = endless
        summary = await rig.run()
        assert (summary.ending, summary.exit_code) == ("outage", 75)

    asyncio.run(scenario())


def test_after_an_outage_of_the_queue_the_idle_time_begins_anew() -> None:
    async def scenario() -> None:
        # Given a queue that is away for longer than the idle timeout, and has a message after one more empty pull
        gone = QueueUnavailable("The queue does not answer.")
        queue = ScriptedQueue([*[gone] * 5, [], deliveries("late")])
        rig = Rig(queue, idle_timeout_seconds=10.0)
        # When it is drained
        await rig.run()
        # Then the message is not missed
        assert queue.acked == ["late"]

    asyncio.run(scenario())


def test_a_request_that_meets_a_bug_is_told_by_its_place_and_counts_as_one() -> None:
    async def scenario() -> None:
        reason = failure(stage="content", kind=BUG, message="KeyError at content/x.py:7: a bug", now=NOON)
        outcome = Failed(failure=reason, attempts=1, cost_usd=0.0, hopeless=False)

        async def work(_message: InFlight) -> Handled:
            return Handled(settlement=settle_outcome(outcome), failure=reason)

        rig = Rig(ScriptedQueue([deliveries("bug")]), work)
        with capture_logs() as logs:
            summary = await rig.run()
        assert (summary.bugs, summary.exit_code, rig.queue.acked) == (1, 1, [])
        (crash,) = [entry for entry in logs if entry["event"] == "message.crashed"]
        assert "content/x.py:7" in crash["cause"]

    asyncio.run(scenario())


def test_a_subscription_deleted_during_the_run_ends_it_with_78() -> None:
    async def scenario() -> None:
        rig = Rig(ScriptedQueue([deliveries("a"), ConfigurationError("It is gone.", fix="Provision it.")]))
        with capture_logs() as logs:
            summary = await rig.run()
        assert (summary.ending, summary.exit_code) == ("configuration", 78)
        assert rig.queue.acked == ["a"]
        assert any(entry.get("fix") == "Provision it." for entry in logs)

    asyncio.run(scenario())


def test_a_store_that_refuses_for_good_ends_the_run_instead_of_failing_every_message() -> None:
    async def scenario() -> None:
        async def work(_message: InFlight) -> Handled:
            error = ConfigurationError("No right to write.", fix="Grant roles/datastore.user.")
            return Handled(settlement=settle_error(error))

        rig = Rig(ScriptedQueue([deliveries("a"), deliveries("b"), deliveries("c")]), work, concurrency=1)
        summary = await rig.run()
        assert (summary.ending, summary.exit_code) == ("configuration", 78)
        assert rig.queue.acked == []

    asyncio.run(scenario())


async def unanswered(_message: InFlight) -> Handled:
    return Handled(settlement=settle_error(NoModelAnswered("No rung of the ladder for nlu answered.")))


class Watch:
    """Models that are away for so many looks, and after every message that has met an outage."""

    def __init__(self, away: float = 0, *, error: Exception | None = None) -> None:
        self.away = away
        self.error = error
        self.looks = 0
        self.met_causes: list[str] = []
        self.spend = Spend(calls=1, cost_usd=0.25)
        self.seconds_to_next_look = 0.0

    async def outage(self) -> Outage | None:
        await asyncio.sleep(0)
        self.looks += 1
        if self.error is not None:
            raise self.error
        return OUTAGE if self.looks <= self.away else None

    async def met(self, cause: str) -> Outage:
        self.met_causes.append(cause)
        self.away = self.looks + 3
        return OUTAGE


OUTAGE = Outage(since=NOON, cause="No model of the ladder for nlu answers.", met_by_message=False)


def test_a_holding_run_pulls_nothing_while_no_model_answers_and_says_since_when() -> None:
    async def scenario() -> None:
        # Given messages, and models that are away
        rig = Rig(ScriptedQueue([deliveries("a", "b")]), watch=Watch(away=math.inf))
        with capture_logs() as logs:
            summary = await rig.run()
        # Then the run ends at once with 75, and no message was delivered
        assert (summary.ending, summary.exit_code, summary.pulled) == ("outage", 75, 0)
        assert (rig.queue.limits, rig.queue.extended, rig.queue.acked) == ([], [], [])
        # And one line says what is down and since when, and so does the summary
        (line,) = [entry for entry in logs if entry["event"] == "run.ending"]
        assert (line["cause"], line["since"]) == (OUTAGE.cause, "2026-11-20T12:00:00+00:00")
        assert "WORKER_ON_OUTAGE" in line["fix"]
        assert summary.line().startswith("outage since 2026-11-20T12:00:00+00:00 after ")
        # And what looking has cost is on the bill
        assert summary.cost_usd == 0.25

    asyncio.run(scenario())


def test_a_thousand_holding_runs_in_an_outage_pull_nothing() -> None:
    async def scenario() -> None:
        queue = ScriptedQueue([deliveries("a", "b")])
        codes = {(await Rig(queue, watch=Watch(away=math.inf)).run()).exit_code for _ in range(1000)}
        assert (codes, queue.limits) == ({75}, [])

    asyncio.run(scenario())


def test_an_outage_that_begins_in_the_middle_ends_a_holding_run_and_leaves_the_messages() -> None:
    async def scenario() -> None:
        # Given models that answer the look, and then no message any more
        watch = Watch()
        rig = Rig(ScriptedQueue([deliveries("a", "b"), deliveries("c")]), unanswered, watch=watch)
        with capture_logs() as logs:
            summary = await rig.run()
        # Then it ends at once, nothing is acked, and one line says what is down
        assert (summary.ending, summary.exit_code) == ("outage", 75)
        assert (rig.queue.acked, summary.pulled) == ([], 2)
        (line,) = [entry for entry in logs if entry["event"] == "run.ending"]
        assert "No rung" in line["cause"]
        assert "WORKER_ON_OUTAGE" in line["fix"]
        # And the next run will know of it
        assert watch.met_causes == ["No rung of the ladder for nlu answered."]
        assert summary.outage_since == "2026-11-20T12:00:00+00:00"

    asyncio.run(scenario())


def test_an_outage_that_cannot_be_noted_ends_the_run_all_the_same() -> None:
    async def scenario() -> None:
        class Forgetful(Watch):
            async def met(self, cause: str) -> Outage:
                raise StoreUnavailable("The store is away.")

        rig = Rig(ScriptedQueue([deliveries("a")]), unanswered, watch=Forgetful())
        with capture_logs() as logs:
            summary = await rig.run()
        assert (summary.ending, summary.exit_code) == ("outage", 75)
        assert any(entry["event"] == "outage.not_noted" for entry in logs)

    asyncio.run(scenario())


def test_a_run_without_end_waits_for_the_models_pulls_nothing_meanwhile_and_goes_on() -> None:
    async def scenario() -> None:
        # Given models that are away at the start, answer, and are away again for a while
        watch = Watch(away=3)
        failed: list[str] = []
        looks_at_pulls: list[int] = []

        async def work(message: InFlight) -> Handled:
            if message.delivery.message_id == "a" and not failed:
                failed.append("a")
                return await unanswered(message)
            return ACKED

        def pulled(*names: str) -> Callable[[], list[Delivery]]:
            def pull() -> list[Delivery]:
                looks_at_pulls.append(watch.looks)
                return deliveries(*names)

            return pull

        def last() -> list[Delivery]:
            rig.consumer.stop()
            return []

        queue = ScriptedQueue([pulled("a"), pulled(), pulled("b"), pulled("a"), last])
        rig = Rig(queue, work, watch=watch, idle_timeout_seconds=math.inf)
        # When it runs until it is told to stop
        summary = await rig.run()
        # Then it looked until they were back, twice, and pulled nothing in between
        assert looks_at_pulls[0] == 4
        assert watch.met_causes == ["No rung of the ladder for nlu answered."]
        assert max(b - a for a, b in itertools.pairwise(looks_at_pulls)) == 4
        # And all is answered, and the run ends because it was told to
        assert sorted(rig.queue.acked) == ["a", "b"]
        assert (summary.ending, summary.exit_code) == ("stopped", 0)

    asyncio.run(scenario())


def test_a_stop_ends_the_wait_for_the_models() -> None:
    async def scenario() -> None:
        class Endless(Watch):
            async def outage(self) -> Outage | None:
                asyncio.get_running_loop().call_soon(rig.consumer.stop)
                await asyncio.Event().wait()
                raise AssertionError

        # Given a look that would never end, or a pause that would not
        for watch in (Endless(), Watch(away=math.inf)):
            watch.seconds_to_next_look = 1e6
            rig = Rig(ScriptedQueue([deliveries("a")]), watch=watch, idle_timeout_seconds=math.inf)
            asyncio.get_running_loop().call_later(0.01, rig.consumer.stop)
            # When the run is stopped, then it ends well and has pulled nothing
            summary = await rig.run()
            assert (summary.ending, summary.exit_code, rig.queue.limits) == ("stopped", 0, [])

    asyncio.run(scenario())


def test_a_model_that_does_not_exist_ends_a_holding_run_with_78_before_anything_is_pulled() -> None:
    async def scenario() -> None:
        error = ConfigurationError("No model of the ladder for nlu exists.", fix="Set WORKER_MODELS.")
        for idle in (0.0, math.inf):
            rig = Rig(ScriptedQueue([deliveries("a")]), watch=Watch(error=error), idle_timeout_seconds=idle)
            summary = await rig.run()
            assert (summary.ending, summary.exit_code, rig.queue.limits) == ("configuration", 78, [])

    asyncio.run(scenario())


def test_a_store_that_is_away_at_the_look_ends_the_run_with_75() -> None:
    async def scenario() -> None:
        rig = Rig(ScriptedQueue([deliveries("a")]), watch=Watch(error=StoreUnavailable("away")))
        summary = await rig.run()
        assert (summary.ending, summary.exit_code, rig.queue.limits) == ("outage", 75, [])

    asyncio.run(scenario())


def test_a_dead_letter_topic_that_is_gone_ends_the_run_instead_of_looking_like_a_bug() -> None:
    async def scenario() -> None:
        async def work(_message: InFlight) -> Handled:
            settlement = Settlement(action=Action.DEAD_LETTER, reason="not_json")
            return Handled(settlement=settlement, dead_letter=Message(data=b"x"))

        rig = Rig(ScriptedQueue([deliveries("bad"), deliveries("later")]), work, concurrency=1)
        rig.publisher.error = ConfigurationError("The topic is gone.", fix="Provision it.")
        summary = await rig.run()
        assert (summary.ending, summary.bugs, summary.exit_code) == ("configuration", 0, 78)
        assert rig.queue.acked == []

    asyncio.run(scenario())


def test_a_run_whose_leases_are_not_renewed_any_more_ends(monkeypatch: Any) -> None:
    async def scenario() -> None:
        # Given a bug in the renewals
        rig = Rig(ScriptedQueue([deliveries("a")]), idle_timeout_seconds=math.inf)

        async def crash() -> None:
            raise KeyError("SECRET")

        monkeypatch.setattr(rig.leases, "run", crash)
        # When a run without end meets it
        with capture_logs() as logs:
            summary = await rig.run()
        # Then it ends in good order and says that it was a bug
        assert (summary.ending, summary.bugs, summary.exit_code) == ("stopped", 1, 1)
        assert "SECRET" not in str(logs)

    asyncio.run(scenario())


def test_an_ack_that_fails_leaves_the_message_to_come_again() -> None:
    async def scenario() -> None:
        rig = Rig(ScriptedQueue([deliveries("a")]))
        rig.queue.fail_on_ack = True
        with capture_logs() as logs:
            summary = await rig.run()
        assert any(entry["event"] == "message.not_settled" for entry in logs)
        assert (summary.settled, summary.exit_code) == ({}, 0)

    asyncio.run(scenario())


def test_every_message_leaves_one_line_that_says_how_it_was_settled() -> None:
    async def scenario() -> None:
        rig = Rig(ScriptedQueue([deliveries("a")]))
        with capture_logs() as logs:
            await rig.run()
        (line,) = [entry for entry in logs if entry["event"] == "message.settled"]
        assert {
            "action": "ack",
            "reason": "stored",
            "status": "completed",
            "mode": "live",
        }.items() <= line.items()

    asyncio.run(scenario())
