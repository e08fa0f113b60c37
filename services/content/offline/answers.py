"""The catalogue's answer to the very question that a script is about."""

from rapidfuzz import fuzz, process

from services.content.catalog import Answer, Topic
from services.content.catalog.words import content_words

SAME_QUESTION = 85
"""From this similarity of their telling words (0 to 100) on two questions are the same."""


def answer_to(focus: str, topic: Topic) -> Answer | None:
    """The answer to what the student wants to know, as the stage before has put it; None when there is none."""
    if not _telling(focus):
        return None
    asked = {form: answer for answer in topic.answers for form in answer.asked}
    near = process.extractOne(
        focus, list(asked), scorer=fuzz.token_sort_ratio, processor=_telling, score_cutoff=SAME_QUESTION
    )
    return asked[near[0]] if near else None


def _telling(text: str) -> str:
    return " ".join(content_words(text))
