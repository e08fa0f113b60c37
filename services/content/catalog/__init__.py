"""What the worker knows without asking a model: school topics and students' interests.

The data lies beside this file as JSON; README.md there describes every field. Its rules are checked by a unit test,
not while loading, because the files ship with the code and cannot change under a running worker.
"""

import functools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

SUBJECTS = ("mathematics", "physics", "chemistry", "biology", "earth_space", "computing")

LENSES = (
    "motion",
    "force",
    "energy",
    "structure",
    "change",
    "cycle",
    "balance",
    "chance",
    "pattern",
    "measure",
    "system",
    "signal",
    "mix",
)
"""The kinds of idea by which a topic and a moment of an interest can meet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one everyday question, in words to be read aloud; `asked` are forms in which it is asked."""

    id: str
    asked: tuple[str, ...]
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A school topic with everything that is needed to find it and to teach it.

    `typed` are questions as students type them, mistakes and stories included; they are never shown.
    """

    id: str
    name: str
    subject: str
    grades: tuple[int, int]
    keywords: tuple[str, ...]
    asked_as: tuple[str, ...]
    summary: str
    key_facts: tuple[str, ...]
    example: str
    misconception: str
    try_it: str
    lenses: tuple[str, ...]
    related: tuple[str, ...]
    everyday: tuple[str, ...]
    typed: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def subject_name(self) -> str:
        """The subject as one writes it in a sentence."""
        return self.subject.replace("earth_space", "earth and space science")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One moment of an interest, and the general idea (`lens`, put in words by `link`) that it shows."""

    lens: str
    scene: str
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InterestEntry:
    """An interest of students: `name` fits after "you like", `aliases` are what else they call it."""

    id: str
    name: str
    aliases: tuple[str, ...]
    category: str
    scenes: tuple[Scene, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """All topics and interests by id, in the order of the files."""

    topics: Mapping[str, Topic]
    interests: Mapping[str, InterestEntry]


@functools.cache
def load_catalog() -> Catalog:
    """The catalogue; read from disk once per process (about 10 ms)."""
    return Catalog(
        topics={topic.id: topic for topic in _topics()},
        interests={entry.id: entry for entry in _interests()},
    )


def _topics() -> Iterator[Topic]:
    everyday = _read("everyday.json")
    answers, typed = _answers(), _read("typed.json")
    for subject in SUBJECTS:
        for fields in _read(f"topics/{subject}.json"):
            low, high = fields["grades"]
            around = tuple(everyday[fields["id"]].split("; "))
            yield Topic(
                **{**_frozen(fields), "grades": (low, high), "everyday": around},
                typed=tuple(question for author in typed[fields["id"]] for question in author),
                answers=tuple(answers.get(fields["id"], ())),
            )


def _answers() -> Mapping[str, list[Answer]]:
    """The answers of each topic that has some."""
    of_topic: dict[str, list[Answer]] = defaultdict(list)
    for fields in _read("answers.json"):
        of_topic[fields.pop("topic")].append(Answer(**_frozen(fields)))
    return of_topic


def _interests() -> Iterator[InterestEntry]:
    for fields in _read("interests.json"):
        scenes = tuple(Scene(**scene) for scene in fields["scenes"])
        yield InterestEntry(**{**_frozen(fields), "scenes": scenes})


def _read(name: str) -> Any:
    return json.loads(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
