"""Filling a script to the length that was asked for: pieces of text with priorities, and choosing among them."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.content.models import DraftSection
from services.content.offline.wording import sentences
from services.content.quality import spoken_words

FULL_ENOUGH = 0.95
"""From this share of the wanted words on nothing more is added."""

OVERFULL = 1.1
"""No piece is added that would take the script beyond this share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some sentences that belong together. `rank` says how soon they are wanted, 0 first."""

    text: str
    rank: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A section of a script with everything it could say, in speaking order; left out when nothing is chosen."""

    title: str
    pieces: Sequence[Piece]
    visuals: Sequence[str] = field(default=())


def fill(parts: Sequence[Part], *, wanted_words: int) -> list[DraftSection]:
    """The parts with as many of their pieces as fit, the most wanted first."""
    chosen = _choose([piece for part in parts for piece in part.pieces], wanted_words)
    said: set[str] = set()
    return [section for part in parts if (section := _section(part, chosen, said))]


def _choose(pieces: Iterable[Piece], wanted_words: int) -> set[str]:
    chosen: set[str] = set()
    words = 0
    for piece in sorted(pieces, key=lambda piece: piece.rank):
        if words >= FULL_ENOUGH * wanted_words:
            break
        more = spoken_words(piece.text)
        if words + more <= OVERFULL * wanted_words and piece.text not in chosen:
            chosen.add(piece.text)
            words += more
    return chosen


def _section(part: Part, chosen: set[str], said: set[str]) -> DraftSection | None:
    """The part's chosen pieces, without sentences that were `said` before: topics share some of them."""
    new: list[str] = []
    for sentence in itertools.chain.from_iterable(sentences(p.text) for p in part.pieces if p.text in chosen):
        if sentence.casefold() not in said:
            said.add(sentence.casefold())
            new.append(sentence)
    return DraftSection(title=part.title, content=" ".join(new), visuals=list(part.visuals)) if new else None
