"""Messages of all sizes, up to what the queue carries."""

import json
from collections.abc import Mapping

from hypothesis import strategies as st

from tests.conformance.inputs.sample import MARKER, SERIAL, Input

ACCEPTED_BYTES = 256 * 1024
"""What the README promises to look at."""

LARGEST_BYTES = 9_990_000
"""Pub/Sub carries 10 MB in one request; the reason of a dead letter must still fit beside the message."""

MOST_ATTRIBUTES, LONGEST_KEY_BYTES, LONGEST_VALUE_BYTES = 100, 256, 1024
"""Pub/Sub's limits: https://cloud.google.com/pubsub/quotas"""

_FIELDS = {
    "request_id": f"size-{SERIAL}",
    "student_id": "student",
    "student_query": "Explain photosynthesis in leaves",
    "grade_level": 7,
}
_TAIL = b'"}'


def _head(padding: str) -> bytes:
    return json.dumps({**_FIELDS, "padding": padding}).encode()[:-2]


def message_of(size: int, *, filler: str = "x") -> bytes:
    """A message of exactly so many bytes, valid but for its size."""
    head, unit = _head(MARKER), filler.encode()
    room = size - len(head) - len(_TAIL)
    return head + (unit * (room // len(unit))).ljust(room) + _TAIL


def _wide(size: int) -> bytes:
    """The same with as many values as fit."""
    head = json.dumps({**_FIELDS, "padding": [MARKER]}).encode()[:-2]
    return (head + b",0" * size)[: size - 2 - (size - len(head)) % 2].ljust(size - 2) + b"]}"


fitting = st.one_of(
    st.sampled_from((ACCEPTED_BYTES, ACCEPTED_BYTES - 1, 100_000, 1500)).flatmap(
        lambda size: st.sampled_from(("x", "é", "\U0001d535", "\\u0000")).map(
            lambda filler: message_of(size, filler=filler)
        )
    ),
    st.sampled_from((ACCEPTED_BYTES, 20_000)).map(_wide),
)

# The large ones are few: each of them is carried to the worker, and as a dead letter away from it.
too_large = st.one_of(
    st.sampled_from((ACCEPTED_BYTES + 1, ACCEPTED_BYTES + 2, 300_000)).map(message_of),
    st.integers(0, 19).map(lambda luck: message_of(1_000_000 if luck else LARGEST_BYTES)),
    st.just(b"[" * (ACCEPTED_BYTES + 1)),
    st.just(b"\xff" * (ACCEPTED_BYTES + 1)),
)

empty = st.sampled_from((b"", b" ", b"\n\r\t ", b"\0"[:0], b" " * (ACCEPTED_BYTES + 1)))


def largest(count: int) -> list[Input]:
    """Messages as large as the queue carries them, one with as many attributes as it carries."""
    many = {
        f"{number:03}-{'k' * (LONGEST_KEY_BYTES - 4)}": "v" * LONGEST_VALUE_BYTES
        for number in range(MOST_ATTRIBUTES)
    }
    room = sum(len(name) + len(value) + 16 for name, value in many.items())
    crowded = _largest(LARGEST_BYTES - room, many)
    return [
        crowded,
        *(_largest(LARGEST_BYTES - number, {"number": str(number)}) for number in range(1, count)),
    ]


def _largest(size: int, attributes: Mapping[str, str]) -> Input:
    data = message_of(size)
    return Input(family="largest", data=data, expects="refused", rule="too_large", attributes=attributes)
