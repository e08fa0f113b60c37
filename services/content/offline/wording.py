"""Small helpers for sentences that are put together."""

import functools
import re
import zlib
from collections.abc import Sequence
from typing import TypeVar

from services.content.catalog import load_catalog

OptionT = TypeVar("OptionT")

_SENTENCE = re.compile(r"(?<=[.!?])[”\"']?\s+(?=[\"“']?[A-Z0-9])")
_PROPER_START = re.compile(r"[A-Z][a-z]*-?[A-Z]|[A-Z]{2,}|(?:Newton|Ohm|Earth|Wi-Fi|SQL|Einstein)\b")


def choose(options: Sequence[OptionT], *seed: str) -> OptionT:
    """One of the options, always the same one for the same seed."""
    return options[zlib.crc32("\n".join(seed).encode()) % len(options)]


def in_sentence(name: str) -> str:
    """A title as it stands inside a sentence: "The Doppler effect" becomes "the Doppler effect"."""
    return name if _PROPER_START.match(name) else name[:1].lower() + name[1:]


def spoken_title(name: str) -> str:
    """A title as one says it inside a sentence, without what stands behind a colon or in brackets."""
    return in_sentence(re.split(r"\s*[:(]", name)[0].rstrip(" ."))


def capitalised(text: str) -> str:
    """The text with a capital letter first; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def as_question(asked: str) -> str:
    """One of the catalogue's `asked_as` as a sentence: they are kept as students type them, in lower case."""
    words = [_names().get(word, word) for word in re.split(r"(\W+)", asked)]
    return capitalised("".join(words)) + "?"


@functools.cache
def _names() -> dict[str, str]:
    """Words that the catalogue's texts write with a capital inside a sentence and never without one."""
    topics = load_catalog().topics.values()
    texts = [text for t in topics for text in (t.name, t.summary, *t.key_facts, t.example, t.misconception)]
    plain = set(re.findall(r"\b[a-z]+\b", " ".join(texts)))
    names = re.findall(r"(?<=[a-z,] )[A-Z][A-Za-z]+\b", " ".join(texts))
    return {"i": "I"} | {name.lower(): name for name in names if name.lower() not in plain}


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with its full stop."""
    return [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]


def listed(names: Sequence[str], last_word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last_word} {names[-1]}"
