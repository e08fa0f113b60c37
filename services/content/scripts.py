"""Stage `script`: the lesson itself."""

from typing import Any

from services.content.catalog import Catalog, Topic
from services.content.models import ContentRequest, InterestMatch, NluResult, ScriptDraft
from services.content.offline.script import write_script_offline
from services.content.prompts import PROMPT_VERSION, instructions, render
from services.content.quality import script_problems, target_words
from services.generation.port import Task


def script_task(
    request: ContentRequest,
    *,
    nlu: NluResult,
    topic: Topic | None,
    interest: InterestMatch,
    catalog: Catalog,
) -> Task[ScriptDraft]:
    """The task of writing the script; lengths are asked for, and checked, in spoken words."""
    words = target_words(request.duration_seconds)
    return Task(
        stage="script",
        prompt_version=PROMPT_VERSION,
        instructions=instructions("script"),
        prompt=render(
            {
                "grade_level": request.grade_level,
                "language": request.language,
                "duration_seconds": request.duration_seconds,
                "target_words": words,
                "topic": _brief(nlu, topic),
                "focus": nlu.focus,
                "interest": interest.name,
                "analogies": interest.analogies,
            }
        ),
        answer_type=ScriptDraft,
        max_output_tokens=16384,
        offline=lambda: write_script_offline(
            topic=topic,
            topic_name=nlu.topic_name,
            focus=nlu.focus,
            interest=interest,
            grade_level=request.grade_level,
            target_words=words,
            catalog=catalog,
        ),
        check=lambda draft: script_problems(draft, duration_seconds=request.duration_seconds),
    )


def _brief(nlu: NluResult, topic: Topic | None) -> dict[str, Any]:
    if topic is None:
        return {"name": nlu.topic_name, "subject": nlu.subject}
    return {
        "name": topic.name,
        "subject": topic.subject,
        "summary": topic.summary,
        "key_facts": list(topic.key_facts),
        "misconception": topic.misconception,
    }
