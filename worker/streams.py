"""Standard streams that neither end nor hang the work.

What cannot be written to standard error is lost, and nothing else: the reader has gone away, the disk is full, the pipe
is full and nobody reads it. Standard output is what a command was asked for, so there a failure stays an error; but it
is no second one when the process ends.
"""

import io
import os
import select
import sys
from contextlib import suppress
from typing import TextIO

PATIENCE_MILLISECONDS = 1000
"""How long a reader that does not read is waited for, once; until it reads again it is not waited for at all."""


class LossyOutput(io.RawIOBase):
    """Writes to a file descriptor what can be written. `lost` counts the writes of which something is missing.

    A line of which only the beginning could be written is ended before the next one: nothing is glued to it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)
        self._is_stalled = False
        self._line_is_broken = False
        self.lost = 0

    def write(self, data: "io.ReadableBuffer") -> int:  # type: ignore[name-defined]  # typeshed's own name
        """Write what can be written. Says that it was all of it, so that nobody tries again."""
        given = bytes(data)
        line = b"\n" + given if self._line_is_broken else given
        written = self._written(line)
        if written < len(line):
            self.lost += 1
        if written:
            self._line_is_broken = written < len(line) and not line[:written].endswith(b"\n")
        return len(given)

    def take_lost(self) -> int:
        """How many writes were lost since this was asked for last."""
        lost, self.lost = self.lost, 0
        return lost

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """Whether a person may be watching."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def _written(self, data: bytes) -> int:
        written = 0
        with suppress(OSError):
            while written < len(data) and self._takes_more():
                # What is ready for writing takes this much without making the writer wait, even a pipe.
                written += os.write(self._descriptor, data[written : written + select.PIPE_BUF])
        return written

    def _takes_more(self) -> bool:
        # A reader that has gone counts as ready: the write then says so.
        is_ready = bool(self._ready.poll(0 if self._is_stalled else PATIENCE_MILLISECONDS))
        self._is_stalled = not is_ready
        return is_ready


def prepare() -> None:
    """Make the process's standard streams such ones; to be called before anything is opened or written."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file to be opened, a database perhaps, would be what prints are written into.
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  # it has no path
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = _lossy(2, encoding=sys.stderr.encoding if sys.stderr else "utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def lossy_part_of(stream: TextIO) -> LossyOutput | None:
    """What writes for a stream that `prepare` has made."""
    raw = getattr(stream, "buffer", None)
    return raw if isinstance(raw, LossyOutput) else None


def drop_output() -> None:
    """Throw away what standard output could not write, and what is written to it from now on."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def end_output() -> None:
    """Write what is left of standard output. Where that fails it has failed before, and the exit code is kept."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        drop_output()


def speaks_unicode(stream: TextIO) -> bool:
    """Whether every character can be written to it."""
    return (stream.encoding or "ascii").lower().replace("_", "-").startswith("utf")


def _lossy(descriptor: int, *, encoding: str) -> TextIO:
    return io.TextIOWrapper(
        LossyOutput(descriptor),  # type: ignore[type-var]  # unbuffered, as Python itself does it with -u
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
