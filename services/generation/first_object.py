"""Finds the answer in what a model has written: the first whole JSON object, whatever stands around it.

Strict JSON comes first. Only an object that has an end is then mended by json-repair (trailing commas, single quotes,
comments, bare keys), so that neither the missing end of one that was cut off nor an object out of prose is made up.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

LONGEST_MENDED, MOST_BRACES_MENDED = 40_000, 100
"""Characters, and braces that open. No answer is longer; mending takes time that grows faster than the text."""

MOST_TRIED = 100
"""How many braces are taken for the beginning of the answer, one after the other."""

# Line breaks and other control characters inside strings are taken as they are.
_decode = json.JSONDecoder(strict=False).raw_decode

_LOOKS_LIKE_AN_OBJECT = re.compile(r"""\{\s*(?:\}|//|/\*|\#|["'“”„‘’]|[A-Za-z_]\w*["']?\s*:)""")
_END_OR_STRING = re.compile(r"""[{}]|"(?:[^"\\]|\\.)*+(?:"|\Z)""", re.DOTALL)
_INVISIBLE = re.compile("[\ufeff\u200b\u2060\u00a0]")


def first_object(text: str, fields: Iterable[str]) -> dict[str, Any] | None:
    """The first whole JSON object in the text, rather one that has one of the `fields` than another.

    None where there is no whole one. Objects inside others do not count, but for one that is wrapped in a single field.
    """
    if (start := text.find("{")) < 0:
        return None
    try:
        found, _ = _decode(text, start)
    except (ValueError, RecursionError):
        return _search(text, fields)
    return found if _fits(found, fields) else _search(text, fields)


def _search(text: str, fields: Iterable[str]) -> dict[str, Any] | None:
    """The same for a text whose first brace does not begin the answer."""
    if (inner := _text_in_text(text)) is not None:
        return first_object(inner, fields)
    text = _INVISIBLE.sub(" ", text)
    other, at = None, text.find("{")
    for _ in range(MOST_TRIED):
        if at < 0:
            break
        found, after = _object_at(text, at)
        if after is None:
            break  # it has no end: whatever stands in it is no answer
        if found is not None:
            found = _unwrapped(found, fields)
            if _fits(found, fields):
                return found
            other = other if other is not None else found
        at = text.find("{", after)
    return other


def _object_at(text: str, at: int) -> tuple[dict[str, Any] | None, int | None]:
    """The object that begins here, and where to look on; nowhere when it begins and does not end."""
    try:
        found: dict[str, Any]
        found, after = _decode(text, at)
    except (ValueError, RecursionError):
        if not _LOOKS_LIKE_AN_OBJECT.match(text, at):
            return None, at + 1
        end = _end_of(text, at)
        return (None, None) if end is None else (_mended(text[at:end]), end)
    return found, after


def _end_of(text: str, at: int) -> int | None:
    """Behind the brace that closes the one at this place; braces in strings do not count."""
    depth = 0
    for found in _END_OR_STRING.finditer(text, at):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            depth -= 1
            if depth == 0:
                return found.end()
    # A quotation mark too many inside a string leads astray; as many opened as closed make it whole all the same.
    end = text.rfind("}") + 1
    is_whole = all(text.count(a, at, end) == text.count(b, at, end) for a, b in ("{}", "[]"))
    return end if end > at and is_whole else None


def _mended(text: str) -> dict[str, Any] | None:
    if len(text) > LONGEST_MENDED or text.count("{") > MOST_BRACES_MENDED:
        return None
    from json_repair import loads  # few answers need it

    try:
        found = loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None


def _text_in_text(text: str) -> str | None:
    """The text that is written as one JSON string, as an object that was put into JSON twice is."""
    quote = text.find('"')
    if quote < 0 or not re.match(r'"\s*(?:\\[nrt]\s*)*\{\s*(?:\\[nrt]\s*)*\\"', text[quote:]):
        return None
    try:
        inner, _ = _decode(text, quote)
    except ValueError:
        return None
    return inner if isinstance(inner, str) else None


def _fits(found: dict[str, Any], fields: Iterable[str]) -> bool:
    return any(field in found for field in fields)


def _unwrapped(found: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """An object inside `{"answer": …}`, `{"script": …}` and the like; a single field that is none of the answer's."""
    while len(found) == 1 and not _fits(found, fields):
        [inner] = found.values()
        if isinstance(inner, list) and len(inner) == 1:
            [inner] = inner
        if not isinstance(inner, dict):
            break
        found = inner
    return found
