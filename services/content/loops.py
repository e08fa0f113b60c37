"""Finds text that goes round in circles: what a model writes when it cannot get out of a sentence."""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import groupby
from operator import eq

FEWEST_WORDS = 3
"""Shorter sentences may be said again and again: "And again.", "Tick, tock."."""

FEWEST_CHARACTERS = 6
"""The same where words have no spaces between them."""

CHORUS = 5
"""A sentence may stand so often in a row. Refrains with something else in between are no loops."""

LONGEST_ROUND = 12
"""So many words that come round and round are a loop without any mark between sentences, too."""

LONGEST_ROUND_OF_CHARACTERS = 36
"""The same where words have no spaces between them."""

TOKENS_IN_A_ROW = 25
"""Fewer words may come round and round: "red, blue, red, blue" is a pattern that one can teach."""

LOOP_SHARE = 0.3
"""A text of which so much only repeats what was just said is a loop, even if it gets out of it in between."""

DISTINCT, HARDLY_DISTINCT = 0.95, 0.7
"""Where so many of all groups of words differ there is no loop worth the name; with fewer, none may come too often."""

_SENTENCE = re.compile(r"[^.!?…。！？।॥؟\n]+")
_NOT_A_WORD = re.compile(r"[\W_]+")


def repeated_share(text: str) -> float:
    """The share of the text that goes round in circles, 0 to 1; 0 for ordinary text with its refrains."""
    folded = text.casefold()
    words = folded.split()
    is_unspaced = not text.isascii() and len(text) > 12 * max(1, len(words))
    tokens: Sequence[str] = "".join(words) if is_unspaced else words
    if not _is_suspicious(tokens, FEWEST_CHARACTERS if is_unspaced else FEWEST_WORDS):
        return 0.0
    if is_unspaced:
        tokens, longest = _NOT_A_WORD.sub("", folded), LONGEST_ROUND_OF_CHARACTERS
    else:
        tokens, longest = _NOT_A_WORD.sub(" ", folded).split(), LONGEST_ROUND
    return max(_in_sentences(folded, is_unspaced=is_unspaced), _in_rounds(tokens, longest))


def _is_suspicious(tokens: Sequence[str], size: int) -> bool:
    groups: Sequence[Hashable] = list(zip(*(tokens[at:] for at in range(size)), strict=False))
    if not groups:
        return False
    distinct = len(set(groups)) / len(groups)  # most texts need no more than this
    return distinct < DISTINCT and (distinct < HARDLY_DISTINCT or max(Counter(groups).values()) > CHORUS)


def _in_sentences(folded: str, *, is_unspaced: bool) -> float:
    """The share of sentences that repeat the one before, or the two before by turns."""
    said = [sentence.strip() for sentence in _SENTENCE.findall(folded)]
    said = [sentence for sentence in said if _NOT_A_WORD.sub("", sentence)]
    repeats = [False] * len(said)
    for at in range(1, len(said)):
        by_turns = at > 2 and said[at] == said[at - 2] and said[at - 1] == said[at - 3]
        repeats[at] = (said[at] == said[at - 1] or by_turns) and _is_long(said[at], is_unspaced=is_unspaced)
    in_a_row = max((sum(run) for found, run in groupby(repeats) if found), default=0)
    total = sum(map(len, said))
    share = sum(len(sentence) for sentence, again in zip(said, repeats, strict=True) if again) / max(1, total)
    return share if in_a_row >= CHORUS or (share >= LOOP_SHARE and sum(repeats) > CHORUS) else 0.0


def _is_long(sentence: str, *, is_unspaced: bool) -> bool:
    return len(sentence) >= FEWEST_CHARACTERS if is_unspaced else len(sentence.split()) >= FEWEST_WORDS


def _in_rounds(tokens: Sequence[str], longest: int) -> float:
    """The share of words, or characters, that repeat those of the round before, in the longest run of equal rounds."""
    found = 0
    for length in range(1, min(longest, len(tokens) // CHORUS) + 1):
        fewest = max(CHORUS * length, TOKENS_IN_A_ROW)
        same = list(map(eq, tokens[length:], tokens))
        if sum(same) >= fewest:
            run = max(sum(equal) for _, equal in groupby(same))
            found = max(found, run if run >= fewest else 0)
    return found / max(1, len(tokens))
