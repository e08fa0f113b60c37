"""Tells a text that runs on without end from one that is only long, and shortens what a model is shown of its answer.

Models get stuck: they repeat a word, a sentence or two paragraphs in turn, count on, fill a string with blanks, or
write one endless number, until the limit of tokens cuts them off. Such a text is worth neither more room nor being read
again.
"""

import re
import zlib

WINDOWS = tuple(256 * 2**doubled for doubled in range(9))
"""The ends of the text that are looked at, in characters: a loop may be short or long, and may have begun late.
Together they bound the work, however long the text is."""

LOOP_BYTES_PER_CHARACTER = 0.18
"""An end that compresses below this is a loop. Prose, JSON and lists need 0.3 and more at each of these lengths
(measured), four turns of a loop about 0.15, a hundred 0.02."""

COUNTING_WINDOW = 1024
"""From this length on a loop may have a counter in it: sixty times the same but for its number is no lesson."""

WORDLESS_CHARACTERS = 512
"""So long an end without a letter is no text (an endless number, brackets, pictures), nor is one word as long."""

CHARACTERS_PER_TOKEN = 2
"""A text that was cut off with more than these to a token of its limit took the room itself: honest ones have three to
five to a token, and take a third of their limit (services/content/tokens.py)."""

BLANK_CHARACTERS = 64
"""So many blanks at the end are no indentation."""

SHOWN_CHARACTERS = 16_000
"""More of its own answer a model does not need to mend it; the longest script, of 600 seconds, has about 11,000."""

_HEAD, _TAIL = 6000, 2000
_ONE_WORD = re.compile(r"[A-Za-z0-9+/=_-]+")
_NUMBER = re.compile(r"\d+")
_BLANK = re.compile(r"[\s\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff\x00-\x1f\x7f]")


def is_runaway(text: str) -> bool:
    """Whether a text ends in a loop, in blanks, or in characters that are no words. The work has a fixed bound."""
    return _ends_in_blanks(text) or _ends_without_words(text) or _ends_in_a_loop(text)


def is_worth_more_room(text: str, *, limit: int) -> bool:
    """Whether an answer that was cut off at `limit` tokens could be had whole with more of them.

    Thinking may have taken the room of a short text. A longer one than was asked for would run on.
    """
    return len(text) <= CHARACTERS_PER_TOKEN * limit and not is_runaway(text)


def shown_again(text: str) -> str:
    """What a model is shown of its own answer to mend it: nothing of a runaway, head and tail of a very long one."""
    if is_runaway(text):
        return ""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:_HEAD]}\n[…]\n{text[-_TAIL:]}"


def _ends_in_blanks(text: str) -> bool:
    end = text[-BLANK_CHARACTERS:]
    return len(end) == BLANK_CHARACTERS and not _BLANK.sub("", end)


def _ends_without_words(text: str) -> bool:
    end = text[-WORDLESS_CHARACTERS:]
    if len(end) < WORDLESS_CHARACTERS:
        return False
    return not any(map(str.isalpha, end)) or _ONE_WORD.fullmatch(end) is not None


def _ends_in_a_loop(text: str) -> bool:
    return any(_is_loop(text[-window:]) for window in WINDOWS if window <= len(text))


def _is_loop(end: str) -> bool:
    most = LOOP_BYTES_PER_CHARACTER * len(end)
    if _compressed(end) < most:
        return True
    return len(end) >= COUNTING_WINDOW and _compressed(_NUMBER.sub("0", end)) < most


def _compressed(text: str) -> int:
    # Raw deflate has no header, which would outweigh a short end.
    squeeze = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return len(squeeze.compress(text.encode(errors="surrogatepass"))) + len(squeeze.flush())
