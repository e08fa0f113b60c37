"""Standard error that nobody takes costs a line, and nothing else."""

import io
import os
from collections.abc import Iterator

import pytest

from worker import streams
from worker.streams import LossyOutput, lossy_part_of, speaks_unicode

PIPE_BYTES = 1 << 16


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE_MILLISECONDS", 0)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def filled(writer: int, *, room: int) -> None:
    """Leave room for so many bytes in a pipe. A pipe gives room by the page, so they are a number of pages."""
    os.write(writer, b"x" * (PIPE_BYTES - room))


def test_what_can_be_written_is_written(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = LossyOutput(writer)
    assert output.write(b"one\n") == 4
    assert (os.read(reader, 100), output.lost) == (b"one\n", 0)


def test_a_reader_that_has_gone_away_is_no_error(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    output = LossyOutput(writer)
    assert (output.write(b"one\n"), output.write(b"two\n")) == (4, 4)
    assert (output.take_lost(), output.take_lost()) == (2, 0)


def test_a_full_disk_is_no_error() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    output = LossyOutput(descriptor)
    assert (output.write(b"one\n"), output.lost) == (4, 1)
    os.close(descriptor)


def test_a_closed_descriptor_is_no_error(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    output = LossyOutput(writer)
    os.close(writer)
    assert (output.write(b"one\n"), output.lost) == (4, 1)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_does_not_read_is_not_waited_for(pipe: tuple[int, int], blocking: bool) -> None:
    # Given a pipe that is full, and a reader that has hung
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    filled(writer, room=0)
    output = LossyOutput(writer)
    # When a line is written, then it comes back without it
    assert (output.write(b"lost\n"), output.lost) == (5, 1)
    # And when it reads again, lines come again
    os.read(reader, PIPE_BYTES)
    output.write(b"kept\n")
    assert (os.read(reader, 100), output.lost) == (b"kept\n", 1)


def test_a_line_that_was_only_begun_is_ended_before_the_next_one(pipe: tuple[int, int]) -> None:
    # Given room for the beginning of a line
    reader, writer = pipe
    filled(writer, room=4096)
    output = LossyOutput(writer)
    output.write(b"y" * 5000 + b"\n")
    # When there is room again
    assert os.read(reader, PIPE_BYTES).endswith(b"y" * 4096)
    output.write(b"next\n")
    output.write(b"after\n")
    # Then nothing is glued to the half of it
    assert os.read(reader, PIPE_BYTES) == b"\nnext\nafter\n"
    assert output.lost == 1


def test_a_line_longer_than_what_a_pipe_takes_at_once_arrives_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    line = bytes(range(1, 251)) * 80
    LossyOutput(writer).write(line)
    assert os.read(reader, PIPE_BYTES) == line


@pytest.mark.parametrize(
    ("encoding", "speaks"),
    [("utf-8", True), ("UTF8", True), ("utf_16", True), ("ascii", False), ("latin-1", False)],
)
def test_only_encodings_of_unicode_show_every_character(encoding: str, speaks: bool) -> None:
    assert speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is speaks


def test_other_streams_are_not_taken_for_lossy_ones() -> None:
    assert lossy_part_of(io.StringIO()) is None
