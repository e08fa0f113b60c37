"""What one call asks for, read once from the protobuf request, and the log of the calls that were seen."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.emulators.vertex_errors import RefusedError

STAGES = {"Understanding": "nlu", "InterestMatch": "interest", "ScriptDraft": "script"}
"""The titles of the worker's three answer schemas, and the stage that each belongs to."""

_TELLING_FIELDS = {"topic_id": "nlu", "analogies": "interest", "sections": "script"}
"""The field that only the schema of this stage has: titles cost tokens, so a client may leave them out."""

REQUESTS_KEPT = 10_000
"""How many calls a log keeps unless it is told otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call. `path` is the model as sent, `model` its last part, `stage` a stage or another schema's title."""

    method: str
    path: str
    model: str
    location: str
    stage: str
    prompt: str
    instructions: str
    request: Any


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """One entry of the log. Not frozen: a call that hangs must be visible before its status is known.

    `number` counts all calls from 1; `attempt` counts those with the same method, model, stage and first turn (so
    asking again, with the rejected answer, is the second attempt); `prompt` has all turns, one after the other;
    `in_flight` is how many calls were open when this one arrived, itself included; `status` is a gRPC status
    name, `IN_FLIGHT` before there is one, `CANCELLED` when the caller gave up or died; `peer` is the address that the
    call came from, as gRPC writes it (`ipv4:127.0.0.1:5000`); `received_at` and `ended_at` are in seconds since the
    epoch, `ended_at` is None before the end.
    """

    number: int
    method: str
    model: str
    location: str
    stage: str
    attempt: int
    in_flight: int
    received_at: float
    prompt: str
    instructions: str
    peer: str = ""
    status: str = "IN_FLIGHT"
    ended_at: float | None = None


class RequestLog:
    """The last calls, `REQUESTS_KEPT` of them unless `keep` says otherwise, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[SeenRequest] = deque(maxlen=REQUESTS_KEPT)
        self._attempts: Counter[int] = Counter()
        self._count = 0
        self._in_flight = 0

    @property
    def entries(self) -> list[SeenRequest]:
        """A copy of the log."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget every call and start to count from one."""
        self._entries.clear()
        self._attempts.clear()
        self._count = 0

    def keep(self, number: int) -> None:
        """Keep this many calls from now on."""
        self._entries = deque(self._entries, maxlen=number)

    @contextmanager
    def record(self, call: Call, *, peer: str = "") -> Iterator[SeenRequest]:
        """Log the call, and on the way out how it ended."""
        entry = self._open(call, peer)
        try:
            yield entry
            entry.status = "OK"
        except RefusedError as exc:
            entry.status = exc.refusal.code.name
            raise
        except (asyncio.CancelledError, GeneratorExit):
            entry.status = "CANCELLED"
            raise
        finally:
            entry.ended_at = time.time()
            self._in_flight -= 1

    def _open(self, call: Call, peer: str) -> SeenRequest:
        # Only the hash is kept for counting: prompts leave memory with the entries that drop out of the log.
        first_turn = _text(call.request.contents[0]) if call.request.contents else ""
        key = hash((call.method, call.path, call.stage, first_turn))
        self._attempts[key] += 1
        self._count += 1
        self._in_flight += 1
        entry = SeenRequest(
            number=self._count,
            method=call.method,
            model=call.model,
            location=call.location,
            stage=call.stage,
            attempt=self._attempts[key],
            in_flight=self._in_flight,
            received_at=time.time(),
            prompt=call.prompt,
            instructions=call.instructions,
            peer=peer,
        )
        self._entries.append(entry)
        return entry


def read_call(method: str, request: Any, path: str) -> Call:
    """The call behind a GenerateContentRequest or CountTokensRequest."""
    parts = path.split("/")
    return Call(
        method=method,
        path=path,
        model=parts[-1],
        location=parts[3] if len(parts) > 3 and parts[2] == "locations" else "",
        stage=_stage(request.generation_config),
        prompt="\n".join(_text(content) for content in request.contents),
        instructions=_text(request.system_instruction),
        request=request,
    )


def _text(content: Any) -> str:
    return "\n".join(part.text for part in content.parts)


def _stage(config: Any) -> str:
    title, properties = _title_and_properties(config)
    by_field = next((stage for name, stage in _TELLING_FIELDS.items() if name in properties), "")
    return STAGES.get(title, title) or by_field


def _title_and_properties(config: Any) -> tuple[str, Collection[str]]:
    if config.HasField("response_schema"):
        return config.response_schema.title, config.response_schema.properties
    fields = config.response_json_schema.struct_value.fields
    # Looking up a missing key of a protobuf map would add it.
    title = fields["title"].string_value if "title" in fields else ""
    return title, fields["properties"].struct_value.fields if "properties" in fields else ()
