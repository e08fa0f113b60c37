"""What commands print: lines, JSON, progress bars, and text that nobody vouches for.

rich is imported when something is drawn: commands that draw nothing start quicker.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from worker.streams import drop_output, speaks_unicode

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OFF_TERMINAL = 150


def console() -> "Console":
    """Standard output: colours and its own width on a terminal, plain and wide elsewhere."""
    from rich.console import Console

    return Console(width=screen_width() or WIDTH_OFF_TERMINAL, highlight=False)


def screen_width() -> int | None:
    """What `COLUMNS` says, or else the terminal; None off a terminal, where nothing need be cut."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(text: str) -> None:
    """Print what was asked for. Raises `OSError` where it cannot be printed."""
    # click would write UTF-8 to a stream that is said to be ASCII.
    click.echo(text, file=sys.stdout)


def tell(text: str) -> None:
    """Print what was done. It is done all the same where that cannot be printed."""
    try:
        show(text)
    except (OSError, ValueError):
        drop_output()


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON that any terminal can show; times in ISO 8601."""
    text = json.dumps(
        value, ensure_ascii=not speaks_unicode(sys.stdout), indent=indent, default=datetime.isoformat
    )
    return printable(text)


@contextmanager
def progress_bar(what: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while work goes on; nothing off a terminal or for a single step."""
    if total <= 1 or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps: progress.advance(task, steps)


def printable(text: str, *, kept: str = "\n") -> str:
    """The text with control characters, and those that turn its direction, as JSON escapes them."""
    return "".join(
        char if char.isprintable() or char in kept else json.dumps(char)[1:-1].replace("\x7f", "\\u007f")
        for char in text
    )
