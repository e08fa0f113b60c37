"""One input: what is published, and what is known about it beforehand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

MARKER = "zzyzxmark"
"""Stands in every text that is made, and nowhere else: where it turns up, the input was quoted."""

PUPIL = "zzyzxpupil"
"""The same for student ids, which not even a result may hold."""

NUMBER = 8_675_309_867
"""The same for numbers."""

PLANTED = re.compile(f"zzyzx|{NUMBER}", re.IGNORECASE)

SERIAL = "NNNNNN"
"""Becomes the input's number, so that no two inputs share a request id by chance; the length stays what it is."""

Expectation = Literal["accepted", "refused", "either"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A message for the queue. `rule` is the kind or the field that the reason of a refusal must name, if known."""

    family: str
    data: bytes
    expects: Expectation
    rule: str = ""
    attributes: Mapping[str, str]


def numbered(one: Input, number: int) -> Input:
    """The input under a number of its own."""
    return replace(one, data=one.data.replace(SERIAL.encode(), f"{number:06}".encode()))
