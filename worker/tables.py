"""Tables that fit: columns of less weight go first, then texts are cut, and what is cut ends in a mark that says so."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from worker.drawing import console, printable, screen_width
from worker.streams import speaks_unicode

GAP = "  "
LEAST = 8
"""To so much a cell is cut before a column goes that has no weight, so that a little of each can be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A heading, and how it gives way where there is not enough room.

    A column with a `weight` goes as soon as it takes room that those without need: the one of the least weight first.
    `least` is the width to which its cells are cut before those of others must be cut further (None: they never are),
    `wanted` the one down to which they are not cut for the sake of columns with a weight.
    """

    heading: str
    weight: int | None = None
    least: int | None = None
    wanted: int = 0


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, styles: Mapping[str, str] | None = None
) -> None:
    """Print a table on standard output; `styles` colours cells, by what they say."""
    from rich.cells import cell_len
    from rich.text import Text

    cells = [[printable(cell, kept="") for cell in row] for row in rows]
    natural = [
        max(cell_len(column.heading), *(cell_len(row[place]) for row in cells), 0)
        for place, column in enumerate(columns)
    ]
    widths = fitted(columns, natural, width=screen_width())
    mark = "…" if speaks_unicode(sys.stdout) else "..."
    out = console()
    for number, row in enumerate([[column.heading for column in columns], *cells]):
        line = Text()
        for place, width in widths.items():
            text = cut(row[place], width, mark=mark, length=cell_len)
            style = "bold" if number == 0 else (styles or {}).get(row[place], "")
            line.append(text, style=style).append(" " * (width - cell_len(text)) + GAP)
        line.rstrip()
        out.print(line, no_wrap=True, overflow="ignore", crop=False)


def fitted(columns: Sequence[Column], natural: Sequence[int], *, width: int | None) -> dict[int, int]:
    """The columns to show, by their places, each with its width. `natural` is what they would take."""
    shown = dict(enumerate(natural))
    if width is None:
        return shown
    for place in _by_weight(columns):
        if _total(_floors(columns, shown, lambda column: max(column.wanted, column.least or 0))) <= width:
            break
        del shown[place]
    for floor in (lambda column: column.least or 0, lambda _column: LEAST):
        _shrink(shown, _floors(columns, shown, floor), width)
    while _total(shown) > width and len(shown) > 1:
        # A screen as narrow as this: better some columns that can be read than all of them unreadable.
        del shown[max(shown)]
    return {place: min(wide, width) for place, wide in shown.items()}


def cut(text: str, width: int, *, mark: str, length: Callable[[str], int]) -> str:
    """The text, or as much of its beginning as fits with the mark. `length` is how wide a text is shown."""
    if length(text) <= width:
        return text
    room = width - length(mark)
    kept = 0
    while kept < len(text) and length(text[: kept + 1]) <= room:
        kept += 1
    return (text[:kept].rstrip() + mark)[: max(width, 0)] if room >= 0 else mark[:width]


def _by_weight(columns: Sequence[Column]) -> list[int]:
    """The places of the columns that may go, the one to go first coming first."""
    return [
        place
        for _, place in sorted((c.weight, place) for place, c in enumerate(columns) if c.weight is not None)
    ]


def _floors(
    columns: Sequence[Column], shown: Mapping[int, int], floor: Callable[[Column], int]
) -> dict[int, int]:
    """How narrow each column may become: those that are never cut stay as they are."""
    return {
        place: wide if columns[place].least is None else min(wide, floor(columns[place]))
        for place, wide in shown.items()
    }


def _shrink(shown: dict[int, int], floors: Mapping[int, int], width: int) -> None:
    """Take from the widest columns until all fit, or nothing is left to take."""
    while _total(shown) > width and (wide := [place for place in shown if shown[place] > floors[place]]):
        shown[max(wide, key=shown.__getitem__)] -= 1


def _total(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)
