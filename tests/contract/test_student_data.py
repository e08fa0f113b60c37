"""What every store does with the data of a student: it is found by handle, and gone for good when it was erased."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.errors import ClaimLost
from services.storage import firestore_students, firestore_writes
from services.storage.port import Claim, StudentData, StudentDocument
from tests.contract.stores import (
    MINUTE,
    NO_TIME,
    NOON,
    REQUEST,
    Store,
    Stores,
    completed,
    degraded,
    processing,
)

ANNA, BEN = "a1b2", "c3d4"


def result(request_id: str, status: str = "completed") -> StudentDocument:
    return StudentDocument(kind="result", request_id=request_id, status=status)


def feedback(request_id: str) -> StudentDocument:
    return StudentDocument(kind="feedback", request_id=request_id, status=None)


async def claim(store: Store, request_id: str = REQUEST, *, owner: str = "claim-a", ref: str = ANNA) -> Claim:
    document = processing(student_ref=ref)
    answer = await store.claim(request_id, document, owner=owner, now=NOON, lifetime=MINUTE)
    assert isinstance(answer, Claim)
    return answer


async def finish(store: Store, request_id: str = REQUEST, *, ref: str | None = ANNA, **changes: Any) -> None:
    await store.complete(await claim(store, request_id), completed(student_ref=ref, **changes))


async def found(students: StudentData, *refs: str) -> set[StudentDocument]:
    """What is found, each once."""
    documents = await students.find(refs)
    assert len(documents) == len(set(documents))
    return set(documents)


def test_results_and_feedback_are_found_by_their_student_and_nobody_elses(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store, opinions, students = stores.store(), stores.feedback(), stores.students()
        await finish(store, "done")
        await finish(store, "wrong", status="failed")
        await claim(store, "in-work")
        await store.announce("on-the-way", processing())
        await finish(store, "bens", ref=BEN)
        await finish(store, "nobodys", ref=None)
        await opinions.keep("done", {"student_ref": ANNA, "rating": 5})
        await opinions.keep("bens", {"student_ref": BEN, "rating": 1})
        await opinions.keep("nobodys", {"student_ref": None, "rating": 1})

        # When / Then
        in_work = {result("in-work", "processing"), result("on-the-way", "processing")}
        annas = {result("done"), result("wrong", "failed"), *in_work, feedback("done")}
        assert await found(students, ANNA) == annas
        assert await found(students, BEN) == {result("bens"), feedback("bens")}
        assert await found(students, ANNA, BEN) == {*annas, result("bens"), feedback("bens")}
        assert await found(students, "e5f6") == set()
        assert await found(students) == set()

    stores.run(scenario)


def test_a_student_is_found_under_any_number_of_handles(stores: Stores) -> None:
    async def scenario() -> None:
        # Given: handles from before the key was rotated
        store = stores.store()
        refs = [f"ref-{number}" for number in range(firestore_students.MOST_REFS + 1)]
        for ref in (refs[0], refs[-1]):
            await finish(store, f"under-{ref}", ref=ref)

        # When / Then
        expected = {result(f"under-{ref}") for ref in (refs[0], refs[-1])}
        assert await found(stores.students(), *refs) == expected

    stores.run(scenario)


def test_what_has_expired_counts_until_it_is_gone(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        await finish(stores.store(), expires_at=stores.clock.now())
        assert await stores.reader().get(REQUEST) is None

        # When / Then
        assert await found(stores.students(), ANNA) == {result(REQUEST)}

    stores.run(scenario)


def test_what_is_erased_is_gone_and_the_rest_is_as_it_was(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store, opinions, students = stores.store(), stores.feedback(), stores.students()
        for ref in (ANNA, BEN):
            await finish(store, f"of-{ref}", ref=ref)
            await opinions.keep(f"of-{ref}", {"student_ref": ref, "rating": 5})
        bens = await stores.reader().get(f"of-{BEN}")

        # When
        await students.erase(await students.find([ANNA]))

        # Then
        assert await found(students, ANNA) == set()
        assert await stores.reader().get(f"of-{ANNA}") is None
        assert await stores.reader().get(f"of-{BEN}") == bens
        assert await stores.kept_feedback() == {f"of-{BEN}": {"student_ref": BEN, "rating": 5}}

    stores.run(scenario)


def test_only_the_kind_that_is_named_is_erased(stores: Stores) -> None:
    async def scenario() -> None:
        # Given a result and feedback of the same name
        students = stores.students()
        await finish(stores.store())
        await stores.feedback().keep(REQUEST, {"student_ref": ANNA})

        # When / Then
        await students.erase([feedback(REQUEST)])
        assert await found(students, ANNA) == {result(REQUEST)}

    stores.run(scenario)


def test_what_is_gone_already_is_erased_without_complaint(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        students = stores.students()
        await finish(stores.store())
        documents = await students.find([ANNA])

        # When
        await students.erase([*documents, result("never-there"), feedback("never-there")])
        await students.erase(documents)
        await students.erase([])

        # Then
        assert await found(students, ANNA) == set()

    stores.run(scenario)


def test_more_is_found_and_erased_than_one_request_carries(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        # Given
        monkeypatch.setattr(firestore_students, "PAGE", 3)
        monkeypatch.setattr(firestore_writes, "MOST", 3)
        store, students = stores.store(), stores.students()
        for number in range(7):
            ref = (ANNA, BEN)[number % 2]
            await finish(store, f"request-{number}", ref=ref)
        expected = {result(f"request-{number}") for number in range(7)}

        # When / Then
        assert await found(students, ANNA, BEN) == expected
        await students.erase(sorted(expected, key=lambda document: document.request_id))
        assert await found(students, ANNA, BEN) == set()

    stores.run(scenario)


async def worked_on(store: Store) -> Claim:
    """A request that a worker owns."""
    return await claim(store)


async def being_healed(store: Store) -> Claim:
    """A result whose debt is being repaid."""
    await store.complete(await claim(store), degraded(student_ref=ANNA))
    claimed = await store.claim_debt(REQUEST, owner="heal", now=NOON, lifetime=MINUTE)
    assert claimed is not None
    return claimed


async def completes(store: Store, claimed: Claim) -> None:
    await store.complete(claimed, completed(student_ref=ANNA))


async def renews(store: Store, claimed: Claim) -> None:
    await store.extend(claimed, now=NOON, lifetime=MINUTE)


async def fails(store: Store, claimed: Claim) -> None:
    await store.extend(claimed, now=NOON, lifetime=NO_TIME, changes={"failures": []})


@pytest.mark.parametrize("given", [worked_on, being_healed])
@pytest.mark.parametrize("write", [completes, renews, fails])
def test_an_owner_whose_document_was_erased_creates_nothing(
    stores: Stores,
    given: Callable[[Store], Awaitable[Claim]],
    write: Callable[[Store, Claim], Awaitable[None]],
) -> None:
    async def scenario() -> None:
        # Given
        store, students = stores.store(), stores.students()
        claimed = await given(store)
        await students.erase(await students.find([ANNA]))

        # When
        with pytest.raises(ClaimLost):
            await write(store, claimed)

        # Then
        assert await found(students, ANNA) == set()
        assert await stores.reader().get(REQUEST) is None
        assert await store.debts(9) == []

    stores.run(scenario)


def test_a_request_that_was_erased_may_be_asked_again_as_if_it_were_new(stores: Stores) -> None:
    async def scenario() -> None:
        # Given
        store, students = stores.store(), stores.students()
        await finish(store, status="failed")
        await students.erase(await students.find([ANNA]))

        # When
        again = await claim(store)

        # Then
        assert (again.attempt, again.failures) == (1, [])

    stores.run(scenario)
