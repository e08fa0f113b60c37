"""How many tokens an answer may take, and usually takes: by its length, its language and the thinking before it.

The limit is what a model that runs on costs, so it fits what was asked for. It is wide enough that no honest answer is
cut off: half as many words again as asked for, each at the dear end of its language, beside eight times the usual
thinking. A script of three minutes usually takes a quarter of its limit in English, and half of it in a rare language.
"""

import math
from typing import get_args

from services.content.models import ContentRequest, Stage
from services.content.quality import target_words
from services.generation.port import Usage

THINKING_TOKENS = 2560
"""Thinking counts against the limit. At the level LOW it usually takes 300 (docs/operations.md, "What it costs")."""

ROOM = 1.5
"""An answer may be longer than asked for by this factor and is still taken, with a note."""

JSON_TOKENS = 400
"""Field names, braces and quotes of an answer."""

UNSPOKEN_WORDS = 150
"""Titles, visuals and takeaways of a script, usually; at most twice as many."""

ANSWER_WORDS = {"nlu": 67, "interest": 73}
"""What the short answers usually have; at most three times as many."""

PROMPT_TOKENS = {"nlu": 1720, "interest": 530, "script": 1160}
"""Measured over 200 questions, with `ANSWER_WORDS` (docs/operations.md, "What it costs")."""

USUAL_THINKING_TOKENS = 300

# Tokens for one spoken word, at the dear end. Tokenizers are trained on English most and cut other languages into
# smaller pieces, down to single bytes, of which a character outside of Latin has two or three. How much smaller: Petrov
# et al., Language Model Tokenizers Introduce Unfairness Between Languages (2023). Gemini's own are not published.
_ENGLISH = 1.5
_LATIN = 2.5
_OTHERS = 3.5
"""Languages of long words, other alphabets, the scripts of northern India, and those counted by characters."""
_LONG_AND_RARE = 6.0
"""Long words in scripts of three bytes a character."""
_RAREST = 8.0
"""What tokenizers hardly know."""

_LANGUAGES = {
    _ENGLISH: "en",
    _LATIN: "af br ca cy da de es eu fr ga gl id is it lb lt lv ms nb nl nn no oc pl pt ro sk sl sq sv sw tl vi",
    _OTHERS: "ar as az be bg bn bs cs el et fa fi gu he hi hr hu iw ja kk ko ky mk mn mr mt ne or pa ps ru sd sr tg th "
    "tr tt uk ur uz xh yi yue zh zu",
    _LONG_AND_RARE: "hy ka kn ml sa si ta te",
}
_TOKENS_PER_WORD = {code: tokens for tokens, codes in _LANGUAGES.items() for code in codes.split()}


def tokens_per_word(language: str) -> float:
    """At most so many tokens make a word of the language with this BCP 47 tag; one that is not known has the rarest."""
    return _TOKENS_PER_WORD.get(language.partition("-")[0].lower(), _RAREST)


def most_output_tokens(stage: Stage, request: ContentRequest) -> int:
    """The limit of a stage's answer, thinking included."""
    spoken = ROOM * target_words(request.duration_seconds)
    words = spoken + 2 * UNSPOKEN_WORDS if stage == "script" else 3 * ANSWER_WORDS[stage]
    return THINKING_TOKENS + JSON_TOKENS + math.ceil(words * tokens_per_word(request.language))


def usual_usage(request: ContentRequest) -> dict[str, Usage]:
    """What each stage usually takes for a request of this length and language."""
    return {stage: _usual(stage, request) for stage in get_args(Stage)}


def _usual(stage: Stage, request: ContentRequest) -> Usage:
    words = (
        target_words(request.duration_seconds) + UNSPOKEN_WORDS if stage == "script" else ANSWER_WORDS[stage]
    )
    answer = round(words * tokens_per_word(request.language))
    return Usage(input_tokens=PROMPT_TOKENS[stage], output_tokens=answer + USUAL_THINKING_TOKENS)
