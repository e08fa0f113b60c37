"""Fits a call into the dollars that its message has left."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from services.generation.port import AnswerT, Rejection, Task, Usage
from services.generation.runaway import SHOWN_CHARACTERS

LEAST_SHARE = 0.5
"""Of its limit a call needs at least so much: usual answers take a third of it (services/content/tokens.py)."""

_BYTES_PER_PROMPT_TOKEN = 3
"""English has four or more; other scripts have three bytes a character and seldom more than a token for each."""

_FIXED_PROMPT_TOKENS = 1000
"""The schema of the answer and the markers of turns, which are not in the texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """The limit of a call's output, and what the call costs at most."""

    max_output_tokens: int
    usd: float


def within_means(
    task: Task[AnswerT],
    rejection: Rejection | None,
    *,
    left_usd: float,
    price: Callable[[Usage], float | None],
) -> Means | None:
    """What the call may take so that it costs no more than `left_usd`; None when that is too little for an answer.

    Where no price is known nothing can be bounded.
    """
    limit = task.max_output_tokens
    if math.isinf(left_usd):
        return Means(max_output_tokens=limit, usd=0.0)
    prompt = _most_prompt_tokens(task, rejection)
    asking = price(Usage(input_tokens=prompt, output_tokens=0))
    at_most = price(Usage(input_tokens=prompt, output_tokens=limit))
    if asking is None or at_most is None:
        return Means(max_output_tokens=limit, usd=0.0)
    if at_most <= left_usd:
        return Means(max_output_tokens=limit, usd=at_most)
    affordable = math.floor(limit * (left_usd - asking) / (at_most - asking)) if at_most > asking else 0
    return Means(max_output_tokens=affordable, usd=left_usd) if affordable >= LEAST_SHARE * limit else None


def _most_prompt_tokens(task: Task[AnswerT], rejection: Rejection | None) -> int:
    shown = "" if rejection is None else rejection.text[:SHOWN_CHARACTERS] + "".join(rejection.problems)
    texts = (task.instructions, task.prompt, shown)
    size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
    return _FIXED_PROMPT_TOKENS + math.ceil(size / _BYTES_PER_PROMPT_TOKEN)
