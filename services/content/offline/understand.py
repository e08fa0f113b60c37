"""Understanding a question without a model: what retrieval found, and what the wording sounds like."""

from collections.abc import Sequence

from rapidfuzz import fuzz, process

from services.content.catalog import Answer, Topic, load_catalog
from services.content.catalog.search import Candidate
from services.content.catalog.words import content_words
from services.content.models import Understanding
from services.content.offline import cues
from services.content.offline.verdict import Verdict, judge, signs_of
from services.content.offline.wording import as_question, in_sentence, listed, spoken_title

MOSTLY_RIGHT = 0.6
"""From this probability on the best topic is taught; below it the student is asked instead (decision 0018)."""

SURELY_CHAT = 0.95
"""From this probability on a message without a telling word is chat; below it the student may want help."""

MOST_NAMED = 3
"""So many topics are named when the student is asked which one is meant."""

WORTH_NAMING = 2.0
"""A topic this far behind the best (e squared as unlikely) is not named: it would only puzzle."""

LIKELY_ENOUGH_TO_NAME = 0.1
"""Below this probability of the best topic none is named: all of them would puzzle."""

SIMILAR_QUESTION = 80
"""From this similarity of their telling words (0 to 100) on a question of the catalogue may stand for the student's."""


def understand_offline(question: str, *, grade_level: int, candidates: Sequence[Candidate]) -> Understanding:
    """What the question is about. `candidates` are the search's for the same question and grade, best first.

    The confidence is the probability that the topic is the right one (`verdict.py`). The answer never repeats the
    student's own words: they may hold names, addresses or numbers.
    """
    verdict = judge(signs_of(question, candidates))
    if _is_vague(question):
        is_chat = cues.chat_signs(question) > 1 or (
            verdict.off_topic > SURELY_CHAT and not cues.named_subject(question)
        )
        return _off_topic(verdict) if is_chat else _vague(question, grade_level)
    if verdict.right >= MOSTLY_RIGHT:
        return _learning(question, candidates, round(verdict.right, 2))
    if verdict.off_topic > verdict.unclear:
        return _off_topic(verdict)
    subject = cues.other_subject(question)[0]
    confidence = round(verdict.right, 2)
    return _outside(subject, confidence) if subject else _uncertain(candidates, confidence)


def _is_vague(question: str) -> bool:
    telling = cues.telling_words(question)
    return not telling or (cues.is_pointing(question) and len(telling) < 2)


def _learning(question: str, candidates: Sequence[Candidate], confidence: float) -> Understanding:
    best = candidates[0]
    topic = best.topic
    return Understanding(
        kind="learning",
        topic_id=topic.id,
        topic_name=topic.name,
        subject=topic.subject_name,
        asks_about="topic" if _asks_for_lesson(question) else "detail",
        focus=_focus(topic, best.answer, question),
        confidence=confidence,
        reasoning=f"{best.signals.words} telling words of the question belong to this topic, "
        f"{best.signals.share:.0%} of its content.",
    )


def _similar_question(question: str, topic: Topic) -> str | None:
    near = process.extractOne(
        question,
        topic.asked_as,
        scorer=fuzz.token_sort_ratio,
        processor=lambda text: " ".join(content_words(text)),
        score_cutoff=SIMILAR_QUESTION,
    )
    return near[0] if near else None


def _asks_for_lesson(question: str) -> bool:
    """Whether the topic itself is asked for: "explain tides", "what is a magnet"."""
    return cues.sounds_like("lesson", question) and not cues.sounds_like("detail", question)


def _focus(topic: Topic, answer: Answer | None, question: str) -> str:
    """One sentence on what the student wants, in the catalogue's words."""
    if answer:
        return as_question(answer.asked[0])
    name = in_sentence(topic.name)
    similar = _similar_question(question, topic)
    if similar:
        return f"How {name} answers questions such as: {as_question(similar)}"
    return f"How {name} explains what the student has noticed or been asked."


def _off_topic(verdict: Verdict) -> Understanding:
    return Understanding(
        kind="off_topic",
        topic_id=None,
        topic_name="Nothing to learn asked for",
        subject="none",
        asks_about="detail",
        focus="The message is small talk, an errand or an opinion, not a wish to learn something.",
        confidence=round(verdict.off_topic, 2),
        reasoning="The wording is that of chat or of a request, and no school topic fits it.",
    )


def _vague(question: str, grade_level: int) -> Understanding:
    subject = cues.named_subject(question)
    return Understanding(
        kind="unclear",
        topic_id=None,
        topic_name="Not clear yet",
        subject=subject.replace("earth_space", "earth and space science") if subject else "unknown",
        asks_about="detail",
        focus="The student wants help but does not say with what.",
        confidence=0.2,
        clarifying_questions=_questions_back(question, subject, grade_level),
        reasoning="Apart from asking for help the message has no words that name a topic.",
    )


def _questions_back(question: str, subject: str | None, grade_level: int) -> list[str]:
    task = "Can you type the whole task here, word for word?"
    if subject:
        names = _typical_topics(subject, grade_level)
        return [
            f"Is it about {listed(names, 'or')}?",
            "What did your last lesson talk about, in one word or two?",
            task,
        ]
    if cues.is_pointing(question):
        return [task, "Which subject is it for, and what was the lesson about?"]
    return [
        "Which subject is it: mathematics, physics, chemistry, biology, earth and space, or computing?",
        "Which word or picture in your lesson do you want to understand?",
        task,
    ]


def _typical_topics(subject: str, grade_level: int) -> list[str]:
    """Three topics of the subject that are taught around the grade, most typical for it first."""
    topics = [topic for topic in load_catalog().topics.values() if topic.subject == subject]
    topics.sort(key=lambda topic: abs(sum(topic.grades) / 2 - grade_level))
    return [in_sentence(topic.name) for topic in topics[:3]]


def _outside(subject: str, confidence: float) -> Understanding:
    return Understanding(
        kind="unclear",
        topic_id=None,
        topic_name=f"A question of {subject}",
        subject=subject,
        asks_about="detail",
        focus=f"The student asks about {subject}, which is not among the topics that can be taught right now, "
        "so the question waits for a better answer.",
        confidence=confidence,
        clarifying_questions=[
            f"This looks like a question about {subject}. I have no lesson about that, so it waits for a better "
            "answer. Is there a part of it that belongs to mathematics, science or computing?",
        ],
        reasoning=f"The wording is that of {subject}, and no topic of the catalogue covers it.",
    )


def _uncertain(candidates: Sequence[Candidate], confidence: float) -> Understanding:
    return Understanding(
        kind="unclear",
        topic_id=None,
        topic_name="Not clear yet",
        subject=candidates[0].topic.subject_name if candidates else "unknown",
        asks_about="detail",
        focus="The student asks something that none of the known topics covers clearly, so the question waits for a "
        "better answer.",
        confidence=confidence,
        clarifying_questions=[
            *(_did_you_mean(candidates) if confidence >= LIKELY_ENOUGH_TO_NAME else ()),
            "Can you say it again with the most important word of your lesson?",
        ],
        reasoning="Several topics fit a part of the question, and none of them well enough to be sure.",
    )


def _did_you_mean(candidates: Sequence[Candidate]) -> list[str]:
    """A question that names the topics it hesitates between; none when there are none."""
    near = [c for c in candidates[:MOST_NAMED] if c.score > candidates[0].score - WORTH_NAMING]
    if not near:
        return []
    return [f"Did you mean {listed([f'“{spoken_title(c.topic.name)}”' for c in near], 'or')}?"]
