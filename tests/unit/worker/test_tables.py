"""Tables at every width: what matters stays, what is cut is cut visibly, and no line is longer than the screen."""

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from tests.builders import delivery
from worker.dead_letters.groups import groups_of, letters_of
from worker.dead_letters.redriving import plan
from worker.dead_letters.showing import print_groups, print_redrives
from worker.showing import print_results
from worker.tables import Column, cut, fitted, print_table

Shown = Callable[..., list[str]]


def result(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "request_id": f"{number:032x}",
        "status": "needs_clarification",
        "mode": "live",
        "stages": {"nlu": {}},
        "nlu": {"topic_name": "The immune system and how vaccines work"},
        "interest": {"name": "playing the double bass in an orchestra"},
        "script": {"title": "The immune system and how vaccines work, with a look at an orchestra"},
        "cost_usd": 0.0123,
        "created_at": datetime.now(UTC),
        **changes,
    }


RESULTS = [
    result(1),
    result(
        2,
        request_id="short",
        status="completed",
        nlu={"topic_name": "光合作用:植物如何利用阳光制造食物和氧气"},
    ),
    result(3, request_id="x" * 128, script={"title": "🦠🧫🔬 " * 20}),
    result(4, nlu=None, script=None, interest=None, stages={}, status="blocked"),
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """The lines that a function prints on a screen of a width."""

    def lines(work: Callable[[], None], *, columns: int | None, encoding: str = "utf-8") -> list[str]:
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.delenv("COLUMNS", raising=False)
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        work()
        out.flush()
        return out.buffer.getvalue().decode(encoding).splitlines()

    return lines


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 57, 60, 79, 80, 81, 100, 120, 150, 200, 500])
def test_a_table_of_results_is_as_wide_as_the_screen_at_most_with_one_line_a_result(
    shown: Shown, columns: int
) -> None:
    lines = shown(lambda: print_results(RESULTS), columns=columns)
    assert len(lines) == 1 + len(RESULTS)
    assert max(map(cell_len, lines)) <= columns


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (57, "request status topic title"),
        (80, "request status topic title"),
        (100, "request status topic title"),
        (120, "request status mode topic title cost age"),
        (200, "request status mode topic interest title cost age"),
    ],
)
def test_what_matters_stays_and_the_rest_comes_with_the_room_for_it(
    shown: Shown, columns: int, headings: str
) -> None:
    assert shown(lambda: print_results(RESULTS), columns=columns)[0].split() == headings.split()


def test_at_80_columns_a_made_up_id_is_whole_and_what_is_cut_says_so(shown: Shown) -> None:
    lines = shown(lambda: print_results(RESULTS), columns=80)
    assert lines[1].split() == [f"{1:032x}", "needs_clarification", "The", "immune…", "The", "immune…"]
    assert lines[3].startswith("x" * 31 + "…  ")
    assert all("…" in line for line in lines[2:4])


def test_off_a_terminal_nothing_is_cut(shown: Shown) -> None:
    lines = shown(lambda: print_results(RESULTS), columns=None)
    assert "x" * 128 in lines[3]
    assert "…" not in "".join(lines)
    assert max(map(cell_len, lines)) > 200


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_is_cut_says_so_in_any_encoding(shown: Shown, encoding: str) -> None:
    lines = shown(lambda: print_results(RESULTS[:1]), columns=80, encoding=encoding)
    assert lines[1].count("...") == 2


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_causes_of_dead_letters_are_told_in_one_line_each(shown: Shown, columns: int) -> None:
    attributes = {
        "fingerprint": "3f1c0a9be2d4",
        "error_kind": "invalid_fields",
        "error_stage": "decode",
        "error_message": "grade_level: Input should be a valid integer; student_query: Field required",
    }
    letters = letters_of(
        delivery(message_id=f"{number:032x}", attributes={**attributes, "request_id": f"request-{number}"})
        for number in range(2)
    )
    for lines in (
        shown(lambda: print_groups(groups_of(letters)), columns=columns),
        shown(lambda: print_redrives([plan(letter, changes={}) for letter in letters]), columns=columns),
    ):
        assert max(map(cell_len, lines)) <= columns
    (heading, row) = shown(lambda: print_groups(groups_of(letters)), columns=columns)
    assert heading.split()[0] == "fingerprint"
    assert heading.split()[-1] == "cause"
    assert row.startswith("3f1c0a9be2d4  2")
    assert "grade_level: Input" in row


@pytest.mark.parametrize("screen", ["0", "-3", "wide", ""])
def test_a_width_that_means_nothing_is_none(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, screen: str
) -> None:
    def work() -> None:
        monkeypatch.setenv("COLUMNS", screen)
        print_results(RESULTS)

    assert "x" * 128 in shown(work, columns=None)[3]


def test_a_table_without_rows_has_its_headings(shown: Shown) -> None:
    columns = [Column(heading="one"), Column(heading="two", least=3)]
    assert shown(lambda: print_table(columns, []), columns=80) == ["one  two"]


@pytest.mark.parametrize(
    ("text", "width", "shows"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("two words", 5, "two…"),
        ("光合作用", 8, "光合作用"),
        ("光合作用", 7, "光合作…"),
        ("光合作用", 6, "光合…"),
        ("anything", 1, "…"),
        ("anything", 0, ""),
    ],
)
def test_a_text_is_cut_where_it_still_fits_with_the_mark(text: str, width: int, shows: str) -> None:
    assert cut(text, width, mark="…", length=cell_len) == shows


def test_columns_go_by_their_weight_before_texts_are_cut_below_what_is_wanted() -> None:
    columns = [
        Column(heading="id"),
        Column(heading="heavy", weight=2),
        Column(heading="light", weight=1),
        Column(heading="text", least=4, wanted=10),
    ]
    natural = [5, 5, 5, 30]
    assert fitted(columns, natural, width=60) == {0: 5, 1: 5, 2: 5, 3: 30}
    assert fitted(columns, natural, width=31) == {0: 5, 1: 5, 2: 5, 3: 10}
    assert fitted(columns, natural, width=30) == {0: 5, 1: 5, 3: 16}
    assert fitted(columns, natural, width=20) == {0: 5, 3: 13}
    assert fitted(columns, natural, width=11) == {0: 5, 3: 4}
