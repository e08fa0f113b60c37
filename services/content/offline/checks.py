"""Questions by which students check what they have kept of a lesson."""

from collections.abc import Iterator

from services.content.catalog import Topic
from services.content.offline.wording import as_question, choose, sentences

_JOINTS = (
    ", so ",
    " because ",
    ": ",
    ", which ",
    ", but ",
    ", and ",
    " while ",
    " when ",
    " into ",
    " by ",
    ", ",
)
"""Where a sentence can be broken off so that the rest can be guessed, best first."""


def check_questions(topic: Topic, seed: str) -> Iterator[str]:
    """Sentences of the key facts to finish, then questions that other students asked."""
    joins = ("Finish this sentence:", "And how does this one go on:", "One more to finish:")
    for join, fact in zip(joins, topic.key_facts, strict=False):
        yield f"{join} {opening_of(fact)} …"
    asked = sorted(topic.asked_as, key=lambda question: choose(range(97), question, seed))
    yield f"Somebody asks you: {as_question(asked[0])} What do you answer?"
    yield f"And a harder one: {as_question(asked[1])}"


def opening_of(fact: str) -> str:
    """The first part of a fact's longest sentence, up to a joint after its fourth word and before its last third."""
    sentence = max(sentences(fact), key=len)
    words = sentence.split()
    for joint in _JOINTS:
        before, found, _ = sentence.partition(joint)
        if found and 4 <= len(before.split()) <= len(words) * 2 / 3:
            return f"{before}{joint.rstrip(' :')}".rstrip(",")
    return " ".join(words[: len(words) // 2])
