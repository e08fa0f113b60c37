"""For each stage one question that every model in order answers: what tells an outage from a bad question."""

from collections.abc import Mapping
from typing import Any

from services.content.catalog import load_catalog
from services.content.catalog.search import load_search
from services.content.models import ContentRequest
from services.content.pipeline import ContentPipeline
from services.generation.allowance import Allowance
from services.generation.port import Answer, AnswerT, Provenance, Task

_REQUEST = ContentRequest(
    request_id="standard-question",
    student_id="nobody",
    student_query="How does photosynthesis work in the leaves of plants?",
    grade_level=7,
    interest="soccer",
    duration_seconds=30,
)
"""About what the catalogue knows, harmless, and as short as a script may be: it is paid for."""

_OFFLINE = Provenance(mode="mock", provider="mock", model="mock", attempts=0, latency_ms=0)


class StandardQuestions:
    """The stages' own tasks, as the pipeline puts them for one fixed request.

    Made once, at first need: mostly nobody asks.
    """

    def __init__(self) -> None:
        self._tasks: Mapping[str, Task[Any]] = {}

    async def __call__(self) -> Mapping[str, Task[Any]]:
        """The question of each stage, by the stage's name."""
        if not self._tasks:
            taken_down = _TakenDown()
            pipeline = ContentPipeline(model=taken_down, catalog=load_catalog(), search=load_search())
            await pipeline.produce(_REQUEST, resumes=False, allowance=Allowance())
            self._tasks = taken_down.tasks
        return self._tasks


class _TakenDown:
    """A language model that notes what it is asked, and answers offline so that the next stage asks, too."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task[Any]] = {}

    async def generate(self, task: Task[AnswerT]) -> Answer[AnswerT]:
        """As the port has it."""
        self.tasks[task.stage] = task
        return Answer(data=task.offline(), provenance=_OFFLINE)
