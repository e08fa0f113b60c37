"""Tables of words and patterns, which lie as data beside the code that uses them, each pattern with an example."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """A regular expression, what it is a sign of, and a text that it finds."""

    kind: str
    regex: re.Pattern[str]
    example: str


@functools.cache
def read_table(package: str, name: str) -> Mapping[str, Any]:
    """A TOML file of a package, read when it is first asked for."""
    table: Mapping[str, Any] = tomllib.loads(
        resources.files(package).joinpath(name).read_text(encoding="utf-8")
    )
    return table


@functools.cache
def read_patterns(package: str, name: str) -> Mapping[str, tuple[Pattern, ...]]:
    """The patterns of a table by kind, in its order; `<<name>>` in them stands for a fragment of the table."""
    table = read_table(package, name)
    fragments: Mapping[str, str] = table.get("fragments", {})
    found: dict[str, tuple[Pattern, ...]] = {}
    for row in table["pattern"]:
        regex = re.compile(_filled(row["pattern"], fragments))
        pattern = Pattern(kind=row["kind"], regex=regex, example=row["example"])
        found[pattern.kind] = (*found.get(pattern.kind, ()), pattern)
    return found


@functools.cache
def any_of(package: str, name: str, kind: str) -> re.Pattern[str]:
    """One regular expression that finds what any pattern of the kind finds."""
    return re.compile("|".join(pattern.regex.pattern for pattern in read_patterns(package, name)[kind]))


def words_of(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


def _filled(pattern: str, fragments: Mapping[str, str]) -> str:
    while "<<" in pattern:
        pattern = re.sub(r"<<(\w+)>>", lambda found: fragments[found[1]], pattern)
    return pattern
