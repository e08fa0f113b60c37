"""Writes to Firestore that may be repeated: they set or delete whole documents, whatever was there before."""

from collections.abc import Sequence
from typing import Any

from services.storage.firestore_calls import Firestore
from services.storage.port import Document

MOST = 100
"""How many writes one request carries. Firestore takes 500, but every field of a result has entries in indexes, which
a deletion takes away with it, and the answer must be there in time."""


async def put(firestore: Firestore, path: str, document: Document) -> None:
    """Write one document. Raises `PermanentError` where Firestore will never take it."""
    await _write_each(firestore, [firestore.plain_write(path, document)])


async def delete(firestore: Firestore, paths: Sequence[str]) -> None:
    """Delete these documents; one that is not there is as good as deleted."""
    for begin in range(0, len(paths), MOST):
        await _write_each(firestore, [_deletion(firestore, path) for path in paths[begin : begin + MOST]])


def _deletion(firestore: Firestore, path: str) -> Any:
    write = firestore.plain_write(path, {})
    write.delete = write.update.name  # one of the two: the update is gone by it
    return write


async def _write_each(firestore: Firestore, writes: Sequence[Any]) -> None:
    async def once() -> None:
        for error in await firestore.write_each(writes):
            if error is not None:
                raise error

    await firestore.call(once)
