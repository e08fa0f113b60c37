"""Writing a whole script without a model."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from services.content.catalog import Catalog, Topic
from services.content.models import DraftSection, InterestMatch, ScriptDraft
from services.content.offline import inquiry, lesson
from services.content.offline.answers import answer_to
from services.content.offline.checks import check_questions
from services.content.offline.interest import MOST_ANALOGIES, find_interest, general_scenes, spoken_name
from services.content.offline.lesson import Lesson
from services.content.offline.pieces import fill
from services.content.offline.speakable import speakable_name, speakable_scenes
from services.content.offline.wording import as_question, capitalised, sentences, spoken_title
from services.content.quality import spoken_words

SHORT_WORDS = 110
"""Up to this length a script has two sections and every sentence is weighed."""

TOLERABLE = 0.1
"""A short script may be off by this share of its length for the sake of what it says."""

TAKEAWAYS = 3

UNSPEAKABLE_INTEREST, UNSPEAKABLE_TOPIC = "what you like", "your question"


def write_script_offline(
    *,
    topic: Topic | None,
    topic_name: str,
    focus: str,
    interest: InterestMatch,
    grade_level: int,
    target_words: int,
    catalog: Catalog,
    asks_about: Literal["topic", "detail"] = "topic",
) -> ScriptDraft:
    """A script of about `target_words` spoken words (75 to 1500), from the catalogue alone.

    Without a `topic` the catalogue knows nothing about `topic_name`: the script then invents no facts but shows how
    to find out, what to ask and how the interest can serve as an example. A question about a detail is answered first
    where the catalogue has its answer; where it has none, the script says that the question waits for a better one.
    """
    entry = find_interest(interest.name, catalog)
    name = entry.name if entry else speakable_name(spoken_name(interest.name), otherwise=UNSPEAKABLE_INTEREST)
    scenes = _scenes(interest.analogies, name)
    if topic is None:
        topic_name = speakable_name(topic_name, otherwise=UNSPEAKABLE_TOPIC)
        return inquiry.write(topic_name, interest=name, analogies=scenes, wanted_words=target_words)
    answer = answer_to(focus, topic) if asks_about == "detail" else None
    plan = Lesson(
        topic=topic,
        interest=name,
        moments=lesson.moments_of(scenes, name, topic, catalog),
        grade_level=grade_level,
        seed=f"{topic.id} {interest.name} {focus}",
        answer=answer,
        misses_question=asks_about == "detail" and answer is None,
    )
    if target_words > SHORT_WORDS:
        sections = _sections(plan, catalog, target_words)
        if len(sections) > 1:
            return _draft(plan, lesson.hook(plan), sections)
    return _short(plan, target_words)


def _scenes(analogies: Sequence[str], name: str) -> list[str]:
    """Those that can be told, and general ones until there are enough."""
    told = dict.fromkeys([*speakable_scenes(analogies), *general_scenes(name).values()])
    return list(told)[: max(MOST_ANALOGIES, len(set(analogies)))]


def _sections(plan: Lesson, catalog: Catalog, target_words: int) -> list[DraftSection]:
    return fill(lesson.parts(plan, catalog), wanted_words=target_words - spoken_words(lesson.hook(plan)))


def _short(plan: Lesson, target_words: int) -> ScriptDraft:
    """Two sections, chosen among all combinations of a hook, part of the summary and a last point."""
    versions = _short_answers(plan) if plan.answer else _short_versions(plan)
    best = min(versions, key=lambda version: version.cost(target_words))
    sections = [
        DraftSection(
            title="The answer" if plan.answer else capitalised(plan.subject_matter),
            content=best.idea,
            visuals=[f"Title: {plan.topic.name}", f"Key words: {', '.join(plan.topic.keywords[:3])}"],
        ),
        DraftSection(title="What to remember", content=best.end, visuals=["The last sentence as a caption"]),
    ]
    return _draft(plan, best.hook, sections)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ShortVersion:
    """One way to say it in half a minute; `loss` is what it lacks against the best one."""

    hook: str
    idea: str
    end: str
    loss: int

    def cost(self, target_words: int) -> float:
        off = abs(spoken_words(f"{self.hook} {self.idea} {self.end}") - target_words) / target_words
        return self.loss + 30 * off + 300 * max(0.0, off - TOLERABLE)


def _short_answers(plan: Lesson) -> Iterator[_ShortVersion]:
    """The question and its answer, and what fits behind them."""
    answer = plan.answer.answer if plan.answer else ""
    scene = plan.moments[0].scene
    ends = [(lesson.farewell(plan), 0), (next(check_questions(plan.topic, plan.seed)), 1)]
    ends += [(fact, 2 + place) for place, fact in enumerate(plan.topic.key_facts)]
    for hook, less in ((plan.question, 0), (f"{scene} {plan.question}", 0)):
        for end, loss in ends:
            yield _ShortVersion(hook=hook, idea=answer, end=end, loss=less + loss)


def _short_versions(plan: Lesson) -> Iterator[_ShortVersion]:
    scene = plan.moments[0].scene
    hooks = (
        (f"{lesson.opening_of(plan)} {scene} Now to {plan.subject_matter}.", 0),
        (f"{scene} Now to {plan.subject_matter}.", 1),
        (f"{lesson.opening_of(plan)} {scene}", 3),
        (scene, 4),
        (f"{as_question(plan.topic.asked_as[0])} {capitalised(plan.interest)} can help to understand it.", 6),
    )
    said = sentences(plan.topic.summary)
    ideas = [(" ".join(said[: len(said) - dropped]), 5 * dropped) for dropped in range(len(said))]
    facts = [(fact, 3 * place) for place, fact in enumerate(plan.topic.key_facts)]
    ends = [*facts, *((f"{fact} {lesson.farewell(plan)}", loss) for fact, loss in facts)]
    ends += [(next(check_questions(plan.topic, plan.seed)), 8), (lesson.farewell(plan), 10)]
    caveat = lesson.caveat(plan)
    for (hook, a), (idea, b), (end, c) in itertools.product(hooks, ideas, ends):
        yield _ShortVersion(hook=caveat + hook, idea=idea, end=end, loss=a + b + c)


def _draft(plan: Lesson, hook: str, sections: list[DraftSection]) -> ScriptDraft:
    name = spoken_title(plan.topic.name)
    return ScriptDraft(
        title=plan.question or f"{capitalised(name)}, with a look at {plan.interest}",
        hook=hook,
        sections=sections,
        key_takeaways=list(plan.topic.key_facts[:TAKEAWAYS]),
    )
