"""Whose a dead letter is, as far as its body says."""

from typing import Any

from pydantic_core import from_json

UNDECODABLE = "\ufffd"


def student_id_of(data: bytes) -> str | None:
    """The student's id in the body of a message; None where it cannot be read.

    Dead letters are what is no valid message: bodies may be cut off or not quite UTF-8, and ids may be numbers.
    """
    text = data.decode("utf-8-sig", errors="replace")
    try:
        student_id = _id_in(from_json(text))
    except ValueError:
        student_id = _id_in(_beginning_of(text))
        if isinstance(student_id, int):  # it may have been cut off itself
            return None
    if isinstance(student_id, int) and not isinstance(student_id, bool):
        return str(student_id)
    return student_id if isinstance(student_id, str) and UNDECODABLE not in student_id else None


def _beginning_of(text: str) -> Any:
    try:
        return from_json(text, allow_partial=True)
    except ValueError:
        return None


def _id_in(fields: Any) -> Any:
    return fields.get("student_id") if isinstance(fields, dict) else None
