"""Each test of a port runs on both of its implementations."""

from pathlib import Path

import pytest

from tests.contract.answers import AnswerStores, FirestoreAnswerStores, SqliteAnswerStores
from tests.contract.queues import PubSubQueues, Queues, SqliteQueues
from tests.contract.stores import FirestoreStores, SqliteStores, Stores


@pytest.fixture(params=["sqlite", pytest.param("pubsub", marks=pytest.mark.emulators)])
def queues(request: pytest.FixtureRequest, database_path: Path, project: str) -> Queues:
    if request.param == "sqlite":
        return SqliteQueues(database_path)
    request.getfixturevalue("google_environment")
    return PubSubQueues(project)


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=pytest.mark.emulators)])
def stores(request: pytest.FixtureRequest, database_path: Path, project: str) -> Stores:
    if request.param == "sqlite":
        return SqliteStores(database_path)
    request.getfixturevalue("google_environment")
    return FirestoreStores(project)


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=pytest.mark.emulators)])
def answer_stores(request: pytest.FixtureRequest, database_path: Path, project: str) -> AnswerStores:
    if request.param == "sqlite":
        return SqliteAnswerStores(database_path)
    request.getfixturevalue("google_environment")
    return FirestoreAnswerStores(project)
