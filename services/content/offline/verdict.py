"""How sure it is what a message is: a question about the best candidate, no wish to learn, or neither for sure.

A small logistic model over signs that one can name. Its weights are data (`verdict.json`), fitted by
`scripts/calibrate` on labelled questions that were not used to fit the search. For strangers' questions they are too
high (docs/decisions/0018).
"""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from services.content.catalog.search import Candidate
from services.content.offline import cues
from services.content.offline.sounds import sounds_of

CLEAR_LEAD = 5.0
"""A lead over the second candidate beyond this (e to the fifth) says no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signs:
    """What the model looks at; `always` is 1. Without a candidate all that describes it is 0."""

    always: float = 1.0
    lead: float = 0.0
    score: float = 0.0
    share: float = 0.0
    named_share: float = 0.0
    likeness: float = 0.0
    next_likeness: float = 0.0
    together: float = 0.0
    words: float = 0.0
    grades_away: float = 0.0
    learned: float = 0.0
    learned_lead: float = 0.0
    length: float = 0.0
    sounds_like_chat: float = 0.0
    sounds_like_other_subject: float = 0.0
    chat_pattern: float = 0.0
    clear_chat_pattern: float = 0.0
    other_subject_words: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The probabilities, 1 together: the best candidate is meant; no wish to learn; none of both."""

    right: float
    off_topic: float
    unclear: float


def signs_of(question: str, candidates: Sequence[Candidate]) -> Signs:
    """The signs of a message for which the search found these candidates, best first."""
    sounds = sounds_of(question)
    chat = cues.chat_signs(question)
    wording = {
        "length": math.log1p(len(set(cues.telling_words(question)))),
        "sounds_like_chat": sounds.chat / 3,
        "sounds_like_other_subject": sounds.other_subject / 3,
        # Who chats around a topic's own term is likely to ask about the topic.
        "chat_pattern": float(chat == 1 and not (candidates and candidates[0].signals.named_share)),
        "clear_chat_pattern": float(chat > 1),
        "other_subject_words": float(min(2, cues.other_subject(question)[1])),
    }
    if not candidates:
        return Signs(**wording)
    best = candidates[0]
    second = candidates[1].score if len(candidates) > 1 else -math.inf
    signals = best.signals
    return Signs(
        lead=min(CLEAR_LEAD, best.score - second) / 2,
        score=best.score / 10,
        share=signals.share,
        named_share=signals.named_share,
        likeness=signals.likeness,
        next_likeness=signals.next_likeness,
        together=signals.together / 6,
        words=math.log(signals.words) if signals.words else 0.0,
        grades_away=float(min(3, signals.grades_away)),
        learned=signals.learned,
        # Below 0 where the wording alone would have another topic first.
        learned_lead=signals.learned - max((c.signals.learned for c in candidates[1:]), default=-1.0),
        **wording,
    )


def judge(signs: Signs) -> Verdict:
    """The probabilities by the signs."""
    weights = _weights()
    right, off_topic = (
        math.exp(math.fsum(weight * getattr(signs, name) for name, weight in weights[kind].items()))
        for kind in ("right", "off_topic")
    )
    total = right + off_topic + 1.0
    return Verdict(right=right / total, off_topic=off_topic / total, unclear=1.0 / total)


@functools.cache
def _weights() -> Mapping[str, Mapping[str, float]]:
    text = resources.files("services.content.offline").joinpath("verdict.json").read_text(encoding="utf-8")
    weights: Mapping[str, Mapping[str, float]] = json.loads(text)
    return weights
