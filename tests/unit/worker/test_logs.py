"""A log line that cannot be written is lost; how many were is told as soon as lines can be written again."""

import io
import os

import pytest
from structlog.testing import capture_logs

from worker.logs import _LossyLogger
from worker.streams import LossyOutput


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _text: str) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(),
        OSError(28, "No space left on device"),
        OSError(5, "I/O error"),
        ValueError("closed"),
    ],
)
def test_no_stream_can_make_logging_fail(error: Exception) -> None:
    _LossyLogger(Broken(error)).info("a line")


def test_lost_lines_are_told_once_by_their_number_when_lines_can_be_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a full pipe, in which three lines were lost
    monkeypatch.setattr("worker.streams.PATIENCE_MILLISECONDS", 0)
    reader, writer = os.pipe()
    os.write(writer, b"x" * (1 << 16))
    stream = io.TextIOWrapper(LossyOutput(writer), encoding="utf-8", write_through=True)  # type: ignore[type-var]
    logger = _LossyLogger(stream)
    with capture_logs() as told:
        for _ in range(3):
            logger.info("lost")
        assert told == []
        # When there is room again
        os.read(reader, 1 << 16)
        logger.info("kept")
        logger.info("kept, too")
    # Then it says so, and says it once
    assert [(line["event"], line["lines"], line["log_level"]) for line in told] == [
        ("log.lost", 3, "warning")
    ]
    assert os.read(reader, 100) == b"kept\nkept, too\n"
    stream.detach()
    os.close(reader)
    os.close(writer)
