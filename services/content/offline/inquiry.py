"""A script about a topic the catalogue does not have: no facts of its own, but a way to find them out.

Its advice is in `inquiry.json`; it holds for any topic, so nothing can be wrong about this one.
"""

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from services.content.models import ScriptDraft
from services.content.offline.pieces import Part, Piece, fill
from services.content.offline.wording import capitalised, in_sentence, sentences
from services.content.quality import spoken_words

SHORT_WORDS = 110
"""Up to this length only the first sentence of each piece of advice is said."""


def write(topic_name: str, *, interest: str, analogies: Sequence[str], wanted_words: int) -> ScriptDraft:
    """A guided inquiry into the topic, with the interest as the example to practise on."""
    topic = in_sentence(topic_name)
    scenes = [scene for scene, _ in zip(itertools.cycle(analogies), range(3), strict=False)]
    words = {
        "topic": topic,
        "interest": interest,
        **{f"scene{number}": scene for number, scene in enumerate(scenes)},
    }
    hook = (
        f"You asked about {topic}. There is no finished lesson for that here, so let's do what researchers do: "
        "find it out, step by step."
    )
    parts = _parts(words, len(set(analogies)), sentences_each=1 if wanted_words <= SHORT_WORDS else None)
    sections = fill(parts, wanted_words=wanted_words - spoken_words(hook))
    return ScriptDraft(
        title=f"Finding out about {topic}",
        hook=hook,
        sections=sections,
        key_takeaways=[
            "A clear question is half of the answer: say what you want to know in one sentence.",
            "Compare two sources, and ask each of them how it knows.",
            "You have understood it when you can explain it to somebody who has never heard of it.",
        ],
    )


def _parts(words: dict[str, str], moments: int, *, sentences_each: int | None) -> list[Part]:
    def piece(text: str, rank: int) -> Piece:
        return Piece(text=" ".join(sentences(text)[:sentences_each]).format(**words), rank=rank)

    parts = [
        Part(
            title=capitalised(title.format(**words)),
            pieces=[piece(text, rank) for rank, text in texts if _has_moment(text, moments)],
            visuals=[f"Heading: {title.format(**words)}", "The questions of this part as a checklist"],
        )
        for title, texts in _advice().items()
    ]
    more = [Piece(text=text, rank=40 + place) for place, text in enumerate(_texts()["more"])]
    return [
        *parts[:-1],
        Part(title="When it gets hard", pieces=more, visuals=["A page with marks"]),
        parts[-1],
    ]


def _has_moment(text: str, moments: int) -> bool:
    """Whether the text's moment of the interest exists; each is told only once."""
    return all(f"{{scene{number}}}" not in text for number in range(moments, 3))


@functools.cache
def _texts() -> Mapping[str, Any]:
    text = resources.files("services.content.offline").joinpath("inquiry.json").read_text(encoding="utf-8")
    texts: Mapping[str, Any] = json.loads(text)
    return texts


def _advice() -> Mapping[str, Sequence[tuple[int, str]]]:
    """What is said in each part, with its rank (0 is wanted first)."""
    return {
        part["title"]: [(piece["rank"], piece["text"]) for piece in part["advice"]]
        for part in _texts()["parts"]
    }
