"""One SQLite file that several processes share: what the embedded queue and the embedded store have in common."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from services.errors import ConfigurationError, TransientError

BUSY_TIMEOUT_SECONDS = 5.0
SWITCH_AGAIN_SECONDS = 0.01

# Primary result codes (https://www.sqlite.org/rescode.html) that speak of the file, not of a mistake in this code:
# those that pass, and those that only a person can mend.
PASSING = {
    sqlite3.SQLITE_BUSY: f"Another process has kept it locked for {BUSY_TIMEOUT_SECONDS:.0f} s; let it end.",
    sqlite3.SQLITE_PROTOCOL: "Too many processes opened it at once; try again.",
    sqlite3.SQLITE_FULL: "Free some space on its disk.",
    sqlite3.SQLITE_IOERR: "Check its disk; network file systems do not work.",
}
UNWRITABLE = "Check that its folder exists and may be written to, or set WORKER_DATABASE to another path."
LASTING = {
    sqlite3.SQLITE_CANTOPEN: UNWRITABLE,
    sqlite3.SQLITE_PERM: UNWRITABLE,
    sqlite3.SQLITE_READONLY: UNWRITABLE,
    sqlite3.SQLITE_CORRUPT: "It is damaged: move it away, and a new one is made.",
    sqlite3.SQLITE_NOTADB: "It is no SQLite database: move it away, or set WORKER_DATABASE to another path.",
}

NO_COLUMNS: Mapping[str, Mapping[str, str]] = {}

Found = TypeVar("Found")


class Database:
    """A connection on a thread of its own: whoever waits for a lock or a disk, leases go on being renewed.

    The file, its folder, the tables of `schema` (SQL that may run again) and `added_columns` (by table: names and what
    they hold, for files from before they were in the schema) are made when missing. It is in
    WAL mode, synced at checkpoints: the end of a process loses nothing, a power cut may lose the last
    moments, in the order of their writing. Keep queue and store in one file, then no ack survives without
    its result. Raises `unavailable` while the file cannot be used for now, and `ConfigurationError` where only a
    person can mend it, both with the path and the fix.
    """

    def __init__(
        self,
        path: Path,
        *,
        schema: str,
        unavailable: type[TransientError],
        added_columns: Mapping[str, Mapping[str, str]] = NO_COLUMNS,
    ) -> None:
        self._path = path
        self._schema = schema
        self._added_columns = added_columns
        self._unavailable = unavailable
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        """Do `work` in one transaction that nobody else's writes can come between."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of the rows, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, rows)

        await self.run(work)

    async def close(self) -> None:
        """Close the connection; a later `run` opens it again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)

    def _transact(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        try:
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                return work(connection)
        except sqlite3.DatabaseError as exc:
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            what = f"The database {self._path} cannot be used: {exc}."
            if code in LASTING:
                raise ConfigurationError(what, fix=LASTING[code]) from exc
            if code in PASSING:
                raise self._unavailable(f"{what} {PASSING[code]}") from exc
            raise
        except OSError as exc:
            what = f"The database {self._path} cannot be made: {exc.strerror}."
            raise ConfigurationError(what, fix=UNWRITABLE) from exc

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
            try:
                self._prepare(connection)
            except sqlite3.DatabaseError:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(self._schema)
        for table, columns in self._added_columns.items():
            _add_columns(connection, table, columns)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _add_columns(connection: sqlite3.Connection, table: str, columns: Mapping[str, str]) -> None:
    def missing() -> list[str]:
        there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        return [f"{name} {holds}" for name, holds in columns.items() if name not in there]

    if not missing():
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for column in missing():  # another process may have added them meanwhile
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Put a new file into WAL mode, whoever else is about to.

    SQLite does not wait here: of two connections that switch at once one is told that the file is busy.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(SWITCH_AGAIN_SECONDS)
        else:
            return


def as_text(moment: datetime) -> str:
    """A time as it is stored: UTC with microseconds, so that texts sort like the times they stand for."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def as_time(text: str) -> datetime:
    """The time that `as_text` stored, timezone-aware."""
    return datetime.fromisoformat(text)


def utc_now() -> datetime:
    """The wall clock, which all processes on the machine share."""
    return datetime.now(UTC)
