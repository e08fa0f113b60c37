"""What every store of paid answers does: the contract of `services.generation.port.PaidAnswers`."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest

from services.errors import ConfigurationError, ContentWorkerError, StoreUnavailable
from tests.contract.answers import LIFETIME, AnswerStores, FirestoreAnswerStores, SqliteAnswerStores

BOUND_SECONDS = 60


def key(name: object) -> str:
    """A key as the caller makes it: a hex digest."""
    return sha256(str(name).encode()).hexdigest()


def test_what_was_kept_is_found_by_every_worker(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        kept = answer_stores.document()
        await answer_stores.answers().keep(key("a"), kept)

        # When
        found = await answer_stores.answers().find([key("a")])

        # Then
        assert found == {key("a"): kept}

    answer_stores.run(scenario)


def test_an_answer_comes_back_as_it_was_kept(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        lima = timezone(timedelta(hours=-5))
        kept = answer_stores.document(
            text="Größe 🙂\n",
            blocked_by=None,
            cached=True,
            output_tokens=2**53 + 1,
            cost_usd=0.1,
            whole=2.0,
            empty="",
            nested={"list": [1, "two", None], "none": {}},
            created_at=datetime(2026, 11, 20, 7, 0, 0, 123456, tzinfo=lima),
        )
        answers = answer_stores.answers()

        # When
        await answers.keep(key("a"), kept)
        found = (await answers.find([key("a")]))[key("a")]

        # Then: a number keeps its type, and times are in UTC
        assert found == kept
        assert [type(found[name]) for name in ("cached", "output_tokens", "whole")] == [bool, int, float]
        assert found["created_at"].tzinfo == UTC

    answer_stores.run(scenario)


def test_of_several_keys_those_are_found_that_are_there(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = answer_stores.answers()
        first, third = answer_stores.document(text="1"), answer_stores.document(text="3")
        await answers.keep(key(1), first)
        await answers.keep(key(3), third)

        # When
        found = await answers.find([key(1), key(2), key(3), key(1)])

        # Then
        assert found == {key(1): first, key(3): third}

    answer_stores.run(scenario)


@pytest.mark.parametrize("keys", [[], [key("missing")]])
def test_nothing_is_found_where_nothing_is(answer_stores: AnswerStores, keys: list[str]) -> None:
    async def scenario() -> None:
        # When / Then
        assert await answer_stores.answers().find(keys) == {}

    answer_stores.run(scenario)


def test_an_expired_answer_is_as_good_as_gone(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = answer_stores.answers()
        await answers.keep(key("a"), answer_stores.document())
        living = answer_stores.document(expires_at=answer_stores.clock.now() + 2 * LIFETIME)
        await answers.keep(key("b"), living)

        # When
        answer_stores.clock.advance(LIFETIME.total_seconds())

        # Then
        assert await answers.find([key("a"), key("b")]) == {key("b"): living}

    answer_stores.run(scenario)


def test_an_answer_that_is_kept_again_lives_longer(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = answer_stores.answers()
        await answers.keep(key("a"), answer_stores.document())
        answer_stores.clock.advance(LIFETIME.total_seconds())

        # When
        again = answer_stores.document()
        await answers.keep(key("a"), again)

        # Then
        assert await answers.find([key("a")]) == {key("a"): again}

    answer_stores.run(scenario)


def test_keeping_the_same_answer_many_times_at_once_does_no_harm(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        stores = [answer_stores.answers(), answer_stores.answers()]
        document = answer_stores.document()

        # When
        await asyncio.gather(*(answers.keep(key("a"), document) for answers in stores * 10))

        # Then
        assert await stores[0].find([key("a")]) == {key("a"): document}

    answer_stores.run(scenario)


def test_of_many_at_once_everybody_gets_its_own(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = answer_stores.answers()
        documents = {key(number): answer_stores.document(text=str(number)) for number in range(200)}

        # When
        await asyncio.gather(*(answers.keep(name, document) for name, document in documents.items()))
        found = await asyncio.gather(*(answers.find([name, key("missing")]) for name in documents))

        # Then
        assert found == [{name: document} for name, document in documents.items()]

    answer_stores.run(scenario)


def test_a_document_that_cannot_be_stored_fails_only_its_own_caller(answer_stores: AnswerStores) -> None:
    async def scenario() -> None:
        # Given
        answers = answer_stores.answers()
        good, bad = answer_stores.document(), answer_stores.document(text=object())

        # When
        outcomes = await asyncio.gather(
            answers.keep(key("bad"), bad), answers.keep(key("good"), good), return_exceptions=True
        )

        # Then
        assert [type(outcome) for outcome in outcomes] == [TypeError, type(None)]
        assert await answers.find([key("bad"), key("good")]) == {key("good"): good}

    answer_stores.run(scenario)


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address that refuses connections: the port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(params=["sqlite", "firestore"])
def lost(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    closed_port: str,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[AnswerStores, type[ContentWorkerError]]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", closed_port)
    # A service that does not answer may come back; a path where nothing can be made will not.
    if request.param == "sqlite":
        (tmp_path / "a-file").touch()
        return SqliteAnswerStores(tmp_path / "a-file" / "worker.db"), ConfigurationError
    return FirestoreAnswerStores(project), StoreUnavailable


def test_an_unreachable_store_is_reported_within_a_bounded_time(
    lost: tuple[AnswerStores, type[ContentWorkerError]],
) -> None:
    stores, expected = lost

    async def scenario() -> None:
        # Given
        answers = stores.answers()

        # When
        async with asyncio.timeout(BOUND_SECONDS):
            outcomes = await asyncio.gather(
                answers.find([key("a")]),
                answers.keep(key("a"), stores.document()),
                answers.keep(key("b"), stores.document()),
                return_exceptions=True,
            )

        # Then
        for outcome in outcomes:
            with pytest.raises(expected, match=r"Check|WORKER_DATABASE"):
                raise outcome

    stores.run(scenario)
