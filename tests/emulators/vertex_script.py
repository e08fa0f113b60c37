"""A lesson script of exactly so many words about any topic and interest: filler that reads like speech."""

from collections.abc import Iterator
from itertools import count
from typing import Any

_OPENERS = (
    "",
    "Notice that",
    "Remember that",
    "In other words,",
    "Imagine that",
    "At the same time,",
    "It turns out that",
    "To put it simply,",
)

# Without names none has more than 16 words, so that there is always one that fits.
_CLAUSES = (
    "{topic} starts with one simple idea that you can picture right now",
    "every moment of {interest} gives you a chance to see it happen",
    "small changes add up until the whole result looks very different",
    "the same rule works whether you look at {interest} or at the world around you",
    "people once found {topic} strange because nobody could watch it directly",
    "a good question at this point is what happens when we change one thing",
    "the parts work together in the same way that a team in {interest} does",
    "you do not need hard numbers to follow the main thought",
    "each step depends on the step that came just before it",
    "fans of {interest} already use this way of thinking without a name for it",
    "experts test {topic} by making a guess and then checking it with care",
    "what looks like luck often follows a pattern that you can learn",
    "one clear example from {interest} is worth more than a page of rules",
    "the cause comes first and the effect follows after it",
    "you can draw {topic} on paper with a few arrows and boxes",
    "when one side gains something the other side has to give something up",
    "the surprising part is how often {topic} shows up in daily life",
    "slow motion makes every detail of {interest} much easier to study",
    "our first guess is sometimes wrong and that is how we learn",
    "the words may be new but the idea behind them is friendly",
    "{interest} shows that timing can matter as much as strength",
    "the limits of a rule tell us as much as the rule itself",
    "you could explain {topic} to a friend with nothing but a ball and a table",
    "each time we repeat the test the answer becomes a little more certain",
)

_CLOSERS = {
    3: "Now you try.",
    4: "That is the key.",
    5: "Keep that picture in mind.",
    6: "Say it once in your words.",
    7: "Ask yourself what would happen without it.",
    8: "Try to find one more example before tomorrow.",
    9: "Take a short breath and look at it again.",
}
_LONGEST_ENDING = 2 * max(_CLOSERS)
_SHORTEST_ENDING = min(_CLOSERS)

_TITLES = (
    "The big idea",
    "How it works",
    "A closer look",
    "Where it surprises us",
    "Try it yourself",
    "Looking back",
)

_WORDS_PER_SECTION = 80

_EASY_UP_TO_GRADE = 6
_WHO = ("You", "We", "They", "I", "All of us")
_DO = ("see", "hold", "push", "turn", "draw", "watch", "drop", "lift", "mix", "count", "heat")
_WHAT = (
    "the ball",
    "a cup",
    "the lid",
    "a stone",
    "the rope",
    "a leaf",
    "the lamp",
    "a coin",
    "the sand",
    "a wheel",
)
"""As many words of one syllable as children of the first grades can take; 275 sentences."""


def write_script(*, topic: str, interest: str, words: int, grade: int = 12) -> dict[str, Any]:
    """A ScriptDraft as plain data. Hook and sections have `words` words in all, at least 60, at most 4,000."""
    words = min(max(words, 60), 4_000)
    is_easy = grade <= _EASY_UP_TO_GRADE
    sentences = _easy_sentences() if is_easy else _sentences(topic=topic, interest=interest)
    opening = f"What if {interest} could explain {topic}?"
    hook_words = max(min(60, words // 8), len(opening.split()) + _SHORTEST_ENDING)
    hook = f"{opening} {_text(sentences, hook_words - len(opening.split()))}"
    rest = words - hook_words
    number = max(2, min(len(_TITLES), rest // _WORDS_PER_SECTION))
    shares = [rest // number + (1 if i < rest % number else 0) for i in range(number)]
    return {
        "title": f"{topic} with {interest}"[:200],
        "hook": hook,
        "sections": [
            {
                "title": _TITLES[i],
                "content": _text(sentences, share),
                "visuals": [f"A drawing of {topic}", f"A scene from {interest}"],
            }
            for i, share in enumerate(shares)
        ],
        "key_takeaways": [
            f"{topic} rests on one simple idea.",
            f"{interest} shows that idea at work.",
            "Small steps lead to a clear answer.",
        ],
    }


def _sentences(*, topic: str, interest: str) -> Iterator[str]:
    """Endless; the first 192 differ from one another."""
    for i in count():
        clause = _CLAUSES[i % len(_CLAUSES)].format(topic=topic, interest=interest)
        opener = _OPENERS[(i + i // len(_CLAUSES)) % len(_OPENERS)]
        yield f"{opener} {clause}." if opener else f"{clause[0].upper()}{clause[1:]}."


def _easy_sentences() -> Iterator[str]:
    """Endless; the first 275 differ from one another, and no two in a row have a word in common."""
    for i in count():
        yield f"{_WHO[i % len(_WHO)]} {_DO[i % len(_DO)]} {_WHAT[(i + i // 55) % len(_WHAT)]}."


def _text(sentences: Iterator[str], words: int) -> str:
    """Sentences of exactly `words` words in all, at least three."""
    chosen: list[str] = []
    remaining = words
    while remaining > _LONGEST_ENDING:
        sentence = next(sentences)
        length = len(sentence.split())
        if length <= remaining - _SHORTEST_ENDING:
            chosen.append(sentence)
            remaining -= length
    return " ".join([*chosen, *_ending(remaining)])


def _ending(words: int) -> list[str]:
    if words in _CLOSERS:
        return [_CLOSERS[words]]
    return [_CLOSERS[words - words // 2], _CLOSERS[words // 2]]
