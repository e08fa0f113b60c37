"""The command `publish`: checks questions as the worker will, then puts them on the topic."""

import codecs
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic_core import from_json

from services.errors import MessageDecodeError
from services.messaging.port import Message
from worker.drawing import progress_bar, tell
from worker.messages import request_from
from worker.settings import load_settings
from worker.wiring.backends import connect

BATCH = 500
BYTE_ORDER_MARK = "\ufeff"
MAX_COMPLAINTS = 10


def message_from_options(*, question: str, interests: Sequence[str], **options: Any) -> dict[str, Any]:
    """The message of one question typed on the command line."""
    given = {name: value for name, value in options.items() if value is not None}
    return {"student_query": question, "interests": list(interests), **given}


def lines_of(source: Path) -> Iterator[object]:
    """What stands on the lines of a JSON Lines file (`-` is standard input); a line that is no JSON stays text.

    Raises `click.ClickException` for what cannot be read, or is no UTF-8.
    """
    try:
        with click.open_file(str(source), "rb") as stream:
            text = _decoded(stream.read(), source)
    except OSError as error:
        raise click.ClickException(f"{source} cannot be read: {error.strerror}") from error
    # Not str.splitlines, which also parts lines where JSON does not.
    for line in io.StringIO(text, newline=None):
        # Files that were put together have a mark wherever one began.
        if content := line.lstrip(BYTE_ORDER_MARK).strip():
            yield _parsed(content)


async def publish_requests(rows: Iterable[object], *, as_json: bool) -> None:
    """Check all messages, publish all of them or none, and tell their ids."""
    messages = _checked(rows)
    settings = load_settings()
    async with connect(settings) as backend:
        with progress_bar("publishing", total=len(messages)) as advance:
            for start in range(0, len(messages), BATCH):
                batch = messages[start : start + BATCH]
                sent = [Message(data=json.dumps(fields).encode()) for fields in batch]
                ids = await backend.publisher.publish(settings.worker_topic, sent)
                advance(len(batch))
                if as_json or len(messages) == 1:
                    _tell(batch, ids, as_json=as_json)
    if not as_json and len(messages) != 1:
        tell(f"published {len(messages)} questions to {settings.worker_topic}")


def _decoded(data: bytes, source: Path) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
        raise click.ClickException(f"{source} is UTF-16, and questions are read as UTF-8. Save it as UTF-8.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise click.ClickException(
            f"{source} is not UTF-8: byte {error.start}, on line {line}, cannot be read. Save it as UTF-8."
        ) from error


def _parsed(line: str) -> object:
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError:
        return line


def _checked(rows: Iterable[object]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    complaints: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            complaints.append(f"question {number}: not a JSON object")
            continue
        fields = {"request_id": uuid.uuid4().hex, "student_id": "local-student", **row}
        try:
            request_from(fields)
        except MessageDecodeError as error:
            complaints.append(f"question {number}: {error.message}")
        messages.append(fields)
    if complaints:
        shown = "\n  ".join(complaints[:MAX_COMPLAINTS])
        more = f"\n  and {len(complaints) - MAX_COMPLAINTS} more" if len(complaints) > MAX_COMPLAINTS else ""
        raise click.ClickException(f"nothing was published; mend these and publish again:\n  {shown}{more}")
    return messages


def _tell(batch: Sequence[dict[str, Any]], ids: Sequence[str], *, as_json: bool) -> None:
    for fields, message_id in zip(batch, ids, strict=True):
        request_id = fields["request_id"]
        if as_json:
            tell(json.dumps({"request_id": request_id, "message_id": message_id}))
        else:
            tell(f"published {request_id} (message {message_id}). Next: content-worker run")
