"""Makes what a model wrote fit the answer types, where nothing has to be guessed, before it is held to them.

Every text becomes plain text. A confidence of 95 or "0.9" is a number between 0 and 1, a single text is a list of one,
what is left out and empty means nothing. What is longer than a result may be is cut behind a sentence or an item;
spoken words are not cut but moved, as long as there is room. What was repaired is named, for logs and notes.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from services.content.models import DraftSection, InterestMatch, ScriptDraft, Understanding
from services.content.plain_text import cut, plain
from services.generation.port import Mended

LONGEST_READ = 20_000
"""Characters of one text; more is never stored."""

UNKNOWN_CONFIDENCE = 0.5
"""For an answer that does not say how sure it is."""

_NOTHING = frozenset({"", "null", "none", "n/a", "nil"})
_NUMBER = re.compile(r"\s*(\d{1,3}(?:[.,]\d+)?)\s*(%?)\s*")


def read_understanding(data: Mapping[str, Any], *, offered: Collection[str]) -> Mended:
    """The answer of stage `nlu`; a topic outside the candidates that were `offered` is none."""
    read = _Read(data)
    read.keep("kind", _word)
    read.texts(Understanding, "topic_name", "subject", "focus", "reasoning")
    read.keep("asks_about", _word, otherwise="detail")
    read.keep("confidence", _confidence, otherwise=UNKNOWN_CONFIDENCE)
    read.lists(Understanding, "clarifying_questions")
    named = data.get("topic_id")
    read.fields["topic_id"] = topic_id = _topic_id(named, offered)
    if topic_id is None and named is not None and not (isinstance(named, str) and _word(named) in _NOTHING):
        read.repairs.append("topic_id")
    return read.mended()


def read_interest(data: Mapping[str, Any]) -> Mended:
    """The answer of stage `interest`."""
    read = _Read(data)
    read.texts(InterestMatch, "name", otherwise=None)
    read.texts(InterestMatch, "reasoning")
    read.keep("confidence", _confidence, otherwise=UNKNOWN_CONFIDENCE)
    read.lists(InterestMatch, "analogies")
    return read.mended()


def read_script(data: Mapping[str, Any], *, topic_name: str) -> Mended:
    """The answer of stage `script`; one without a title is named after its topic."""
    read = _Read(data)
    read.texts(ScriptDraft, "title", otherwise=topic_name)
    read.keep("hook", _text)
    read.keep("sections", lambda value: _sections(value, _most(ScriptDraft, "sections")))
    read.lists(ScriptDraft, "key_takeaways")
    _fit_hook(read)
    return read.mended()


class _Read:
    """The fields as they are read, and what was repaired in them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.fields: dict[str, Any] = dict(data)
        self.repairs: list[str] = []

    def keep(self, name: str, read: Callable[[Any], Any], *, otherwise: Any = None) -> None:
        """Read one field; one that is missing or empty becomes `otherwise`, and stays missing where that is None."""
        value = self.data.get(name)
        found = read(value) if value is not None else None
        if found is None or found == "":
            found = otherwise
        if found is None and name not in self.data:
            return
        self.fields[name] = found

    def texts(self, model: type[Any], *names: str, otherwise: str | None = "") -> None:
        """Read texts, cut to what may be stored."""
        for name in names:
            longest = _most(model, name)
            self.keep(name, partial(_short, longest=longest), otherwise=otherwise)

    def lists(self, model: type[Any], name: str) -> None:
        """Read a list of texts, cut to what may be stored."""
        self.keep(name, lambda value: _texts(value, _most(model, name)), otherwise=[])

    def mended(self) -> Mended:
        """The fields, and the names of those that say something else now than a missing value, a blank or a mark."""
        changed = [
            name
            for name, value in self.fields.items()
            if name in self.data and name not in self.repairs and _differs(value, self.data[name])
        ]
        return Mended(data=self.fields, repairs=(*self.repairs, *changed))


def _differs(read: Any, written: Any) -> bool:
    if isinstance(read, str) and isinstance(written, str):
        return read != written.strip()
    if written is None or read is None:
        return False
    return bool(read != written)


def _most(model: type[Any], name: str) -> int:
    return next(
        int(bound.max_length)
        for bound in model.model_fields[name].metadata
        if getattr(bound, "max_length", None) is not None
    )


def _text(value: Any) -> Any:
    return plain(value[:LONGEST_READ].strip()) if isinstance(value, str) else value


def _short(value: Any, longest: int) -> Any:
    value = _text(value)
    return cut(value, longest) if isinstance(value, str) else value


def _word(value: Any) -> Any:
    return value.strip().casefold().replace(" ", "_").replace("-", "_") if isinstance(value, str) else value


def _topic_id(value: Any, offered: Collection[str]) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() in offered else None


def _confidence(value: Any) -> float | None:
    """A number from 0 to 1; percentages and what is a hair's breadth outside are taken for what they mean."""
    is_percentage = False
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        value, is_percentage = float(found[1].replace(",", ".")), bool(found[2])
    if isinstance(value, bool) or not isinstance(value, int | float) or not -0.01 <= value <= 100:
        return None
    if is_percentage or value >= 2:
        value = value / 100
    return float(min(1.0, max(0.0, value)))


def _texts(value: Any, most: int) -> Any:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return value
    texts = [_short(_inner_text(item), 1000) for item in value[: 10 * most]]
    return [text for text in texts if text not in (None, "")][:most]


def _inner_text(item: Any) -> Any:
    """Some models put every text of a list into an object of its own."""
    if isinstance(item, Mapping):
        return next((value for value in item.values() if isinstance(value, str)), None)
    return item


def _sections(value: Any, most: int) -> Any:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return value
    sections = [
        section
        for number, item in enumerate(value[: 10 * most], start=1)
        if (section := _section(item, number))
    ]
    return _joined(sections, most)


def _section(item: Any, number: int) -> Any:
    """A section, None for one without words. Without a title it goes by its number, the same in all languages."""
    if isinstance(item, str):
        item = {"content": item}
    if not isinstance(item, Mapping):
        return item
    read = _Read(item)
    read.keep("content", _text)
    if isinstance(content := read.fields.get("content"), str) and not content:
        return None
    read.texts(DraftSection, "title", otherwise=str(number))
    read.lists(DraftSection, "visuals")
    return read.fields if read.fields.get("content") is not None else None


def _joined(sections: Sequence[Any], most: int) -> list[Any]:
    """Sections beyond the last that may be stored become part of it, so that no word is lost for their number."""
    kept, rest = list(sections[:most]), sections[most:]
    if rest and all(
        isinstance(section, dict) and isinstance(section["content"], str) for section in (kept[-1], *rest)
    ):
        content = "\n\n".join(section["content"] for section in (kept[-1], *rest))
        kept[-1] = {**kept[-1], "content": content}
    longest = _most(DraftSection, "content")
    for section in kept:
        if isinstance(section, dict) and isinstance(section["content"], str):
            section["content"] = cut(section["content"], longest)
    return kept


def _fit_hook(read: _Read) -> None:
    """What is too long for a hook is spoken at the beginning of the first section."""
    hook, sections = read.fields.get("hook"), read.fields.get("sections")
    longest = _most(ScriptDraft, "hook")
    if not isinstance(hook, str) or len(hook) <= longest:
        return
    short = cut(hook, longest)
    read.fields["hook"] = short
    first = sections[0] if isinstance(sections, list) and sections else None
    if isinstance(first, dict) and isinstance(first.get("content"), str):
        rest = hook[len(short.removesuffix("…")) :].strip()
        first["content"] = cut(f"{rest} {first['content']}", _most(DraftSection, "content"))
