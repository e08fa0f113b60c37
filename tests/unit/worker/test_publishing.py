"""Files of questions, as people's programs write them."""

import json
from pathlib import Path

import click
import pytest

from worker.publishing import lines_of

QUESTION = {"student_query": "wie entsteht das Polarlicht, für Ältere", "grade_level": 9}
LINE = json.dumps(QUESTION, ensure_ascii=False).encode()
MARK = b"\xef\xbb\xbf"


def read(folder: Path, data: bytes) -> list[object]:
    file = folder / "questions.jsonl"
    file.write_bytes(data)
    return list(lines_of(file))


@pytest.mark.parametrize(
    "data",
    [
        LINE + b"\n" + LINE + b"\n",
        LINE + b"\n" + LINE,
        MARK + LINE + b"\n" + LINE,
        MARK + LINE + b"\r\n" + LINE + b"\r\n",
        LINE + b"\n" + MARK + LINE + b"\n",
        LINE + b"\r" + LINE + b"\r",
        b"\n \n" + LINE + b"\n\r\n\t\n" + LINE + b"\n\n",
        MARK + b"\r\n" + LINE + b"\r\n" + MARK + b"\n" + LINE,
    ],
)
def test_every_way_to_end_lines_and_to_mark_a_file_is_read(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, data) == [QUESTION, QUESTION]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\ufeff"])
def test_a_line_of_json_goes_on_where_only_text_would_end_one(tmp_path: Path, separator: str) -> None:
    # Control characters are escaped in JSON; those beyond ASCII may stand as they are
    text = f"one{separator}two"
    line = json.dumps({"student_query": text}, ensure_ascii=separator < " ")
    assert read(tmp_path, line.encode() + b"\n") == [{"student_query": text}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_utf_16_is_called_that(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(click.ClickException, match=r"questions\.jsonl is UTF-16.*Save it as UTF-8"):
        read(tmp_path, LINE.decode().encode(encoding))


def test_a_file_in_another_encoding_is_told_the_line(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"is not UTF-8: byte .*, on line 2"):
        read(tmp_path, b'{"grade_level": 1}\n' + LINE.decode().encode("latin-1"))


def test_an_empty_file_has_no_questions(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == read(tmp_path, MARK) == []


@pytest.mark.parametrize("line", [b"not json", b"[" * 100_000, b'{"grade_level": NaN}', b'{"a": "\\ud800"}'])
def test_a_line_that_is_no_json_stays_text_to_be_complained_about(tmp_path: Path, line: bytes) -> None:
    assert read(tmp_path, line) == [line.decode()]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(click.ClickException, match=f"{path} cannot be read"):
            list(lines_of(path))
