"""Signs in a message that it is small talk, an errand, or a question of a subject the catalogue does not have.

The patterns and words are data, each pattern with an example: `chat.toml`, `wording.toml`, `words.toml`,
`subjects.toml`.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from services.content.catalog.words import content_words, tokens
from services.content.tables import any_of, read_patterns, read_table, words_of

_HERE = "services.content.offline"

LONGEST_CHAT = 25
"""Words; in a longer message people and shopping are usually the story around a question."""

LONGEST_STATEMENT = 8
"""Words; who only tells something in so few asks for nothing, unless it has the words of a topic."""


def sounds_like(kind: str, text: str) -> bool:
    """Whether a text has the wording of that kind, as `wording.toml` has it."""
    return bool(any_of(_HERE, "wording.toml", kind).search(text))


def chat_signs(message: str) -> int:
    """How much the message sounds like chat, an errand or gossip: 0 not at all, 1 perhaps, 2 clearly."""
    text = _plain(message)
    asks = sounds_like("asks_to_know", text) or len(text.split()) > LONGEST_CHAT
    if _chat().search(text):
        return 1 if asks and (telling_words(message) or sounds_like("asks_for_help", text)) else 2
    return int(not asks and (_only_tells(text) or not _words("leisure").isdisjoint(text.split())))


def _only_tells(text: str) -> bool:
    is_short = len(text.split()) <= LONGEST_STATEMENT
    return is_short and sounds_like("statement", text) and not sounds_like("question_or_task", text)


def is_pointing(message: str) -> bool:
    """Whether the message points at a task that only the student can see."""
    return sounds_like("pointing", _plain(message))


def named_subject(message: str) -> str | None:
    """The catalogue's subject that the message names, if any."""
    words = set(tokens(_with_subjects(message)))
    return next((subject for subject, names in subject_words().items() if words & names), None)


def other_subject(message: str) -> tuple[str, int]:
    """The subject outside the catalogue with the most signs in the message, and how many; ("", 0) for none."""
    words = set(tokens(message))
    signs = {subject: len(words & names) for subject, names in _other_subjects().items()}
    best = max(signs, key=signs.__getitem__)
    return (best, signs[best]) if signs[best] else ("", 0)


def telling_words(message: str) -> Sequence[str]:
    """The content words that can tell a topic: neither a subject's name nor a word of every exercise."""
    words = [word for word in content_words(_with_subjects(message)) if not _names_subject(word)]
    return words if sounds_like("definition", _plain(message)) else list(_without_task_words(words))


def _with_subjects(message: str) -> str:
    for phrase, subject in _subject_phrases():
        message = phrase.sub(subject, message)
    return message


def _names_subject(word: str) -> bool:
    return any(word in names for names in subject_words().values())


def _without_task_words(words: Iterable[str]) -> Iterable[str]:
    task = _words("task")
    return (word for word in words if word not in task and not sounds_like("part_of_exercise", word))


def _plain(text: str) -> str:
    text = re.sub(r"['’]", "", text.casefold())
    return re.sub(r"[^\w\s-]+", " ", text).strip()


@functools.cache
def _chat() -> re.Pattern[str]:
    kinds = read_patterns(_HERE, "chat.toml").values()
    return re.compile("|".join(pattern.regex.pattern for patterns in kinds for pattern in patterns))


@functools.cache
def _words(kind: str) -> frozenset[str]:
    return words_of(read_table(_HERE, "words.toml")[kind])


@functools.cache
def subject_words() -> Mapping[str, frozenset[str]]:
    """How students name a whole subject of the catalogue."""
    return {
        subject: words_of(names) for subject, names in read_table(_HERE, "subjects.toml")["catalogue"].items()
    }


@functools.cache
def _subject_phrases() -> Sequence[tuple[re.Pattern[str], str]]:
    rows = read_table(_HERE, "subjects.toml")["phrase"]
    return [(re.compile(row["pattern"], re.IGNORECASE), row["subject"]) for row in rows]


@functools.cache
def _other_subjects() -> Mapping[str, frozenset[str]]:
    return {
        subject: words_of(words) for subject, words in read_table(_HERE, "subjects.toml")["others"].items()
    }
