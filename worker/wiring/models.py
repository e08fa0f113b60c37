"""Models: ladders, their rungs, and the providers that these ask."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.content.standard_questions import StandardQuestions
from services.errors import ConfigurationError
from services.generation.canary import Canary
from services.generation.ladder import Ladder
from services.generation.outage_notes import OutageNotes
from services.generation.port import LanguageModel, ModelRef, PaidAnswers, Provider
from services.generation.probe import Look, look
from services.generation.providers.mock import MockProvider
from services.generation.recall import Recall
from services.generation.refs import parse_ladder
from services.generation.refusals import Refusals
from services.generation.rung import Rung
from services.generation.shared_calls import SharedCalls
from services.storage.patience import Patience, PatientAnswers
from worker.outage_watch import OutageWatch
from worker.settings import Settings
from worker.wiring.backends import EMULATED_PROJECT, Backend

log = structlog.get_logger()

Choice = Callable[[list[ModelRef], dict[str, Provider]], list[ModelRef]]
"""Which rungs of a ladder are there to be asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """What answers messages, and what tells whether it does: only where they are held otherwise."""

    language: LanguageModel
    watch: OutageWatch | None


@asynccontextmanager
async def language_models(settings: Settings, backend: Backend, patience: Patience) -> AsyncIterator[Models]:
    """The ladders of all stages, with what was paid for before; connections to models are closed at the end.

    Raises `ConfigurationError` naming the variable that holds a bad ladder.
    """
    holds = settings.worker_on_outage == "hold"
    choose = without_mock if holds else _available
    ladders = ladders_of(settings)
    async with AsyncExitStack() as stack:
        rungs = rungs_of(ladders, providers_of(settings, stack), choose)
        yield Models(
            language=model_of(settings, rungs, Recall(PatientAnswers(backend.answers, patience))),
            watch=_watch(rungs, backend) if holds else None,
        )


def model_of(settings: Settings, rungs: Mapping[str, Sequence[Rung]], paid: PaidAnswers) -> LanguageModel:
    """One ladder a stage, with paid answers before it; equal tasks in flight share one call."""
    lifetime = timedelta(days=settings.worker_result_ttl_days)
    canary = Canary(StandardQuestions())
    return SharedCalls(Ladder(rungs, paid=paid, answer_lifetime=lifetime, canary=canary))


def _watch(rungs: Mapping[str, Sequence[Rung]], backend: Backend) -> OutageWatch:
    questions = StandardQuestions()

    async def look_at_all(*, thoroughly: bool) -> Look:
        return await look(rungs, await questions() if thoroughly else None)

    refs = [rung.ref for of_stage in rungs.values() for rung in of_stage]
    return OutageWatch(look_at_all, OutageNotes(backend.answers, refs))


def ladders_of(settings: Settings) -> dict[str, list[ModelRef]]:
    """The models of every stage, best first. Raises `ConfigurationError` naming the variable of a bad one."""
    return {
        stage: parse_ladder(text, setting=name, default_location=settings.google_cloud_location)
        for stage, (name, text) in settings.ladders().items()
    }


def rungs_of(
    ladders: Mapping[str, list[ModelRef]], providers: dict[str, Provider], choose: Choice
) -> dict[str, list[Rung]]:
    """The rungs of every stage that `choose` leaves in; a model's refusals are shared by all stages."""
    refusals: dict[ModelRef, Refusals] = {}

    def rung(ref: ModelRef) -> Rung:
        return Rung(providers[ref.provider], ref, refusals=refusals.setdefault(ref, Refusals(ref)))

    return {stage: [rung(ref) for ref in choose(refs, providers)] for stage, refs in ladders.items()}


def _available(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that have what they need. Without a project all of Vertex is replaced by the mock."""
    available = [ref for ref in refs if ref.provider in providers]
    return available or [ModelRef(provider="mock", model="")]


def without_mock(refs: list[ModelRef], providers: dict[str, Provider]) -> list[ModelRef]:
    """The rungs that a message is held for, or a debt repaid by."""
    models = [ref for ref in _available(refs, providers) if ref.provider != "mock"]
    if not models:
        raise ConfigurationError(
            "Answers of the mock will not do here, but a ladder has no model besides it.",
            fix="Set GOOGLE_CLOUD_PROJECT and name a model first in WORKER_MODELS; for `run`, WORKER_ON_OUTAGE=degrade "
            "is content with the mock.",
        )
    return models


def _say_offline(settings: Settings) -> None:
    if any("vertex" in text for _, text in settings.ladders().values()):
        log.warning(
            "model.offline",
            cause="GOOGLE_CLOUD_PROJECT is not set, so no model can be asked: the offline mock answers.",
            fix="Set GOOGLE_CLOUD_PROJECT to ask Gemini on Vertex AI, or WORKER_MODELS=mock to be content with this.",
        )


def providers_of(settings: Settings, stack: AsyncExitStack) -> dict[str, Provider]:
    """The providers that have what they need, by name; the stack closes their connections."""
    mock = MockProvider()
    if not (settings.google_cloud_project or settings.vertex_emulator_host):
        _say_offline(settings)
        return {"mock": mock}

    from services.generation.providers.vertex import VertexProvider

    vertex = VertexProvider(
        project=settings.google_cloud_project or EMULATED_PROJECT,
        emulator_host=settings.vertex_emulator_host,
        # Of one message two stages run side by side.
        calls_at_once=2 * settings.worker_concurrency,
    )
    stack.push_async_callback(vertex.close)
    return {"mock": mock, "vertex": vertex}
