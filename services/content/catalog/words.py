"""A student's message as the words that matter for finding a topic. The words themselves are in `words.toml`."""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.content.tables import read_table, words_of

_TOKEN = re.compile(r"[a-z0-9]+")
_APOSTROPHE = re.compile("['’`\\u00b4]")


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is written in some way and means something else; looked for only where its `sign` occurs."""

    sign: str
    written: re.Pattern[str]
    means: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """The table, ready to use."""

    text_speak: Mapping[str, str]
    symbols: Mapping[int, str]
    empty: frozenset[str]
    notation: tuple[_Rule, ...]
    asking: tuple[_Rule, ...]


@functools.cache
def _words() -> _Words:
    table = read_table("services.content.catalog", "words.toml")
    return _Words(
        text_speak=table["text_speak"],
        symbols=str.maketrans(table["symbols"]),
        empty=small_words(),
        notation=_rules(table["notation"]),
        asking=_rules(table["asking"]),
    )


def _rules(rows: Iterable[Mapping[str, str]]) -> tuple[_Rule, ...]:
    return tuple(_Rule(row.get("sign", ""), re.compile(row["pattern"]), row["means"]) for row in rows)


@functools.cache
def small_words() -> frozenset[str]:
    """Words that say nothing about a topic: stop words, and what students say around their question."""
    words = read_table("services.content.catalog", "words.toml")["words"]
    return words_of(words["stop"]) | words_of(words["chatter"])


@functools.cache
def other_words() -> frozenset[str]:
    """Words of other subjects that look like misspelled ones of the catalogue's."""
    return words_of(read_table("services.content.catalog", "words.toml")["words"]["other"])


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers without accents; "what's" is one word, "x²" is "x2"."""
    text = text.translate(_words().symbols).casefold()
    if not text.isascii():
        text = "".join(
            char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
        )
    text = _APOSTROPHE.sub("", text)
    for rule in _words().notation:
        if rule.sign in text:
            text = rule.written.sub(rule.means, text)
    return _TOKEN.findall(text)


def spelled_out(words: Iterable[str]) -> list[str]:
    """The words with text-speak replaced."""
    text_speak = _words().text_speak
    return [text_speak.get(word, word) for word in words]


def is_content(word: str) -> bool:
    """Whether the word may say what the student wants to know."""
    return not (word in _words().empty or word.isdigit() or len(word) == 1)


def content_words(text: str) -> list[str]:
    """The words that may say what the student wants to know, in order."""
    text = text.casefold()
    for rule in _words().asking:
        text = rule.written.sub(rule.means, text)
    return [word for word in spelled_out(tokens(text)) if is_content(word)]
