"""Stage `nlu`: which topic a question is about, and whether it can be taught at all."""

from collections.abc import Sequence

from services.content.catalog import Topic
from services.content.catalog.search import Candidate
from services.content.models import ContentRequest, NluResult, Status, Understanding
from services.content.offline.understand import understand_offline
from services.content.prompts import PROMPT_VERSION, instructions, render, tidied
from services.content.reading import read_understanding
from services.content.rules import Finding, at_least, problems_of, safety_findings
from services.content.tokens import most_output_tokens
from services.generation.port import Task

_STATUS: dict[str, Status] = {
    "learning": "completed",
    "unclear": "needs_clarification",
    "off_topic": "out_of_scope",
}

_NO_NAMES = {"", "unknown"}
"""Topics of such a name have nothing in common, but would share their scripts."""


def understanding_task(
    request: ContentRequest, *, question: str, candidates: Sequence[Candidate]
) -> Task[Understanding]:
    """The task of finding the topic among the candidates, or outside them."""
    question = tidied(question)
    offered = [candidate.topic.id for candidate in candidates]
    return Task(
        stage="nlu",
        prompt_version=PROMPT_VERSION,
        instructions=instructions("nlu"),
        prompt=render(
            {
                "grade_level": request.grade_level,
                "language": request.language,
                "candidates": [_offer(candidate.topic) for candidate in candidates],
                "question": question,
            }
        ),
        answer_type=Understanding,
        max_output_tokens=most_output_tokens("nlu", request),
        offline=lambda: understand_offline(question, grade_level=request.grade_level, candidates=candidates),
        choices={"topic_id": offered},
        mend=lambda data: read_understanding(data, offered=offered),
        check=lambda answer: problems_of(understanding_findings(answer)),
    )


def status_of(understanding: Understanding) -> Status:
    """What the request comes to, as far as its question decides it."""
    return _STATUS[understanding.kind]


def nlu_result(understanding: Understanding, topic: Topic | None) -> NluResult:
    """The `nlu` field of the result; names come from the catalogue where the topic is in it."""
    return NluResult(
        topic_id=topic.id if topic else None,
        topic_name=topic.name if topic else understanding.topic_name,
        subject=topic.subject if topic else understanding.subject,
        focus=understanding.focus,
        confidence=understanding.confidence,
        in_catalog=topic is not None,
        clarifying_questions=understanding.clarifying_questions,
        reasoning=understanding.reasoning,
    )


def understanding_findings(answer: Understanding) -> list[Finding]:
    """What all rules find in an answer."""
    is_named = answer.topic_id is not None or answer.topic_name.casefold() not in _NO_NAMES
    shown = [answer.topic_name, answer.subject, answer.focus, *answer.clarifying_questions, answer.reasoning]
    return [
        *safety_findings("\n".join(shown)),
        Finding(
            rule="topic_name",
            passed=is_named or answer.kind != "learning",
            sentence="topic_name must name the topic when topic_id is null and the question can be taught.",
        ),
        at_least(
            "clarifying_questions",
            len(answer.clarifying_questions),
            1 if answer.kind == "unclear" else 0,
            "An unclear question needs at least one entry in clarifying_questions.",
        ),
    ]


def _offer(topic: Topic) -> dict[str, str]:
    return {"id": topic.id, "name": topic.name, "summary": topic.summary}
