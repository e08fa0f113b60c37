"""What the ladder pays for is kept, and taken instead of paying again."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from services.errors import PermanentError, StoreUnavailable
from services.generation.paid import content_keys
from services.generation.port import Answer, Completion
from services.generation.rung import Rung
from tests.unit.generation.doubles import (
    BEST,
    MARKER,
    SECOND,
    Lesson,
    MemoryAnswers,
    ScriptedProvider,
    broken,
    busy,
    gone,
    good,
    ladder,
    lesson_task,
    mock_rung,
    rung,
)

LIGHT = Lesson(title="Light", grade=5)
FALLBACK = good('{"title": "Lesser light", "grade": 5}')
NOT_JSON = good("I would rather not.")
BLOCK = Completion(text="", finish="blocked", blocked_by="safety")


def generate(paid: MemoryAnswers, *rungs: Rung, **changes: object) -> Answer[Lesson]:
    """A new ladder for every call, as after a restart."""
    with capture_logs():
        return asyncio.run(ladder(*rungs, paid=paid).generate(lesson_task(**changes)))


def paid_fallback() -> MemoryAnswers:
    """What an attempt leaves behind whose best model was busy."""
    paid = MemoryAnswers()
    generate(paid, rung(ScriptedProvider(busy())), rung(ScriptedProvider(FALLBACK), SECOND))
    return paid


def raising(method: str, error: Exception) -> Callable[[str], None]:
    def before(called: str) -> None:
        if called == method:
            raise error

    return before


def test_an_answer_is_kept_before_it_is_given() -> None:
    # Given a model that answers
    paid = MemoryAnswers()
    # When it is asked
    answer = generate(
        paid, rung(ScriptedProvider(good())), rung(ScriptedProvider(good()), SECOND), mock_rung()
    )
    # Then the answer is kept under its key, and was paid for
    assert list(paid.documents) == content_keys(lesson_task(), [BEST])
    assert (answer.provenance.cached, answer.provenance.cost_usd, answer.provenance.saved_usd) == (
        False,
        0.01,
        0.0,
    )


def test_the_same_question_is_paid_for_once() -> None:
    # Given an answer that was paid for
    paid, provider = MemoryAnswers(), ScriptedProvider(good())
    generate(paid, rung(provider), mock_rung())
    # When the same is asked again
    answer = generate(paid, rung(provider), mock_rung())
    # Then there is no call, and what it had cost was saved
    assert len(provider.calls) == 1
    assert answer.data == LIGHT
    provenance = answer.provenance
    assert (provenance.mode, provenance.provider, provenance.model) == ("live", "vertex", BEST.model)
    assert (provenance.cached, provenance.attempts, provenance.error) == (True, 0, None)
    assert (provenance.cost_usd, provenance.saved_usd) == (0.0, 0.01)
    assert (provenance.input_tokens, provenance.output_tokens) == (0, 0)


def test_a_first_attempt_looks_for_the_best_rungs_answer_only() -> None:
    # Given a ladder of two models and the mock
    paid = MemoryAnswers()
    # When it is asked
    generate(paid, rung(ScriptedProvider(good())), rung(ScriptedProvider(good()), SECOND), mock_rung())
    # Then one read asks for the answer of the best model
    assert paid.finds == [content_keys(lesson_task(), [BEST])]


def test_a_lower_rungs_answer_is_looked_for_when_that_rung_is_reached() -> None:
    paid = MemoryAnswers()
    generate(paid, rung(ScriptedProvider(busy())), rung(ScriptedProvider(good()), SECOND), mock_rung())
    assert paid.finds == [[key] for key in content_keys(lesson_task(), [BEST, SECOND])]


def test_a_later_attempt_looks_for_all_rungs_answers_in_one_read_and_never_for_the_mocks() -> None:
    paid, task = MemoryAnswers(), lesson_task(resumes=True)
    rungs = (rung(ScriptedProvider(good())), rung(ScriptedProvider(good()), SECOND), mock_rung())
    asyncio.run(ladder(*rungs, paid=paid).generate(task))
    assert paid.finds == [content_keys(task, [BEST, SECOND])]


def test_a_ladder_of_the_mock_alone_neither_reads_nor_writes() -> None:
    # Given a machine without a project
    paid = MemoryAnswers()
    # When the ladder is asked
    answer = generate(paid, mock_rung())
    # Then the store was not touched
    assert answer.provenance.mode == "mock"
    assert (paid.finds, paid.documents) == ([], {})


def test_the_mocks_answer_is_never_kept() -> None:
    # Given models that are busy
    paid = MemoryAnswers()
    # When the mock answers
    generate(paid, rung(ScriptedProvider(busy())), mock_rung())
    # Then nothing is kept
    assert paid.documents == {}


def test_what_an_unknown_price_would_have_saved_is_unknown() -> None:
    # Given an answer of a model without a known price
    paid = MemoryAnswers()
    generate(paid, rung(ScriptedProvider(good()), price=lambda ref, usage, at: None))
    # When it is found
    answer = generate(paid, rung(ScriptedProvider(busy())))
    # Then nothing was spent, and nobody knows what was saved
    assert (answer.provenance.cost_usd, answer.provenance.saved_usd) == (0.0, None)


@pytest.mark.parametrize("identity", [None, "light|5"], ids=["same prompt", "shared lesson"])
def test_a_block_is_kept_for_nobody(identity: str | None) -> None:
    # Given a best model whose filter has blocked a question, twice
    paid = MemoryAnswers()
    blocked = generate(paid, rung(ScriptedProvider(BLOCK)), mock_rung(), identity=identity)
    assert blocked.blocked_by == "safety"
    # When another student asks the same
    answer = generate(paid, rung(ScriptedProvider(good())), mock_rung(), identity=identity)
    # Then the model is asked, and answers
    assert (answer.data, answer.provenance.cached) == (LIGHT, False)


def test_a_block_that_an_earlier_version_has_kept_is_not_found() -> None:
    # Given a stored block, under the key of a shared lesson
    task = lesson_task(identity="light|5")
    paid = MemoryAnswers()
    (key,) = content_keys(task, [BEST])
    paid.documents[key] = {"answer": None, "blocked_by": "safety", "cost_usd": 0.01}
    # When somebody asks for the lesson
    answer = generate(paid, rung(ScriptedProvider(good())), mock_rung(), identity="light|5")
    # Then it is written, and takes the block's place
    assert answer.data == LIGHT
    assert paid.documents[key]["answer"] is not None


def test_without_an_earlier_attempt_the_best_model_is_asked_before_a_paid_lesser_answer_is_taken() -> None:
    # Given another message's fallback answer, and a best model that works again
    paid, best, second = paid_fallback(), ScriptedProvider(good()), ScriptedProvider(good())
    # When the same question comes
    answer = generate(paid, rung(best), rung(second, SECOND), mock_rung())
    # Then the best model answers
    assert (answer.provenance.mode, answer.provenance.cached) == ("live", False)
    assert (len(best.calls), len(second.calls)) == (1, 0)


def test_a_paid_lesser_answer_is_taken_when_the_best_model_fails_again() -> None:
    # Given another message's fallback answer, and a best model that costs money in vain
    paid, best, second = paid_fallback(), ScriptedProvider(NOT_JSON), ScriptedProvider(good())
    # When the same question comes
    answer = generate(paid, rung(best), rung(second, SECOND), mock_rung())
    # Then the answer is taken, and what was spent in vain stays on the bill
    assert (len(best.calls), len(second.calls)) == (2, 0)
    assert answer.data == Lesson(title="Lesser light", grade=5)
    provenance = answer.provenance
    assert (provenance.mode, provenance.model, provenance.cached) == ("fallback", SECOND.model, True)
    assert (provenance.attempts, provenance.input_tokens, provenance.cost_usd) == (2, 200, 0.02)
    assert provenance.saved_usd == 0.01
    assert provenance.error is not None
    assert provenance.error.kind == "invalid_json"


def test_an_attempt_that_resumes_takes_the_lesser_answer_it_paid_for() -> None:
    # Given the fallback answer of an earlier attempt at the same request
    paid, best, second = paid_fallback(), ScriptedProvider(good()), ScriptedProvider(good())
    # When the request is delivered again
    answer = generate(paid, rung(best), rung(second, SECOND), mock_rung(), resumes=True)
    # Then nobody is called, and the reason for the fallback is still told
    assert (best.calls, second.calls) == ([], [])
    provenance = answer.provenance
    assert (provenance.mode, provenance.cached, provenance.attempts) == ("fallback", True, 0)
    assert (provenance.cost_usd, provenance.saved_usd) == (0.0, 0.01)
    assert provenance.error is not None
    assert (provenance.error.kind, provenance.error.code) == ("unavailable", 503)


def test_an_attempt_that_resumes_takes_the_best_answer_there_is() -> None:
    # Given answers of both models
    paid = paid_fallback()
    generate(paid, rung(ScriptedProvider(good())))
    # When a request is delivered again
    answer = generate(
        paid, rung(ScriptedProvider(busy())), rung(ScriptedProvider(busy()), SECOND), resumes=True
    )
    # Then the best one's is taken
    assert (answer.provenance.mode, answer.data) == ("live", LIGHT)


def test_a_fallback_answer_counts_as_live_once_its_model_is_the_best() -> None:
    # Given a fallback answer, and an operator who has taken the model above it away
    paid = paid_fallback()
    # When the question comes again
    answer = generate(paid, rung(ScriptedProvider(gone()), SECOND))
    # Then the answer is the best model's, and nothing is wrong with it
    assert (answer.provenance.mode, answer.provenance.error) == ("live", None)


def test_an_attempt_that_resumes_asks_when_nothing_was_paid_for() -> None:
    # Given an attempt that ended before its first answer
    provider = ScriptedProvider(good())
    # When the request is delivered again
    answer = generate(MemoryAnswers(), rung(provider), resumes=True)
    # Then the model is asked as usual
    assert (answer.provenance.mode, answer.provenance.cached) == ("live", False)


def test_a_redelivery_after_a_crash_between_two_stages_pays_for_the_second_only() -> None:
    # Given a worker that crashed after the first stage's answer was kept
    paid, provider = MemoryAnswers(), ScriptedProvider(good())
    generate(paid, rung(provider))
    # When the message is delivered to another worker
    first = generate(paid, rung(provider), resumes=True)
    second = generate(paid, rung(provider), resumes=True, prompt="The second stage's.")
    # Then only the second stage is paid for
    assert (first.provenance.cost_usd, second.provenance.cost_usd) == (0.0, 0.01)
    assert len(provider.calls) == 2


def test_an_answer_that_this_task_cannot_use_is_asked_for_anew() -> None:
    # Given a paid answer without parts, and a task that wants some
    paid = MemoryAnswers()
    generate(paid, rung(ScriptedProvider(good())))
    provider = ScriptedProvider(good('{"title": "Light", "grade": 5, "parts": [{"title": "Waves"}]}'))
    # When the task is put
    answer = generate(paid, rung(provider), check=lambda lesson: [] if lesson.parts else [broken()])
    # Then the model is asked, and its answer takes the other one's place
    assert answer.data is not None
    assert len(answer.data.parts) == 1
    [kept] = paid.documents.values()
    assert "Waves" in kept["answer"]


@pytest.mark.parametrize("method", ["find", "keep"])
def test_an_outage_of_the_store_is_the_callers_to_sit_out(method: str) -> None:
    # Given a store that is away
    paid = MemoryAnswers(before=raising(method, StoreUnavailable("gone")))
    # When the ladder is asked
    # Then the error passes through
    with pytest.raises(StoreUnavailable):
        generate(paid, rung(ScriptedProvider(good())), mock_rung())


def test_an_answer_that_the_store_refuses_is_given_all_the_same() -> None:
    # Given a store that refuses the document
    paid = MemoryAnswers(before=raising("keep", PermanentError("The document is too large.")))
    model = ladder(rung(ScriptedProvider(good())), paid=paid)
    # When the ladder is asked
    with capture_logs() as logs:
        answer = asyncio.run(model.generate(lesson_task()))
    # Then the answer is there, with a warning that quotes none of it
    assert answer.data == LIGHT
    assert logs == [
        {
            "event": "answer.not_kept",
            "log_level": "warning",
            "stage": "script",
            "model": str(BEST),
            "cause": "The document is too large.",
        }
    ]


def test_what_is_kept_holds_nothing_of_the_question() -> None:
    # Given a question with a student's words
    paid = MemoryAnswers()
    # When its answer is kept
    generate(paid, rung(ScriptedProvider(good())))
    # Then they are not in it
    assert MARKER not in repr(paid.documents)
