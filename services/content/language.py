"""Which language a text is in, as far as a coarse test can tell: by its script and by its commonest words.

It is made to notice that a lesson is in another language than the one asked for, and says nothing rather than something
wrong: unknown languages, short texts, and pairs as close as Danish and Norwegian get no verdict. The words are in
`languages.json`: about twenty function words a language, the scripts of languages, and the close pairs.
"""

import json
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile

FEWEST_WORDS = 12
"""Shorter texts are not judged by their words."""

FEWEST_LETTERS = 20
"""Shorter texts are not judged by their script."""

SURELY_OWN = 0.2
"""Where so many words are among the commonest of the language asked for, it is that language."""

SAMPLE_CHARACTERS = 1000
"""From the middle of the text; enough to see whether it is in the language asked for."""

SURELY_OTHER = 0.1
"""So many words must be common in the other language and in it only, and four times as many as the other way round."""

MANY_ACCENTS = 0.15
"""English has hardly any words with other letters than a to z."""

DOMINANT = 0.8
"""The share of letters that makes a script the script of a text; names and formulas may be in another one."""

_ALIASES = {
    "no": "nb", "nn": "nb", "iw": "he", "in": "id", "fil": "tl", "cmn": "zh", "bs": "hr", "sh": "hr", "cnr": "hr",
    "mo": "ro",
}  # fmt: skip
_PUNCTUATION = string.punctuation + "“”„‘’«»‹›—–…¿¡。，、！？：；（）「」『』।॥؟،؛"

# Begin, end and name of what languages are told apart by; ISO 15924 names them.
_RANGES = (
    (0x0041, 0x024F, "Latn"), (0x1E00, 0x1EFF, "Latn"), (0x0370, 0x03FF, "Grek"), (0x1F00, 0x1FFF, "Grek"),
    (0x0400, 0x052F, "Cyrl"), (0x0530, 0x058F, "Armn"), (0x0590, 0x05FF, "Hebr"), (0x0600, 0x06FF, "Arab"),
    (0x0750, 0x077F, "Arab"), (0xFB50, 0xFEFC, "Arab"), (0x0780, 0x07BF, "Thaa"), (0x0900, 0x097F, "Deva"),
    (0x0980, 0x09FF, "Beng"), (0x0A00, 0x0A7F, "Guru"), (0x0A80, 0x0AFF, "Gujr"), (0x0B00, 0x0B7F, "Orya"),
    (0x0B80, 0x0BFF, "Taml"), (0x0C00, 0x0C7F, "Telu"), (0x0C80, 0x0CFF, "Knda"), (0x0D00, 0x0D7F, "Mlym"),
    (0x0D80, 0x0DFF, "Sinh"), (0x0E00, 0x0E7F, "Thai"), (0x0E80, 0x0EFF, "Laoo"), (0x0F00, 0x0FFF, "Tibt"),
    (0x1000, 0x109F, "Mymr"), (0x10A0, 0x10FF, "Geor"), (0x1200, 0x139F, "Ethi"), (0x13A0, 0x13FF, "Cher"),
    (0x1400, 0x167F, "Cans"), (0x1780, 0x17FF, "Khmr"), (0x1800, 0x18AF, "Mong"), (0x1C50, 0x1C7F, "Olck"),
    (0x2D30, 0x2D7F, "Tfng"), (0x3040, 0x309F, "Kana"), (0x30A0, 0x30FF, "Kana"), (0x3400, 0x9FFF, "Hani"),
    (0xF900, 0xFAFF, "Hani"), (0x20000, 0x3FFFF, "Hani"), (0xAC00, 0xD7AF, "Hang"), (0x1100, 0x11FF, "Hang"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Languages:
    words: Mapping[str, frozenset[str]]
    close: Sequence[frozenset[str]]
    scripts: Mapping[str, Sequence[str]]
    """The languages of a script."""
    in_latin_too: frozenset[str]
    by_word: Mapping[str, Sequence[str]]

    def scripts_of(self, language: str, script: str | None) -> set[str]:
        """Those in which the language is written, none if it is not known; `script` is what the tag says of it."""
        if script is not None:
            return {"Hani"} if script in ("Hans", "Hant") else {script}
        found = {name for name, languages in self.scripts.items() if language in languages}
        if language in self.in_latin_too or (language in self.words and not found):
            found.add("Latn")
        return found

    def in_script(self, script: str) -> list[str]:
        """The languages of the script that have a list of words."""
        elsewhere = {language for languages in self.scripts.values() for language in languages}
        if script == "Latn":
            return [name for name in self.words if name not in elsewhere]
        return [name for name in self.words if name in self.scripts.get(script, ())]

    def are_close(self, one: str, other: str) -> bool:
        one, other = one.partition("-")[0], other.partition("-")[0]
        return one == other or any(one in pair and other in pair for pair in self.close)


@cache
def _languages() -> _Languages:
    data = json.loads(files(__package__).joinpath("languages.json").read_text(encoding="utf-8"))
    words = {name: frozenset(text.split()) for name, text in data["words"].items()}
    by_word: dict[str, list[str]] = {}
    for name, listed in words.items():
        for word in listed:
            by_word.setdefault(word, []).append(name)
    return _Languages(
        words=words,
        by_word=by_word,
        close=[frozenset(names.split()) for names in data["close"]],
        scripts={name: languages.split() for name, languages in data["scripts"].items()},
        in_latin_too=frozenset(data["latin_too"].split()),
    )


def primary(tag: str) -> str:
    """The language of a BCP 47 tag, without script and region: `pt` of `pt-BR`."""
    return tag.partition("-")[0].casefold()


def other_language(text: str, asked: str) -> str | None:
    """The language of the text as a BCP 47 tag where it is clearly not the one `asked` for; None when it is, or may be.

    `und-` and a script stands for a language of that script which is not known nearer.
    """
    known = _languages()
    language, script = primary(asked), _script_of(asked)
    language = _ALIASES.get(language, language)
    own = known.words.get(_listed(language, script), frozenset())
    if script in (None, *known.scripts_of(language, None)) and _is_surely(text, own):
        return None
    words = [word for part in text.casefold().split() if (word := part.strip(_PUNCTUATION))]
    expected = known.scripts_of(language, script)
    written, letters = _script_in(text)
    if not expected or written is None or letters < FEWEST_LETTERS:
        return None
    if written not in _also(expected):
        return _nearest(words, written, known)
    if written in ("Jpan", "Hani"):
        return _chinese_or_japanese(written, language)
    return _by_words(words, written, language, _listed(language, written), known)


def _is_surely(text: str, own: frozenset[str]) -> bool:
    begin = max(0, (len(text) - SAMPLE_CHARACTERS) // 2)
    sample = text[begin : begin + SAMPLE_CHARACTERS].casefold().split()
    return bool(sample) and sum(map(own.__contains__, sample)) >= SURELY_OWN * len(sample)


def _by_words(words: Sequence[str], script: str, language: str, listed: str, known: _Languages) -> str | None:
    if len(words) < FEWEST_WORDS or (own := known.words.get(listed)) is None:
        return None
    counts = Counter(words)
    theirs: Counter[str] = Counter()
    for word in known.by_word.keys() & counts.keys() - own:
        for name in known.by_word[word]:
            theirs[name] += counts[word]
    best = max(
        (name for name in known.in_script(script) if name != listed), key=theirs.__getitem__, default=None
    )
    if best is not None and not known.are_close(best, language):
        ours = sum(counts[word] for word in own - known.words[best])
        if theirs[best] >= SURELY_OTHER * len(words) and theirs[best] >= 4 * ours:
            return primary(best)
    if language == "en" and not own & counts.keys() and _accented(words) >= MANY_ACCENTS:
        return "und-Latn"
    return None


def _accented(words: Sequence[str]) -> float:
    return sum(not word.replace("’", "'").isascii() for word in words) / len(words)


def _nearest(words: Sequence[str], script: str, known: _Languages) -> str:
    """The language of a text in a script that the language asked for is not written in."""
    if script == "Jpan":
        return "ja"
    if script == "Hani":
        return "zh"
    languages = known.scripts.get(script, ())
    if len(languages) == 1:
        return languages[0]
    counts = Counter(words)
    shares = {
        name: sum(counts[word] for word in known.words[name]) / max(1, len(words))
        for name in known.in_script(script)
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    return primary(best) if best is not None and shares[best] >= SURELY_OTHER else f"und-{script}"


def _chinese_or_japanese(written: str, language: str) -> str | None:
    if written == "Jpan" and language != "ja":
        return "ja"
    return "zh" if written == "Hani" and language == "ja" else None


def _also(scripts: set[str]) -> set[str]:
    """Japanese is written in three scripts, taken as one here; so is what is asked for by the name of one of them."""
    return scripts | {"Jpan"} if scripts & {"Kana", "Hira", "Hani", "Jpan"} else scripts


def _script_of(tag: str) -> str | None:
    # What follows a single letter is an extension or private.
    parts = takewhile(lambda part: len(part) > 1, tag.split("-"))
    return next((part.title() for part in parts if len(part) == 4 and part.isalpha()), None)


def _listed(language: str, script: str | None) -> str:
    return "sr-Latn" if language == "sr" and script == "Latn" else language


def _script_in(text: str) -> tuple[str | None, int]:
    """The script of the text, None when it is mixed, and how many letters it has; `Jpan` for Han and kana together."""
    if text.isascii():
        return "Latn", len(text)
    counts: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if char.isalpha() or ord(char) > 0x2FF:
            counts[_script_of_char(ord(char))] += count
    del counts[""]
    letters = counts.total()
    if counts["Kana"] >= 0.1 * letters and counts["Kana"] + counts["Hani"] >= DOMINANT * letters:
        return "Jpan", letters
    script, most = counts.most_common(1)[0] if counts else ("", 0)
    return (script if most >= DOMINANT * letters and most else None), letters


@cache
def _script_of_char(code: int) -> str:
    return next((name for begin, end, name in _RANGES if begin <= code <= end), "")
