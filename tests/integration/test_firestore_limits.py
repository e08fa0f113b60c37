"""Documents that Firestore will never take: trying again cannot help, and the error says why."""

import pytest

from services.errors import PermanentError
from services.storage.port import Claim
from tests.contract.stores import MINUTE, NOON, FirestoreStores, completed, processing

pytestmark = [pytest.mark.emulators, pytest.mark.usefixtures("google_environment")]


@pytest.fixture
def stores(project: str) -> FirestoreStores:
    return FirestoreStores(project)


def test_a_result_of_more_than_a_mebibyte_is_refused_for_good(stores: FirestoreStores) -> None:
    async def scenario() -> None:
        # Given
        store = stores.store()
        claimed = await store.claim("r-1", processing(), owner="w", now=NOON, lifetime=MINUTE)
        assert isinstance(claimed, Claim)

        # When
        with pytest.raises(PermanentError) as caught:
            await store.complete(claimed, completed(script="secret" * 200_000))

        # Then
        assert "longer than" in caught.value.message
        assert "secret" not in caught.value.message

    stores.run(scenario)


def test_a_request_id_that_cannot_name_a_document_is_refused_for_good(stores: FirestoreStores) -> None:
    async def scenario() -> None:
        # When / Then
        with pytest.raises(PermanentError):
            await stores.store().claim("..", processing(), owner="w", now=NOON, lifetime=MINUTE)

    stores.run(scenario)
