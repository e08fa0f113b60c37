"""What happens to messages without any fault: each scenario is a story with a known end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.errors import ModelUnavailable
from services.generation.port import Completion, ModelRef, Rejection, Task
from tests.conformance.injection.models import LOWER, MOCK, TOP, UNUSABLE, Respond, answer

MARKER = "zyxmarker"
"""In every question and student id; must not turn up in logs, errors or attributes of dead letters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One story.

    `messages` are published at once. `results` are the final statuses by request id, `letters` the kinds of error of
    the dead letters. `modes` are those that a result may have. With `meets_bug` a run ends with exit code 1.
    `latency` are seconds by stage.
    """

    name: str
    messages: Sequence[bytes]
    results: Mapping[str, str]
    letters: Sequence[str] = ()
    modes: frozenset[str] = frozenset({"live"})
    ladder: Sequence[ModelRef] = (TOP, LOWER, MOCK)
    respond: Respond = field(default=lambda task, _model, _rejection: answer(task))
    concurrency: int = 1
    workers: int = 1
    meets_bug: bool = False
    latency: Mapping[str, float] = field(default_factory=lambda: {"nlu": 6.0, "interest": 4.0, "script": 6.0})

    @property
    def request_ids(self) -> list[str | None]:
        """The request id of each message, None where it cannot be read."""
        return [_request_id(data) for data in self.messages]


def scenarios() -> dict[str, Scenario]:
    """All of them, by name."""
    every = [
        _ordinary(),
        _slow(),
        _fallback(),
        _mock(),
        _asked_again(),
        _hopeless(),
        _malformed_with_id(),
        _malformed_without_id(),
        _two_students(),
        _published_three_times(),
        _bug(),
        _two_workers(),
    ]
    return {one.name: one for one in every}


def _message(request_id: str, question: str = "Explain quantum entanglement", **changes: Any) -> bytes:
    fields = {
        "request_id": request_id,
        "student_id": f"student-{MARKER}-{request_id}",
        "student_query": f"{question}, please, {MARKER}",
        "interest": "soccer",
        "grade_level": 11,
        "duration_seconds": 60,
    }
    return json.dumps({**fields, **changes}).encode()


def _request_id(data: bytes) -> str | None:
    try:
        return str(json.loads(data)["request_id"])
    except ValueError:
        return None


def _ordinary() -> Scenario:
    # So slow that claims are renewed on the way.
    latency = {"nlu": 20.0, "interest": 14.0, "script": 20.0}
    return Scenario(
        name="ordinary", messages=[_message("r-1")], results={"r-1": "completed"}, latency=latency
    )


def _slow() -> Scenario:
    # Longer than a lease: who cannot renew it loses the message while it works.
    latency = {"nlu": 50.0, "interest": 40.0, "script": 50.0}
    return Scenario(name="slow", messages=[_message("r-1")], results={"r-1": "completed"}, latency=latency)


def _fallback() -> Scenario:
    def respond(task: Task[Any], model: ModelRef, _rejection: Rejection | None) -> Completion | Exception:
        return _busy() if model == TOP else answer(task)

    return Scenario(
        name="fallback",
        messages=[_message("r-1")],
        results={"r-1": "completed"},
        modes=frozenset({"fallback"}),
        respond=respond,
        latency=_QUICK,
    )


def _mock() -> Scenario:
    return Scenario(
        name="mock",
        messages=[_message("r-1")],
        results={"r-1": "completed"},
        modes=frozenset({"mock"}),
        respond=lambda _task, _model, _rejection: _busy(),
        latency=_QUICK,
    )


def _asked_again() -> Scenario:
    def respond(task: Task[Any], _model: ModelRef, rejection: Rejection | None) -> Completion | Exception:
        return answer(task) if rejection else UNUSABLE

    return Scenario(
        name="asked-again", messages=[_message("r-1")], results={"r-1": "completed"}, respond=respond
    )


def _hopeless() -> Scenario:
    def respond(task: Task[Any], _model: ModelRef, _rejection: Rejection | None) -> Completion | Exception:
        return UNUSABLE if task.stage == "script" else answer(task)

    return Scenario(
        name="hopeless",
        messages=[_message("r-1")],
        results={"r-1": "failed"},
        letters=["invalid_json"],
        ladder=(TOP, LOWER),
        respond=respond,
        latency=_QUICK,
    )


def _malformed_with_id() -> Scenario:
    return Scenario(
        name="malformed-with-id",
        messages=[_message("r-1", grade_level=f"eleven {MARKER}")],
        results={"r-1": "failed"},
        letters=["invalid_fields"],
    )


def _malformed_without_id() -> Scenario:
    return Scenario(
        name="malformed-without-id", messages=[f"{{{MARKER}".encode()], results={}, letters=["not_json"]
    )


def _two_students() -> Scenario:
    return Scenario(
        name="two-students",
        messages=[_message("r-1"), _message("r-2", "Teach me quantum entanglement")],
        results={"r-1": "completed", "r-2": "completed"},
        concurrency=2,
    )


def _published_three_times() -> Scenario:
    return Scenario(
        name="published-three-times",
        messages=[_message("r-1")] * 3,
        results={"r-1": "completed"},
        concurrency=3,
    )


def _bug() -> Scenario:
    def respond(task: Task[Any], _model: ModelRef, _rejection: Rejection | None) -> Completion | Exception:
        return ValueError(f"A bug that quotes the {MARKER}.") if task.stage == "script" else answer(task)

    return Scenario(
        name="bug",
        messages=[_message("r-1")],
        results={"r-1": "failed"},
        letters=["bug"],
        ladder=(TOP, LOWER),
        respond=respond,
        latency=_QUICK,
        meets_bug=True,
    )


def _two_workers() -> Scenario:
    return Scenario(
        name="two-workers",
        messages=[
            _message("r-1"),
            _message("r-2", "How do volcanoes erupt", interest="cooking"),
            _message("r-1"),
        ],
        results={"r-1": "completed", "r-2": "completed"},
        concurrency=2,
        workers=2,
    )


_QUICK = {"nlu": 1.0, "interest": 0.7, "script": 1.0}


def _busy() -> ModelUnavailable:
    return ModelUnavailable("The model is overloaded.")
