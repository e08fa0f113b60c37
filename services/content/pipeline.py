"""What a request becomes: understand it and match an interest side by side, then write the script and measure it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar, cast

from services.content.catalog import Catalog
from services.content.catalog.search import TopicSearch
from services.content.failures import BLOCKED
from services.content.interests import interest_findings, interest_task
from services.content.models import (
    ContentRequest,
    InterestMatch,
    NluResult,
    QualityReport,
    Script,
    Stage,
    Status,
    Understanding,
)
from services.content.nlu import nlu_result, status_of, understanding_findings, understanding_task
from services.content.prompts import tidied
from services.content.quality import time_script
from services.content.rules import checks_of
from services.content.safety import mask_contacts, screen
from services.content.script_rules import Wanted, judge, report
from services.content.scripts import script_task
from services.generation.allowance import Allowance
from services.generation.port import Answer, AnswerT, LanguageModel, Provenance, Task

MOCK_LANGUAGE = "en"
"""The mock writes from the catalogue, which is in English, whatever language is asked for."""

_OUTSIDE_NOTE = "nlu: the topic_id was none of the candidates and counts as null."

_FirstT = TypeVar("_FirstT")
_SecondT = TypeVar("_SecondT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """Why a request gets no answer for safety's sake, and which stage said so."""

    stage: str
    kind: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What the stages made of one request."""

    status: Status
    nlu: NluResult | None = None
    interest: InterestMatch | None = None
    script: Script | None = None
    quality: QualityReport | None = None
    provenance: dict[Stage, Provenance] = field(default_factory=dict)
    blocked: Blocked | None = None


class ContentPipeline:
    """Makes content of requests. Holds no state of its own between them."""

    def __init__(self, *, model: LanguageModel, catalog: Catalog, search: TopicSearch) -> None:
        self._model = model
        self._catalog = catalog
        self._search = search

    async def produce(self, request: ContentRequest, *, resumes: bool, allowance: Allowance) -> Content:
        """Answer one request within its allowance; `resumes` when an earlier attempt may have paid for answers.

        Raises `NoModelAnswered` or `RequestFailed` when the whole ladder of a stage failed.
        """
        if category := screen(request.student_query):
            return _screened(category)
        ask = partial(self._ask, resumes=resumes, allowance=allowance)
        question = mask_contacts(tidied(request.student_query))
        understood, matched = await self._understand_and_match(request, question, ask)
        provenance: dict[Stage, Provenance] = {"nlu": understood.provenance, "interest": matched.provenance}
        understanding, interest = understood.data, matched.data
        if understanding is None or interest is None:
            blocked = _blocked("nlu", understood) if understanding is None else _blocked("interest", matched)
            return Content(status="blocked", interest=interest, provenance=provenance, blocked=blocked)

        topic = self._catalog.topics.get(understanding.topic_id or "")
        nlu = nlu_result(understanding, topic)
        status = status_of(understanding)
        interests = [mask_contacts(name) for name in request.candidate_interests]
        findings = [*understanding_findings(understanding), *interest_findings(interest, interests)]
        notes = [_OUTSIDE_NOTE] if "topic_id" in understood.repairs else []
        if status != "completed":
            quality = QualityReport(notes=notes, checks=checks_of(findings))
            return Content(status=status, nlu=nlu, interest=interest, quality=quality, provenance=provenance)

        written = await ask(
            script_task(
                request,
                nlu=nlu,
                topic=topic,
                interest=interest,
                catalog=self._catalog,
                asks_about=understanding.asks_about,
            )
        )
        provenance["script"] = written.provenance
        if written.data is None:
            blocked = _blocked("script", written)
            return Content(
                status="blocked", nlu=nlu, interest=interest, provenance=provenance, blocked=blocked
            )
        wanted = Wanted.by(request)
        is_mock = written.provenance.mode == "mock"
        language = MOCK_LANGUAGE if is_mock else judge(written.data, wanted).language
        script = time_script(written.data, language=language)
        return Content(
            status="completed",
            nlu=nlu,
            interest=interest,
            script=script,
            quality=report(script, wanted, others=findings, notes=notes),
            provenance=provenance,
        )

    async def _ask(self, task: Task[AnswerT], *, resumes: bool, allowance: Allowance) -> Answer[AnswerT]:
        return await self._model.generate(replace(task, resumes=resumes, allowance=allowance))

    async def _understand_and_match(
        self, request: ContentRequest, question: str, ask: Callable[[Task[Any]], Coroutine[Any, Any, Any]]
    ) -> tuple[Answer[Understanding], Answer[InterestMatch]]:
        candidates = self._search.candidates(question, grade_level=request.grade_level)
        return await _side_by_side(
            ask(understanding_task(request, question=question, candidates=candidates)),
            ask(
                interest_task(
                    request,
                    question=question,
                    likely_topic=candidates[0].topic if candidates else None,
                    catalog=self._catalog,
                )
            ),
        )


async def _side_by_side(
    first: Coroutine[Any, Any, _FirstT], second: Coroutine[Any, Any, _SecondT]
) -> tuple[_FirstT, _SecondT]:
    # When one fails the other is not cancelled: its call is paid for, and the next attempt finds its answer.
    left, right = await asyncio.gather(first, second, return_exceptions=True)
    for ended in (left, right):
        if isinstance(ended, BaseException):
            raise ended
    return cast(_FirstT, left), cast(_SecondT, right)


def _blocked(stage: Stage, answer: Answer[Any]) -> Blocked:
    message = f"The safety filter of {answer.provenance.model} blocked the answer ({answer.blocked_by})."
    return Blocked(stage=stage, kind=BLOCKED, message=message)


def _screened(category: str) -> Content:
    message = "Blocked before any model was asked. A person should look at this student's question."
    return Content(status="blocked", blocked=Blocked(stage="screen", kind=category, message=message))
