"""Announcements, feedback and erasures in a Firestore that loses answers or takes only a part: they are made again."""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1.types import BatchWriteResponse, WriteResult
from google.rpc.status_pb2 import Status

from services.errors import ConfigurationError, StoreUnavailable
from services.storage.firestore_calls import ATTEMPTS
from services.storage.firestore_stubs import FirestoreStubs
from services.storage.port import Claim, StudentDocument
from tests.contract.stores import MINUTE, NOON, REQUEST, FirestoreStores, completed, processing, stored

pytestmark = [pytest.mark.emulators, pytest.mark.usefixtures("google_environment")]

ABORTED, PERMISSION_DENIED = 10, 7  # google.rpc.Code
WORD = processing(message_id="m-2", created_at=NOON + MINUTE)

LoseAnswers = Callable[[str], None]


@pytest.fixture
def stores(project: str) -> FirestoreStores:
    return FirestoreStores(project)


@pytest.fixture
def lose_answer(monkeypatch: pytest.MonkeyPatch) -> LoseAnswers:
    """Lose the answer to the next call of this method; it is carried out all the same."""

    def lose(method: str) -> None:
        call, left = getattr(FirestoreStubs, method), [exceptions.ServiceUnavailable("connection reset")]

        async def lossy(*args: Any, **kwargs: Any) -> Any:
            answer = await call(*args, **kwargs)
            if left:
                raise left.pop()
            return answer

        monkeypatch.setattr(FirestoreStubs, method, lossy)

    return lose


async def finish(stores: FirestoreStores, **changes: Any) -> None:
    store = stores.store()
    claimed = await store.claim(REQUEST, processing(), owner="w", now=NOON, lifetime=MINUTE)
    assert isinstance(claimed, Claim)
    await store.complete(claimed, completed(student_ref="a1b2", **changes))


def test_an_announcement_whose_answer_was_lost_stands(
    stores: FirestoreStores, lose_answer: LoseAnswers
) -> None:
    async def scenario() -> None:
        # Given
        lose_answer("commit")

        # When
        await stores.store().announce(REQUEST, WORD)

        # Then
        assert await stored(stores.reader()) == {**WORD, "attempt": 0}

    stores.run(scenario)


def test_an_announcement_over_a_failed_request_whose_answer_was_lost_stands(
    stores: FirestoreStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given: the first commit, a create, fails anyway; the second replaces, and its answer is lost
        await finish(stores, status="failed", message_id="m-1")
        commit = FirestoreStubs.commit
        lost: list[Any] = []

        async def lossy(*args: Any, **kwargs: Any) -> Any:
            answer = await commit(*args, **kwargs)
            if not lost:
                lost.append(answer)
                raise exceptions.ServiceUnavailable("connection reset")
            return answer

        monkeypatch.setattr(FirestoreStubs, "commit", lossy)

        # When
        await stores.store().announce(REQUEST, WORD)

        # Then
        assert len(lost) == 1
        assert await stored(stores.reader()) == {**WORD, "created_at": NOON, "attempt": 1}

    stores.run(scenario)


def test_feedback_whose_answer_was_lost_is_kept(stores: FirestoreStores, lose_answer: LoseAnswers) -> None:
    async def scenario() -> None:
        # Given
        lose_answer("batch_write")

        # When
        await stores.feedback().keep(REQUEST, {"rating": 5})

        # Then
        assert await stores.kept_feedback() == {REQUEST: {"rating": 5}}

    stores.run(scenario)


def test_an_erasure_whose_answer_was_lost_is_done(stores: FirestoreStores, lose_answer: LoseAnswers) -> None:
    async def scenario() -> None:
        # Given
        await finish(stores)
        students = stores.students()
        documents = await students.find(["a1b2"])
        assert len(documents) == 1
        lose_answer("batch_write")

        # When
        await students.erase(documents)

        # Then
        assert await students.find(["a1b2"]) == []

    stores.run(scenario)


@pytest.mark.parametrize(
    ("codes", "expected", "sent"),
    [
        ([ABORTED], None, 2),
        ([ABORTED] * ATTEMPTS, StoreUnavailable, ATTEMPTS),
        ([PERMISSION_DENIED], ConfigurationError, 1),
    ],
)
def test_a_part_that_was_refused_is_no_success(
    stores: FirestoreStores,
    monkeypatch: pytest.MonkeyPatch,
    codes: list[int],
    expected: type[Exception] | None,
    sent: int,
) -> None:
    # Given a service that refuses the second of two deletions, this often
    requests: list[Any] = []

    async def refusing(_stubs: FirestoreStubs, request: Any) -> Any:
        requests.append([write.delete.rpartition("/")[2] for write in request.writes])
        second = Status(code=codes[len(requests) - 1] if len(requests) <= len(codes) else 0, message="no")
        return BatchWriteResponse(write_results=[WriteResult()] * 2, status=[Status(), second])

    async def scenario() -> None:
        monkeypatch.setattr(FirestoreStubs, "batch_write", refusing)
        students = stores.students()
        documents = [StudentDocument(kind="feedback", request_id=name, status=None) for name in ("a", "b")]
        # When / Then
        if expected is None:
            await students.erase(documents)
        else:
            with pytest.raises(expected):
                await students.erase(documents)
        assert requests == [["a", "b"]] * sent

    stores.run(scenario)
