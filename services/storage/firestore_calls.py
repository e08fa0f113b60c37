"""What all calls to Firestore have in common: the client, the retry, and errors that tell an operator what to do."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.cloud.firestore_v1 import AsyncClient, types
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from services.channel_options import TO_EMULATOR
from services.errors import ConfigurationError, ContentWorkerError, PermanentError, StoreUnavailable
from services.storage.firestore_stubs import FirestoreStubs
from services.storage.firestore_values import get_fields, put_fields
from services.storage.port import Document

CALL_TIMEOUT_SECONDS = 5.0
ATTEMPTS = 3

# For Google's client: this project's own retry is the only one.
ONE_TRY: dict[str, Any] = {"retry": None, "timeout": CALL_TIMEOUT_SECONDS}

LOG_IN = (
    "Run: gcloud auth application-default login, or attach a service account, or for an emulator set "
    "FIRESTORE_EMULATOR_HOST=host:port."
)

Answer = TypeVar("Answer")
Sleep = Callable[[float], Awaitable[None]]


class _Client(AsyncClient):  # type: ignore[misc]  # Google's clients have no types here
    """Google's client, with a connection to an emulator that is like its connection to the service."""

    def _emulator_channel(self, _transport: Any) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._emulator_host, options=TO_EMULATOR)


class Firestore:
    """One database. Calls are tried up to `ATTEMPTS` times while it does not answer; `sleep` waits in between."""

    def __init__(self, *, project: str, database: str = "(default)", sleep: Sleep = asyncio.sleep) -> None:
        self._project = project
        self._database = database
        self._made: AsyncClient | None = None
        self._made_stubs: FirestoreStubs | None = None
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=sleep,
            reraise=True,
        )

    @property
    def client(self) -> AsyncClient:
        """Google's client, made at its first use because it belongs to the event loop that runs then."""
        if self._made is None:
            try:
                self._made = _Client(project=self._project, database=self._database)
            # OSError: GOOGLE_APPLICATION_CREDENTIALS names a folder, or what may not be read.
            except (DefaultCredentialsError, OSError) as exc:
                raise ConfigurationError(
                    f"There are no Google credentials to use: {exc}", fix=LOG_IN
                ) from exc
        return self._made

    @property
    def stubs(self) -> FirestoreStubs:
        """The methods that every message needs, on the client's connection.

        The library offers no conditional replacement, and wraps every value: see `firestore_values`.
        """
        if self._made_stubs is None:
            self._made_stubs = FirestoreStubs(self.client, database=self._path, timeout=CALL_TIMEOUT_SECONDS)
        return self._made_stubs

    async def call(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do `work`, which makes one request with the client library's own retry off."""

        async def once() -> Answer:
            with self._translated():
                return await work()

        # A copy, because tenacity keeps the state of the loop in the object.
        return await self._retrying.copy()(once)

    async def write(
        self, path: str, document: Document, *, over: Any = None, only: Sequence[str] = ()
    ) -> Any:
        """Create the document, or replace the version `over` of it; with `only` just these fields. One try.

        Returns the new version, which is the time of the write. Raises Google's `AlreadyExists`,
        `FailedPrecondition` or `NotFound` when the document is not as it was thought to be.
        """
        write = self.plain_write(path, document)
        if only:  # an empty mask would mean: no field at all
            write.update_mask.field_paths.extend(only)
        if over is None:
            write.current_document.exists = False
        else:
            write.current_document.update_time.CopyFrom(over)
        request = types.CommitRequest.pb()(database=self._path, writes=[write])
        answer = await self.stubs.commit(request)
        return answer.write_results[0].update_time

    def plain_write(self, path: str, document: Document) -> Any:
        """The write that sets the whole document, whatever was there before."""
        write = types.Write.pb()()
        write.update.name = f"{self._path}/documents/{path}"
        put_fields(document, write.update.fields)
        return write

    async def write_each(self, writes: Sequence[Any]) -> Sequence[ContentWorkerError | None]:
        """Carry out writes to different documents, each for itself. One try. Returns for each what it failed of.

        Not every refusal is one write's: where Firestore checks the request first, it refuses it as a whole.
        https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.v1#batchwriterequest
        """
        request = types.BatchWriteRequest.pb()(database=self._path, writes=writes)
        answer = await self.stubs.batch_write(request)
        return [self._outcome(status) for status in answer.status]

    async def read(self, paths: Iterable[str]) -> dict[str, Document]:
        """Those of the documents that exist, by their paths. One try."""
        root = f"{self._path}/documents/"
        request = types.BatchGetDocumentsRequest.pb()(database=self._path)
        request.documents.extend(root + path for path in paths)
        answers = await self.stubs.batch_get_documents(request)
        found = [answer.found for answer in answers if answer.HasField("found")]
        return {document.name.removeprefix(root): get_fields(document.fields) for document in found}

    async def close(self) -> None:
        """Close the connection, if there ever was one."""
        if self._made is not None:
            await self._made._firestore_api.transport.close()  # noqa: SLF001  # there is no public way
            self._made = self._made_stubs = None

    @property
    def _path(self) -> str:
        return f"projects/{self._project}/databases/{self._database}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.GoogleAPICallError, GoogleAuthError) as exc:
            raise self._explained(exc) from exc

    def _outcome(self, status: Any) -> ContentWorkerError | None:
        if not status.code:
            return None
        return self._explained(exceptions.from_grpc_status(status.code, status.message))

    def _explained(self, exc: exceptions.GoogleAPICallError | GoogleAuthError) -> ContentWorkerError:
        match exc:
            case exceptions.NotFound():
                return ConfigurationError(f"{self} does not exist.", fix=self._fix_of_absence())
            case exceptions.Forbidden():
                return ConfigurationError(f"Access to {self} is denied.", fix=self._fix_of_denial(exc))
            case exceptions.Unauthorized() | RefreshError():
                return ConfigurationError("The Google credentials are not valid any more.", fix=LOG_IN)
            case exceptions.FailedPrecondition():
                fix = "It must be in Native mode and have the indexes that infra/firestore.tf and the README name."
                return ConfigurationError(f"{self} cannot answer: {exc.message}.", fix=fix)
            case exceptions.InvalidArgument():
                return PermanentError(f"{self} refused a document: {exc.message}.")
        return StoreUnavailable(
            f"{self} did not answer: {exc}. Check the network, and where they are set https_proxy and "
            "FIRESTORE_EMULATOR_HOST."
        )

    def __str__(self) -> str:
        return f"Firestore database {self._database} in project {self._project}"

    def _fix_of_absence(self) -> str:
        return (
            "Check GOOGLE_CLOUD_PROJECT, or run: gcloud firestore databases create "
            f"--database='{self._database}' --project={self._project} --location=REGION"
        )

    def _fix_of_denial(self, exc: exceptions.Forbidden) -> str:
        if exc.reason == "SERVICE_DISABLED":
            return f"Run: gcloud services enable firestore.googleapis.com --project={self._project}"
        return "Grant roles/datastore.user to the account that the worker runs as, and check GOOGLE_CLOUD_PROJECT."
