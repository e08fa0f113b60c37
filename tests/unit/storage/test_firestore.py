import asyncio
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.exceptions import RefreshError

from services.channel_options import KEEPALIVE
from services.errors import ConfigurationError, PermanentError, StoreUnavailable
from services.storage.firestore_calls import ATTEMPTS, Firestore
from tests.unit.google_errors import denied

UNAVAILABLE = [
    exceptions.ServiceUnavailable("down"),
    exceptions.DeadlineExceeded("late"),
    exceptions.InternalServerError("oops"),
    exceptions.ResourceExhausted("too many"),
    exceptions.Aborted("contention"),
    exceptions.Unknown("?"),
]


class Work:
    """A call that ends in these ways, one after the other."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self) -> Any:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def no_sleep(_seconds: float) -> None:
    return


def call(work: Work) -> Any:
    firestore = Firestore(project="school", sleep=no_sleep)
    return asyncio.run(firestore.call(work))


@pytest.mark.parametrize("error", UNAVAILABLE, ids=lambda error: type(error).__name__)
def test_errors_that_may_pass_are_tried_again(error: Exception) -> None:
    # Given
    work = Work(error, "found")

    # When / Then
    assert call(work) == "found"


def test_a_store_that_does_not_answer_is_given_up_after_a_few_tries() -> None:
    # Given
    work = Work(*[exceptions.ServiceUnavailable("down")] * 9)

    # When
    with pytest.raises(StoreUnavailable, match="Firestore database"):
        call(work)

    # Then
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (exceptions.NotFound("no database"), "gcloud firestore databases create --database='(default)'"),
        (denied("IAM_PERMISSION_DENIED"), "roles/datastore.user"),
        (denied("SERVICE_DISABLED"), "gcloud services enable firestore.googleapis.com --project=school"),
        (exceptions.FailedPrecondition("The query requires an index"), "infra/firestore.tf"),
        (exceptions.Unauthenticated("token"), "gcloud auth application-default login"),
        (RefreshError("expired"), "gcloud auth application-default login"),
    ],
)
def test_errors_that_a_person_must_mend_come_with_the_fix_and_are_not_tried_again(
    error: Exception, fix: str
) -> None:
    # Given
    work = Work(error)

    # When
    with pytest.raises(ConfigurationError) as caught:
        call(work)

    # Then
    assert fix in caught.value.fix
    assert work.calls == 1


def test_a_document_that_is_refused_is_a_permanent_error() -> None:
    # When / Then
    with pytest.raises(PermanentError, match="longer than 1048487 bytes"):
        call(Work(exceptions.InvalidArgument("The value is longer than 1048487 bytes")))


def test_missing_credentials_are_an_operators_matter() -> None:
    # When
    with pytest.raises(ConfigurationError) as caught:
        _ = Firestore(project="school").client

    # Then
    assert "credentials" in caught.value.message
    assert "gcloud auth application-default login" in caught.value.fix


def test_the_connection_to_an_emulator_is_kept_alive_like_that_to_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given where an emulator is
    opened, real = [], grpc.aio.insecure_channel

    def insecure_channel(target: str, *, options: Any) -> grpc.aio.Channel:
        opened.append((target, dict(options)))
        return real(target, options=options)

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr(grpc.aio, "insecure_channel", insecure_channel)

    async def run() -> None:
        firestore = Firestore(project="school")
        assert firestore.stubs is not None
        await firestore.close()

    # When the first call is prepared
    asyncio.run(run())
    # Then its channel pings, and takes documents of any size
    ((target, options),) = opened
    assert target == "127.0.0.1:9"
    assert options.items() > dict(KEEPALIVE).items()
    assert options["grpc.max_receive_message_length"] == -1
