"""What a request becomes: understand it and match an interest side by side, then write the script and measure it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from services.content.catalog import Catalog, Topic
from services.content.catalog.search import TopicSearch
from services.content.interests import interest_task
from services.content.models import (
    ContentRequest,
    InterestMatch,
    NluResult,
    QualityReport,
    Script,
    ScriptDraft,
    Stage,
    StageError,
    Status,
    Understanding,
)
from services.content.nlu import nlu_result, status_of, understanding_task
from services.content.quality import report, time_script
from services.content.safety import mask_contacts, screen
from services.content.scripts import script_task
from services.generation.port import Answer, LanguageModel, Provenance

_FirstT = TypeVar("_FirstT")
_SecondT = TypeVar("_SecondT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What the stages made of one request."""

    status: Status
    nlu: NluResult | None = None
    interest: InterestMatch | None = None
    script: Script | None = None
    quality: QualityReport | None = None
    provenance: dict[Stage, Provenance] = field(default_factory=dict)
    failures: list[StageError] = field(default_factory=list)


class ContentPipeline:
    """Makes content of requests. Holds no state of its own between them."""

    def __init__(self, *, model: LanguageModel, catalog: Catalog, search: TopicSearch) -> None:
        self._model = model
        self._catalog = catalog
        self._search = search

    async def produce(self, request: ContentRequest) -> Content:
        """Answer one request. Raises `NoModelAnswered` when the whole ladder of a stage failed."""
        if category := screen(request.student_query):
            return _screened(category)
        question = mask_contacts(request.student_query)
        understood, matched = await self._understand_and_match(request, question)
        provenance: dict[Stage, Provenance] = {"nlu": understood.provenance, "interest": matched.provenance}
        understanding, interest = understood.data, matched.data
        if understanding is None or interest is None:
            blocked = understood if understanding is None else matched
            return _blocked(blocked, Content(status="blocked", interest=interest, provenance=provenance))

        topic = self._catalog.topics.get(understanding.topic_id or "")
        nlu = nlu_result(understanding, topic)
        status = status_of(understanding)
        if status != "completed":
            return Content(status=status, nlu=nlu, interest=interest, provenance=provenance)

        written = await self._write(request, nlu, topic, interest)
        provenance["script"] = written.provenance
        if written.data is None:
            return _blocked(
                written, Content(status="blocked", nlu=nlu, interest=interest, provenance=provenance)
            )
        script = time_script(written.data)
        return Content(
            status="completed",
            nlu=nlu,
            interest=interest,
            script=script,
            quality=report(
                script, duration_seconds=request.duration_seconds, grade_level=request.grade_level
            ),
            provenance=provenance,
        )

    async def _understand_and_match(
        self, request: ContentRequest, question: str
    ) -> tuple[Answer[Understanding], Answer[InterestMatch]]:
        candidates = self._search.candidates(question, grade_level=request.grade_level)
        return await _side_by_side(
            self._model.generate(understanding_task(request, question=question, candidates=candidates)),
            self._model.generate(
                interest_task(
                    request,
                    question=question,
                    likely_topic=candidates[0].topic if candidates else None,
                    catalog=self._catalog,
                )
            ),
        )

    async def _write(
        self, request: ContentRequest, nlu: NluResult, topic: Topic | None, interest: InterestMatch
    ) -> Answer[ScriptDraft]:
        return await self._model.generate(
            script_task(request, nlu=nlu, topic=topic, interest=interest, catalog=self._catalog)
        )


async def _side_by_side(
    first: Coroutine[Any, Any, _FirstT], second: Coroutine[Any, Any, _SecondT]
) -> tuple[_FirstT, _SecondT]:
    # A task group cancels the other half when one fails, so that nothing more is paid for a lost message; it
    # reports a group, of which the first member is the cause.
    try:
        async with asyncio.TaskGroup() as group:
            left, right = group.create_task(first), group.create_task(second)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return left.result(), right.result()


def _blocked(answer: Answer[Any], content: Content) -> Content:
    message = f"The safety filter of {answer.provenance.model} blocked the answer ({answer.blocked_by})."
    return replace(content, failures=[StageError(kind="blocked", code=None, message=message)])


def _screened(category: str) -> Content:
    message = "Blocked before any model was asked. A person should look at this student's question."
    return Content(status="blocked", failures=[StageError(kind=category, code=None, message=message)])
