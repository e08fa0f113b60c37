"""Paid answers in Firestore: what travels together, and what becomes of it when a part of it fails."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1 import types
from google.rpc.status_pb2 import Status

from services.errors import ConfigurationError, PermanentError, StoreUnavailable
from services.storage.firestore_answers import MOST
from services.storage.firestore_calls import ATTEMPTS
from services.storage.firestore_stubs import FirestoreStubs
from tests.contract.answers import FirestoreAnswerStores

pytestmark = [pytest.mark.emulators, pytest.mark.usefixtures("google_environment")]

ABORTED, PERMISSION_DENIED = 10, 7  # google.rpc.Code
TOO_LARGE = "secret" * 200_000


@pytest.fixture
def stores(project: str) -> FirestoreAnswerStores:
    return FirestoreAnswerStores(project)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All reads and writes that go out."""
    sent: list[Any] = []

    def recorded(method: str) -> Callable[..., Any]:
        send = getattr(FirestoreStubs, method)

        def record(*args: Any, **kwargs: Any) -> Any:
            sent.append(args[-1])
            return send(*args, **kwargs)

        return record

    for method in ("batch_write", "batch_get_documents"):
        monkeypatch.setattr(FirestoreStubs, method, recorded(method))
    return sent


class Writes:
    """Firestore's batch write, where the writes of some keys fail: a fault that the emulator cannot show."""

    def __init__(self) -> None:
        self.codes: dict[str, list[int]] = {}
        self.sent: list[list[str]] = []

    async def __call__(self, request: Any) -> Any:
        keys = [write.update.name.rpartition("/")[2] for write in request.writes]
        self.sent.append(keys)
        return types.BatchWriteResponse.pb()(status=[self._status(key) for key in keys])

    def _status(self, key: str) -> Status:
        codes = self.codes.get(key)
        return Status(code=codes.pop(0) if codes else 0, message="contention")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    writes = Writes()
    monkeypatch.setattr(FirestoreStubs, "batch_write", lambda _self, request: writes(request))
    return writes


async def keep_all(stores: FirestoreAnswerStores, keys: Sequence[str]) -> list[Any]:
    """Keep these at once; what became of each."""
    answers = stores.answers()
    document = stores.document()
    return await asyncio.gather(*(answers.keep(key, document) for key in keys), return_exceptions=True)


def test_what_comes_at_about_the_same_time_travels_together(
    stores: FirestoreAnswerStores, requests: list[Any]
) -> None:
    async def scenario() -> None:
        # Given
        answers = stores.answers()
        keys = [f"key-{number}" for number in range(2 * MOST)]

        # When
        await asyncio.gather(*(answers.keep(key, stores.document()) for key in keys))
        await asyncio.gather(*(answers.find([key, "missing"]) for key in keys))

        # Then
        assert [len(request.writes) for request in requests[:2]] == [MOST, MOST]
        assert [len(request.documents) for request in requests[2:]] == [MOST + 1, MOST + 1]

    stores.run(scenario)


def test_an_answer_of_more_than_a_mebibyte_is_refused_for_good_and_its_neighbours_are_kept(
    stores: FirestoreAnswerStores, requests: list[Any]
) -> None:
    async def scenario() -> None:
        # Given
        answers = stores.answers()
        documents = {f"key-{number}": stores.document() for number in range(12)}
        documents["key-7"] = stores.document(text=TOO_LARGE)

        # When
        outcomes = await asyncio.gather(
            *(answers.keep(key, document) for key, document in documents.items()), return_exceptions=True
        )

        # Then
        refusal = outcomes.pop(7)
        assert isinstance(refusal, PermanentError)
        assert "longer than" in refusal.message
        assert "secret" not in refusal.message
        assert outcomes == [None] * 11
        assert len(requests) < 12
        assert (await answers.find(list(documents))).keys() == documents.keys() - {"key-7"}

    stores.run(scenario)


def test_a_write_that_may_succeed_later_is_tried_again_without_the_others(
    stores: FirestoreAnswerStores, writes: Writes
) -> None:
    async def scenario() -> None:
        # Given
        writes.codes["b"] = [ABORTED]

        # When
        outcomes = await keep_all(stores, "abc")

        # Then
        assert outcomes == [None, None, None]
        assert writes.sent == [["a", "b", "c"], ["b"]]

    stores.run(scenario)


def test_a_write_that_never_succeeds_fails_only_its_own_caller(
    stores: FirestoreAnswerStores, writes: Writes
) -> None:
    async def scenario() -> None:
        # Given
        writes.codes["b"] = [ABORTED] * ATTEMPTS

        # When
        outcomes = await keep_all(stores, "abc")

        # Then
        assert [type(outcome) for outcome in outcomes] == [type(None), StoreUnavailable, type(None)]
        assert len(writes.sent) == ATTEMPTS

    stores.run(scenario)


def test_a_write_that_is_forbidden_is_an_operators_matter(
    stores: FirestoreAnswerStores, writes: Writes
) -> None:
    async def scenario() -> None:
        # Given
        writes.codes["a"] = [PERMISSION_DENIED]

        # When
        (outcome,) = await keep_all(stores, "a")

        # Then
        assert isinstance(outcome, ConfigurationError)
        assert "roles/datastore.user" in outcome.fix

    stores.run(scenario)


def test_a_write_whose_answer_was_lost_is_done_again(
    stores: FirestoreAnswerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given
        send = FirestoreStubs.batch_write
        failures = [exceptions.ServiceUnavailable("connection reset")]

        async def lossy(*args: Any, **kwargs: Any) -> Any:
            answer = await send(*args, **kwargs)
            if failures:
                raise failures.pop()
            return answer

        monkeypatch.setattr(FirestoreStubs, "batch_write", lossy)

        # When
        outcomes = await keep_all(stores, "ab")

        # Then
        assert outcomes == [None, None]
        assert (await stores.answers().find("ab")).keys() == {"a", "b"}

    stores.run(scenario)
