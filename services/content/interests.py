"""Stage `interest`: which of the student's interests carries the explanation."""

from services.content.catalog import Catalog, Topic
from services.content.models import ContentRequest, InterestMatch
from services.content.offline.interest import match_interest_offline
from services.content.prompts import PROMPT_VERSION, instructions, render, tidied
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
    )
