"""Stage `script`: the lesson itself, shared by all students who ask about the topic as a whole."""

import json
from typing import Any, Literal

from services.content.catalog import Catalog, Topic
from services.content.models import ContentRequest, InterestMatch, NluResult, ScriptDraft
from services.content.offline.script import write_script_offline
from services.content.prompts import PROMPT_VERSION, instructions, render
from services.content.quality import target_words
from services.content.reading import read_script
from services.content.rules import problems_of
from services.content.script_rules import Wanted, judge
from services.content.tokens import most_output_tokens
from services.generation.port import Task


def script_task(
    request: ContentRequest,
    *,
    nlu: NluResult,
    topic: Topic | None,
    interest: InterestMatch,
    catalog: Catalog,
    asks_about: Literal["topic", "detail"],
) -> Task[ScriptDraft]:
    """The task of writing the script; lengths are asked for, and checked, in spoken words.

    Who asks about the topic gets the lesson that everybody with the same interest, grade, language and length gets:
    nothing in its prompt is taken from the wording. Who asks about a detail gets his own.
    """
    words, wanted = target_words(request.duration_seconds), Wanted.by(request)
    is_shared = asks_about == "topic"
    focus = _first_lesson(nlu) if is_shared else nlu.focus
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
                "focus": focus,
                "interest": interest.name,
                "analogies": interest.analogies,
            }
        ),
        answer_type=ScriptDraft,
        max_output_tokens=most_output_tokens("script", request),
        offline=lambda: write_script_offline(
            topic=topic,
            topic_name=nlu.topic_name,
            focus=focus,
            interest=interest,
            grade_level=request.grade_level,
            target_words=words,
            catalog=catalog,
            asks_about=asks_about,
        ),
        mend=lambda data: read_script(data, topic_name=nlu.topic_name),
        check=lambda draft: problems_of(judge(draft, wanted).findings),
        identity=_identity(request, nlu, topic, interest) if is_shared else None,
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


def _first_lesson(nlu: NluResult) -> str:
    return f"A first lesson about {nlu.topic_name} as a whole: the idea, how it works and where one meets it."


def _identity(request: ContentRequest, nlu: NluResult, topic: Topic | None, interest: InterestMatch) -> str:
    """All that a shared script depends on, written in one way only.

    The analogies are not among it: they were found for the first student's wording and help to write the lesson,
    but do not change what is asked for. The catalogue's text is: a corrected one must reach the next student.
    """
    about = (
        _brief(nlu, topic) if topic else {"name": _folded(nlu.topic_name), "subject": _folded(nlu.subject)}
    )
    depends_on = {
        "grade_level": request.grade_level,
        "language": request.language.casefold(),  # tags mean the same in any case: RFC 5646, section 2.1.1
        "duration_seconds": request.duration_seconds,
        "topic": about,
        "interest": _folded(interest.name),
    }
    return json.dumps(depends_on, ensure_ascii=False, sort_keys=True)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
