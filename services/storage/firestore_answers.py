"""Paid answers in Firestore, one document for each content key in the collection `content_answers`.

What must exist: a Firestore database in Native mode (`gcloud firestore databases create`), and a TTL policy that
removes expired answers, within about a day: `gcloud firestore fields ttls update expires_at
--collection-group=content_answers --enable-ttl`. Nothing here is ever queried, so its fields need no index; take at
least `expires_at` out, because an index on times holds the collection to about 500 writes a second
(https://cloud.google.com/firestore/docs/best-practices). Terraform declares both. Rights of the account the worker
runs as: `roles/datastore.user`.

Credentials are Application Default Credentials. With `FIRESTORE_EMULATOR_HOST=host:port` the client talks to that
emulator, without credentials. Clients belong to the event loop that first used them: close them on it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.batching import Batcher
from services.errors import ContentWorkerError, PermanentError, StoreUnavailable
from services.storage.firestore_calls import Firestore, Sleep
from services.storage.port import Document

COLLECTION = "content_answers"

# A request costs about 0.5 ms of CPU, each document in it 0.02 (written) to 0.07 ms (read, with its fields; measured):
# at this size most of the request's share is gone. Answers of the usual few KB stay far below the 10 MiB that a
# request may have (https://cloud.google.com/firestore/quotas), and the 4 MiB that the emulator takes.
MOST = 50

Errors = dict[str, ContentWorkerError]


class FirestorePaidAnswers:
    """Finds and keeps answers; those of many messages that come at about the same time share one request.

    `now` decides what has expired, because Firestore removes late. `sleep` waits between the tries of a call.
    """

    def __init__(
        self,
        *,
        project: str,
        database: str = "(default)",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._firestore = Firestore(project=project, database=database, sleep=sleep)
        self._now = now
        self._finds = Batcher(self._read, most=MOST)
        self._keeps = Batcher(self._write, most=MOST)

    async def find(self, keys: Sequence[str]) -> Mapping[str, Document]:
        """Those that are there and have not expired, by key."""
        if not keys:
            return {}
        found = await self._finds.add(keys)
        now = self._now()
        return {key: found[key] for key in keys if key in found and found[key]["expires_at"] > now}

    async def keep(self, key: str, document: Document) -> None:
        """Store one. Raises `PermanentError` where Firestore will never take it: it is larger than 1 MiB."""
        # Made here, so that a document that cannot be written fails nobody else.
        write = self._firestore.plain_write(f"{COLLECTION}/{key}", document)
        errors = await self._keeps.add((key, write))
        if key in errors:
            raise errors[key]

    async def close(self) -> None:
        """Close the connection."""
        await self._firestore.close()

    async def _read(self, wanted: Sequence[Sequence[str]]) -> dict[str, Document]:
        paths = {f"{COLLECTION}/{key}": key for keys in wanted for key in keys}
        found = await self._firestore.call(lambda: self._firestore.read(paths))
        return {paths[path]: document for path, document in found.items()}

    async def _write(self, writes: Sequence[tuple[str, Any]]) -> Errors:
        # Firestore takes a document once in a request; the same key holds the same answer.
        return await self._write_all(dict(writes))

    async def _write_all(self, writes: dict[str, Any]) -> Errors:
        """Write them all; the errors are by the keys that could not be kept."""
        try:
            return await self._write_each(writes)
        except PermanentError as exc:
            if len(writes) == 1:
                return dict.fromkeys(writes, exc)
        # One document had the whole request refused: the halves show which, without failing the others.
        items, middle = list(writes.items()), len(writes) // 2
        return {
            **await self._write_all(dict(items[:middle])),
            **await self._write_all(dict(items[middle:])),
        }

    async def _write_each(self, writes: Mapping[str, Any]) -> Errors:
        left = dict(writes)
        outcomes: dict[str, ContentWorkerError | None] = {}

        async def once() -> None:
            nonlocal left
            answers = dict(zip(left, await self._firestore.write_each([*left.values()]), strict=True))
            outcomes.update(answers)
            away = {key: error for key, error in answers.items() if isinstance(error, StoreUnavailable)}
            left = {key: left[key] for key in away}
            if away:
                raise next(iter(away.values()))

        try:
            await self._firestore.call(once)
        except StoreUnavailable as exc:
            outcomes.update(dict.fromkeys(left, exc))
        return {key: error for key, error in outcomes.items() if error}
