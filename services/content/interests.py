"""Stage `interest`: which of the student's interests carries the explanation."""

from collections.abc import Sequence

from services.content.catalog import Catalog, Topic
from services.content.models import ContentRequest, InterestMatch
from services.content.offline.interest import match_interest_offline
from services.content.prompts import PROMPT_VERSION, instructions, render, tidied
from services.content.reading import read_interest
from services.content.rules import Finding, at_least, problems_of, safety_findings
from services.content.safety import mask_contacts
from services.content.tokens import most_output_tokens
from services.generation.port import Task


def interest_task(
    request: ContentRequest, *, question: str, likely_topic: Topic | None, catalog: Catalog
) -> Task[InterestMatch]:
    """The task of choosing an interest. It runs beside `nlu`, so the topic is only retrieval's best guess."""
    question = tidied(question)
    interests = [mask_contacts(name) for name in request.candidate_interests]
    return Task(
        stage="interest",
        prompt_version=PROMPT_VERSION,
        instructions=instructions("interest"),
        prompt=render(
            {
                "grade_level": request.grade_level,
                "language": request.language,
                "interests": interests,
                "question": question,
            }
        ),
        answer_type=InterestMatch,
        max_output_tokens=most_output_tokens("interest", request),
        offline=lambda: match_interest_offline(
            interests, question=question, topic=likely_topic, catalog=catalog
        ),
        mend=read_interest,
        check=lambda answer: problems_of(interest_findings(answer, interests)),
    )


def interest_findings(answer: InterestMatch, interests: Sequence[str]) -> list[Finding]:
    """What all rules find in an answer; the name of an interest is the student's own, whatever it is."""
    name = "" if answer.name in interests else answer.name
    return [
        *safety_findings("\n".join([name, answer.reasoning, *answer.analogies])),
        at_least("analogies", len(answer.analogies), 1, "analogies needs at least one entry."),
    ]
