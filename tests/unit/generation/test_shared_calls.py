"""Equal tasks in flight at the same time: one call, one bill, and nobody takes another one's answer away."""

import asyncio
import gc
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.errors import ClaimLost, ContentWorkerError, ModelUnavailable, NoModelAnswered, RequestFailed
from services.generation.allowance import Allowance
from services.generation.port import Answer, Provenance, RungFailure, Task
from services.generation.shared_calls import SharedCalls
from services.generation.spend import Spend
from tests.fakes import LIVE, FunctionModel
from tests.unit.generation.doubles import (
    Lesson,
    MemoryAnswers,
    ScriptedProvider,
    broken,
    busy,
    good,
    ladder,
    lesson_task,
    mock_rung,
    rung,
)

LIGHT = Lesson(title="Light", grade=5)
PAID = Answer(data=LIGHT, provenance=LIVE)


@dataclass
class GatedModel:
    """A model whose calls wait until the gate is opened; `outcomes` are played in order, the last one for ever."""

    outcomes: Sequence[Answer[Lesson] | Exception] = (PAID,)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[Task[Any]] = field(default_factory=list)
    cancelled: int = 0
    on_cancel: Callable[[], Awaitable[object]] | None = None

    async def generate(self, task: Task[Any]) -> Answer[Any]:
        outcome = self.outcomes[min(len(self.begun), len(self.outcomes) - 1)]
        self.begun.append(task)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            if self.on_cancel is not None:
                await self.on_cancel()
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def run(
    scenario: Callable[[GatedModel], Awaitable[None]], *outcomes: Answer[Lesson] | Exception
) -> GatedModel:
    """Run a scenario, and see to it that asyncio has nothing to complain about afterwards."""
    model, complaints = GatedModel(outcomes or (PAID,)), []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await scenario(model)
        gc.collect(1)  # the young generations: what the scenario has left, and not the whole process

    asyncio.run(watched())
    assert complaints == []
    return model


async def turns(count: int = 5) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def begin(shared: SharedCalls, *tasks: Task[Lesson]) -> list[asyncio.Task[Answer[Lesson]]]:
    waiting = [asyncio.create_task(shared.generate(task)) for task in tasks]
    await turns()
    return waiting


def equal(count: int, **changes: object) -> list[Task[Lesson]]:
    return [lesson_task(**changes) for _ in range(count)]


def carriers(answers: Sequence[Answer[Lesson]]) -> list[Provenance]:
    return [answer.provenance for answer in answers if not answer.provenance.cached]


def test_thirty_equal_tasks_at_once_make_one_call_and_one_bill() -> None:
    # Given a ladder that keeps its answers, and thirty messages with the same question
    provider, paid = ScriptedProvider(good()), MemoryAnswers()
    shared = SharedCalls(ladder(rung(provider), mock_rung(), paid=paid))

    async def scenario() -> list[Answer[Lesson]]:
        return await asyncio.gather(*map(shared.generate, equal(30)))

    # When they are worked on at the same time
    answers = asyncio.run(scenario())
    # Then the model is called once, and all have the answer
    assert len(provider.calls) == 1
    assert [answer.data for answer in answers] == [LIGHT] * 30
    # Then one carries the cost, and the others say what they saved
    [carrier] = carriers(answers)
    assert (carrier.attempts, carrier.cost_usd, carrier.saved_usd) == (1, 0.01, 0.0)
    others = [answer.provenance for answer in answers if answer.provenance.cached]
    assert len(others) == 29
    assert {(one.mode, one.attempts, one.cost_usd, one.saved_usd) for one in others} == {
        ("live", 0, 0.0, 0.01)
    }
    assert {(one.input_tokens, one.output_tokens) for one in others} == {(0, 0)}


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({}, 1),
        ({"identity": "light|5"}, 2),
        ({"identity": lesson_task().prompt}, 2),
        ({"prompt": "Another question."}, 2),
        ({"stage": "nlu"}, 2),
        ({"prompt_version": "2"}, 2),
        ({"resumes": True}, 1),
        ({"allowance": Allowance(max_calls=1)}, 1),
    ],
)
def test_only_tasks_that_ask_the_same_share_a_call(changes: dict[str, Any], calls: int) -> None:
    async def scenario(model: GatedModel) -> None:
        # Given two tasks that differ in one thing
        waiting = await begin(SharedCalls(model), lesson_task(), lesson_task(**changes))
        # When both are in flight
        model.opened.set()
        await asyncio.gather(*waiting)

    # Then they share a call or not
    assert len(run(scenario).begun) == calls


FALLBACK = replace(LIVE, mode="fallback", attempts=0, cached=True, cost_usd=0.0, saved_usd=0.002)


@pytest.mark.parametrize(("resumes", "calls"), [(True, 1), (False, 2)])
def test_only_another_resuming_task_is_served_by_a_lower_rungs_answer_that_was_resumed(
    resumes: bool, calls: int
) -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a second attempt, which takes what an earlier one had paid on a lower rung, and an equal task
        shared = SharedCalls(model)
        waiting = await begin(shared, lesson_task(resumes=True), lesson_task(resumes=resumes))
        model.opened.set()
        _, answer = await asyncio.gather(*waiting)
        # Then a first attempt asks the better rung
        assert answer.provenance.mode == ("fallback" if resumes else "live")

    model = run(scenario, replace(PAID, provenance=FALLBACK), PAID)
    assert len(model.begun) == calls


def test_a_claim_that_one_message_has_lost_is_not_the_others_loss() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given two messages that share a call, which the first may not make any more
        shared = SharedCalls(model)
        waiting = await begin(shared, lesson_task(), lesson_task())
        model.opened.set()
        lost, answered = await asyncio.gather(*waiting, return_exceptions=True)
        # Then only the first one is dropped
        assert isinstance(lost, ClaimLost)
        assert isinstance(answered, Answer)

    assert len(run(scenario, ClaimLost("Another worker owns the request now."), PAID).begun) == 2


def test_tasks_with_one_identity_share_a_call_whatever_their_prompts_say() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given two wordings of one question
        tasks = [lesson_task(identity="light|5", prompt=prompt) for prompt in ("Light?", "What is light?")]
        # When both are in flight
        waiting = await begin(SharedCalls(model), *tasks)
        model.opened.set()
        await asyncio.gather(*waiting)

    # Then there is one call
    assert len(run(scenario).begun) == 1


def test_a_task_that_comes_when_the_call_has_ended_makes_its_own() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a call that has ended
        shared = SharedCalls(model)
        model.opened.set()
        await shared.generate(lesson_task())
        # When an equal task comes
        answer = await shared.generate(lesson_task())
        # Then it asks anew: what was paid for is somebody else's to remember
        assert answer == PAID

    assert len(run(scenario).begun) == 2


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_one_waiters_cancellation_does_not_take_the_answer_from_the_others(gone: int) -> None:
    async def scenario(model: GatedModel) -> None:
        # Given three who wait for one call
        waiting = await begin(SharedCalls(model), *equal(3))
        # When one of them is cancelled, be it the one who began
        waiting[gone].cancel()
        await turns()
        model.opened.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # Then the others have the answer, and one of them its cost
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        assert isinstance(outcomes[gone], asyncio.CancelledError)
        assert len(answers) == 2
        assert [carrier.cost_usd for carrier in carriers(answers)] == [LIVE.cost_usd]

    assert run(scenario).cancelled == 0


def test_a_waiter_who_is_cancelled_in_the_moment_of_the_answer_leaves_its_cost_to_the_next() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given two who wait for one call
        waiting = await begin(SharedCalls(model), *equal(2))
        # When the call ends and the first is cancelled before it can go on
        model.opened.set()
        await turns(2)
        waiting[0].cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # Then the second carries the cost
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert outcomes[1] == PAID

    run(scenario)


def test_the_call_is_cancelled_with_its_last_waiter_who_sees_it_end() -> None:
    ended: list[str] = []

    async def end() -> None:
        await turns()
        ended.append("the call")

    async def scenario(model: GatedModel) -> None:
        # Given two who wait for one call
        model.on_cancel = end
        first, second = await begin(SharedCalls(model), *equal(2))
        # When one after the other is cancelled
        first.cancel()
        await turns()
        assert model.cancelled == 0
        second.cancel()
        await asyncio.wait([second])
        # Then the call has ended before the last of them has
        assert second.cancelled()
        assert ended == ["the call"]

    run(scenario)


def test_nobody_joins_a_call_that_is_being_cancelled() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a cancelled call that takes its time to end
        ended = asyncio.Event()
        model.on_cancel = ended.wait
        shared = SharedCalls(model)
        [first] = await begin(shared, lesson_task())
        first.cancel()
        await turns()
        # When an equal task comes
        [second] = await begin(shared, lesson_task())
        ended.set()
        await turns()
        # When another one comes once the first call is gone
        [third] = await begin(shared, lesson_task())
        model.opened.set()
        answers = await asyncio.gather(second, third)
        # Then these two share a call of their own
        assert len(carriers(answers)) == 1

    assert len(run(scenario).begun) == 2


def test_a_call_that_fails_while_it_is_cancelled_is_not_complained_of() -> None:
    async def fail() -> None:
        raise ModelUnavailable("connection lost")

    async def scenario(model: GatedModel) -> None:
        # Given a call that answers its cancellation with an error
        model.on_cancel = fail
        [waiting] = await begin(SharedCalls(model), lesson_task())
        # When its only waiter is cancelled
        waiting.cancel()
        await asyncio.wait([waiting])
        # Then the waiter is cancelled, and asyncio has nothing to say (see `run`)
        assert waiting.cancelled()

    run(scenario)


def test_a_failure_that_nobody_is_left_to_hear_is_not_complained_of() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a call that fails in the moment in which its only waiter is cancelled
        [waiting] = await begin(SharedCalls(model), lesson_task())
        model.opened.set()
        await turns(2)
        waiting.cancel()
        await asyncio.wait([waiting])
        # Then the waiter is cancelled, and asyncio has nothing to say (see `run`)
        assert waiting.cancelled()

    run(scenario, busy())


@pytest.mark.parametrize(
    "error",
    [
        NoModelAnswered("nothing"),
        ModelUnavailable("busy", kind="quota", code=429, retry_after=3.0),
        RequestFailed("useless", stage="script", kind="invalid_json"),
    ],
)
def test_an_error_reaches_everybody_in_a_copy_of_its_own(error: ContentWorkerError) -> None:
    async def scenario(model: GatedModel) -> None:
        # Given three who wait for a call
        waiting = await begin(SharedCalls(model), *equal(3))
        # When it fails
        model.opened.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # Then each has the error with all its facts, and can add to it without the others seeing it
        raised = [outcome for outcome in outcomes if isinstance(outcome, ContentWorkerError)]
        assert [type(one) for one in raised] == [type(error)] * 3
        assert [(str(one), vars(one)) for one in raised] == [(str(error), vars(error))] * 3
        assert len({id(one) for one in raised}) == 3
        # Then each traceback leads from there to where the error was raised, and has grown by nobody else's
        assert [_places(one) for one in raised] == [["generate", "answer", "generate"]] * 3

    assert len(run(scenario, error).begun) == 1


def _places(error: BaseException) -> list[str]:
    """The functions that the error came through on its way out of the shared call."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.name != "run"]


def test_a_bug_reaches_everybody() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given two who wait for a call
        waiting = await begin(SharedCalls(model), *equal(2))
        # When it ends by a bug
        model.opened.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # Then both see it
        assert [type(outcome) for outcome in outcomes] == [KeyError, KeyError]

    run(scenario, KeyError("grade"))


def test_a_fallback_keeps_its_mode_and_reason_for_everybody() -> None:
    # Given a fallback answer
    reason = RungFailure(kind="quota", code=429, message="busy")
    fallback = replace(PAID, provenance=replace(LIVE, mode="fallback", error=reason, cost_usd=None))

    async def scenario(model: GatedModel) -> None:
        waiting = await begin(SharedCalls(model), *equal(2))
        # When two share it
        model.opened.set()
        _, second = await asyncio.gather(*waiting)
        # Then the second knows how it came about, and that nobody knows what it saved
        assert (second.provenance.mode, second.provenance.error) == ("fallback", reason)
        assert (second.provenance.cost_usd, second.provenance.saved_usd) == (0.0, None)

    run(scenario, fallback)


def test_an_answer_that_was_found_saves_everybody_what_it_had_cost() -> None:
    # Given an answer that was paid for before, found after a call in vain
    found = replace(PAID, provenance=replace(LIVE, cached=True, cost_usd=0.002, saved_usd=0.05))

    async def scenario(model: GatedModel) -> None:
        waiting = await begin(SharedCalls(model), *equal(3))
        # When three share it
        model.opened.set()
        answers = await asyncio.gather(*waiting)
        # Then the call in vain is on one bill, and the saving is everybody's
        assert [answer.provenance.cost_usd for answer in answers] == [0.002, 0.0, 0.0]
        assert {answer.provenance.saved_usd for answer in answers} == {0.05}

    run(scenario, found)


def test_the_mocks_answer_saves_nobody_anything() -> None:
    # Given an outage in which a model was paid for useless answers before the mock answered
    provider = ScriptedProvider(good("I would rather not."))
    shared = SharedCalls(ladder(rung(provider), mock_rung()))

    async def scenario() -> list[Answer[Lesson]]:
        return await asyncio.gather(*map(shared.generate, equal(3)))

    # When three messages share the call
    with capture_logs():
        answers = asyncio.run(scenario())
    # Then all have the mock's answer as it is, and what was paid in vain is on one bill
    assert {answer.data and answer.data.title for answer in answers} == {"Offline"}
    assert {(answer.provenance.mode, answer.provenance.cached) for answer in answers} == {("mock", False)}
    assert [answer.provenance.cost_usd for answer in answers] == [0.02, 0.0, 0.0]
    assert [answer.provenance.saved_usd for answer in answers] == [0.0, 0.0, 0.0]


def test_an_imperfect_answer_serves_all_who_wait_for_it() -> None:
    # Given a model that is always imperfect, and ten messages with the same question
    provider = ScriptedProvider(good())
    shared = SharedCalls(ladder(rung(provider), mock_rung()))
    tasks = equal(10, check=lambda _: [broken("length", severity="imperfect")])

    async def scenario() -> list[Answer[Lesson]]:
        return await asyncio.gather(*map(shared.generate, tasks))

    # When they are worked on at the same time
    answers = asyncio.run(scenario())
    # Then it was asked twice in all, not twice for each
    assert len(provider.calls) == 2
    assert {answer.provenance.mode for answer in answers} == {"live"}


def test_a_block_is_nobody_elses() -> None:
    # Given a call that the safety filter blocks, and none after it
    blocked: Answer[Lesson] = Answer(data=None, provenance=LIVE, blocked_by="safety")

    async def scenario(model: GatedModel) -> None:
        waiting = await begin(SharedCalls(model), *equal(3))
        # When three wait for it
        model.opened.set()
        answers = await asyncio.gather(*waiting)
        # Then the one who asked is blocked, and the others share an answer
        assert [answer.blocked_by for answer in answers] == ["safety", None, None]
        assert [answer.data for answer in answers[1:]] == [LIGHT, LIGHT]

    assert len(run(scenario, blocked, PAID).begun) == 2


def test_an_answer_that_one_task_cannot_use_is_asked_for_again_by_it() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a task that wants more of an answer than the one that began the call, and two that do not
        stricter = lesson_task(check=lambda lesson: [] if lesson.parts else [broken()])
        waiting = await begin(SharedCalls(model), lesson_task(), stricter, lesson_task())
        # When the call ends
        model.opened.set()
        answers = await asyncio.gather(*waiting)
        # Then that one makes its own call
        assert model.begun[1:] == [stricter]
        assert [answer.provenance.cached for answer in answers] == [False, False, True]

    assert len(run(scenario).begun) == 2


def test_a_task_that_comes_in_the_moment_of_an_answer_it_cannot_use_asks_again() -> None:
    # Given a task that comes when a call has ended and its waiters do not know yet, and that wants more
    stricter = lesson_task(check=lambda lesson: [] if lesson.parts else [broken()])
    late: list[asyncio.Task[Answer[Lesson]]] = []

    def respond(_task: Task[Any]) -> Lesson:
        if not late:
            late.append(asyncio.create_task(shared.generate(stricter)))
        return LIGHT

    model = FunctionModel(respond)
    shared = SharedCalls(model)

    async def scenario() -> None:
        await shared.generate(lesson_task())
        await late[0]

    # When both are answered
    asyncio.run(scenario())
    # Then it has made its own call
    assert model.tasks[1:] == [stricter]


MOCKED = replace(PAID, provenance=replace(LIVE, mode="mock", cost_usd=0.0))


@pytest.mark.parametrize("outcome", [MOCKED, NoModelAnswered("used up")])
def test_one_messages_spent_allowance_does_not_end_the_others_calls(
    outcome: Answer[Lesson] | Exception,
) -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a call of a message with one call left, and two others that wait for it
        allowance = Allowance(max_calls=1)
        waiting = await begin(SharedCalls(model), lesson_task(allowance=allowance), *equal(2))
        # When the allowance is spent and no model has answered
        allowance.add(Spend(calls=1))
        model.opened.set()
        first, *others = await asyncio.gather(*waiting, return_exceptions=True)
        # Then the others share a call of their own
        assert first == outcome or isinstance(first, NoModelAnswered)
        assert [other.data for other in others if isinstance(other, Answer)] == [LIGHT, LIGHT]

    assert len(run(scenario, outcome, PAID).begun) == 2


def test_a_spent_allowance_whose_last_call_was_answered_serves_everybody() -> None:
    async def scenario(model: GatedModel) -> None:
        # Given a call that took the last of its message's allowance
        allowance = Allowance(max_calls=1)
        waiting = await begin(SharedCalls(model), lesson_task(allowance=allowance), lesson_task())
        allowance.add(Spend(calls=1))
        # When it is answered
        model.opened.set()
        answers = await asyncio.gather(*waiting)
        # Then the answer is everybody's
        assert [answer.data for answer in answers] == [LIGHT, LIGHT]

    assert len(run(scenario).begun) == 1


def test_nothing_is_left_behind_of_calls_that_ended() -> None:
    # Given many calls with different ends
    shared = SharedCalls(FunctionModel(lambda task: busy() if "odd" in task.prompt else LIGHT))

    async def scenario() -> None:
        tasks = [
            lesson_task(prompt=f"{'odd' if number % 2 else 'even'} {number // 4}") for number in range(40)
        ]
        await asyncio.gather(*map(shared.generate, tasks), return_exceptions=True)

    # When they have ended
    asyncio.run(scenario())
    # Then none is remembered
    assert shared._calls == {}
