"""Understanding a question without a model: what retrieval found, and a few signs in the wording."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

from services.content.catalog import Topic, load_catalog
from services.content.catalog.search import Candidate
from services.content.models import Understanding
from services.content.offline import cues
from services.content.offline.wording import as_question, choose, in_sentence, listed

LEARNING_FROM = 0.2
"""Below this confidence the student is asked back instead of being taught the wrong thing."""

LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.35, 0.95
"""For a best candidate that is no better than the second, and for one that is `CLEAR_MARGIN` times as good."""

CLEAR_MARGIN = 2.0

FULL_SHARE = {4: 0.6, 8: 0.45, 14: 0.35}
"""By the most telling words: a candidate with this share of the content covers it, the rest is circumstance."""

FULL_SHARE_OF_STORY = 0.25
"""The same for messages with more words than that."""

SINGLE_WORD_FACTOR = 0.6
"""A candidate found by one word of several may be there by accident."""

MOST_BY_CIRCUMSTANCE = 0.55
"""For a candidate of which the message has no term, only things and situations around it."""

TOPIC_BEATS_CHAT = {0: (0.0, 0), 1: (0.4, 2), 2: (0.8, 4)}
"""By the signs of chat: the confidence and the matching words that still make it a question about the topic."""

NAMED_BEATS_CHAT = 0.3
"""Where the signs are weak, this confidence is enough for a candidate of which the message has a term."""

OTHER_SUBJECT_BELOW = 0.6
"""Signs of a subject outside the catalogue decide when the best topic is less sure than this."""

SIMILAR_QUESTION = 60
"""From this similarity (0 to 100) on a question of the catalogue may stand for the student's."""

_ASKS_FOR_LESSON = re.compile(
    r"(?:(?:please|pls|can|could|you|i|need|want|hi|hello)\W+)*"
    r"(?:(?:explain|teach me|tell me about|(?:some )?help(?: me)? (?:with|understand))\b"
    r"|what(?:['’]?s| is| are) (?!the\b)(?:an? )?\w+(?: \w+)?\W*$)",
    re.IGNORECASE,
)
_DETAIL = re.compile(r"\d|\b(?:why|when|which|how (?:many|much)|differen\w+|compare)\b", re.IGNORECASE)


def understand_offline(question: str, *, grade_level: int, candidates: Sequence[Candidate]) -> Understanding:
    """What the question is about. `candidates` are the search's for the same question and grade, best first.

    The answer never repeats the student's own words: they may hold names, addresses or numbers.
    """
    confidence = topic_confidence(candidates, asked_words=len(set(cues.telling_words(question))))
    signs_of_chat = cues.chat_signs(question)
    is_vague = _is_vague(question)
    if _is_small_talk(signs_of_chat, candidates, confidence) and not (signs_of_chat == 1 and is_vague):
        return _off_topic()
    if is_vague:
        return _vague(question, grade_level)
    subject, signs = cues.other_subject(question)
    if signs and confidence < min(OTHER_SUBJECT_BELOW, 0.2 + 0.2 * signs):
        return _outside(subject, candidates)
    if confidence < LEARNING_FROM:
        return _uncertain(candidates, confidence)
    return _learning(question, candidates, confidence)


def topic_confidence(candidates: Sequence[Candidate], *, asked_words: int) -> float:
    """How sure it is that the best candidate is meant: by its lead over the second and by what it covers."""
    if not candidates:
        return 0.0
    best = candidates[0]
    margin = (
        best.score / candidates[1].score if len(candidates) > 1 and candidates[1].score > 0 else CLEAR_MARGIN
    )
    lead = min(1.0, (margin - 1) / (CLEAR_MARGIN - 1))
    confidence = LEAST_CONFIDENCE + (MOST_CONFIDENCE - LEAST_CONFIDENCE) * lead
    confidence *= min(1.0, best.share / _full_share(asked_words))
    if best.words == 1 and asked_words > 1:
        confidence *= SINGLE_WORD_FACTOR
    if not best.named:
        confidence = min(confidence, MOST_BY_CIRCUMSTANCE)
    return round(confidence, 2)


def _full_share(asked_words: int) -> float:
    return next((share for most, share in FULL_SHARE.items() if asked_words <= most), FULL_SHARE_OF_STORY)


def _is_small_talk(signs: int, candidates: Sequence[Candidate], confidence: float) -> bool:
    if not signs or not candidates:
        return bool(signs)
    needed_confidence, needed_words = TOPIC_BEATS_CHAT[signs]
    if signs == 1 and candidates[0].named and confidence >= NAMED_BEATS_CHAT:
        return False
    return candidates[0].words < needed_words or confidence < needed_confidence


def _is_vague(question: str) -> bool:
    telling = cues.telling_words(question)
    return not telling or (cues.is_pointing(question) and len(telling) < 2)


def _learning(question: str, candidates: Sequence[Candidate], confidence: float) -> Understanding:
    topic = candidates[0].topic
    near = _similar_question(question, topic)
    return Understanding(
        kind="learning",
        topic_id=topic.id,
        topic_name=topic.name,
        subject=topic.subject_name,
        # Without a similar question nothing is known of a detail that a lesson could answer.
        asks_about="detail" if near and not _asks_for_lesson(question) else "topic",
        focus=_focus(topic, near),
        confidence=confidence,
        reasoning=f"{candidates[0].words} telling words of the question belong to this topic, "
        f"{candidates[0].share:.0%} of its content.",
    )


def _similar_question(question: str, topic: Topic) -> str | None:
    near = process.extractOne(
        question.casefold(), topic.asked_as, scorer=fuzz.token_set_ratio, score_cutoff=SIMILAR_QUESTION
    )
    return near[0] if near else None


def _asks_for_lesson(question: str) -> bool:
    """Whether the topic itself is asked for: "explain tides", "what is a magnet"."""
    return bool(_ASKS_FOR_LESSON.match(question)) and not _DETAIL.search(question)


def _focus(topic: Topic, similar_question: str | None) -> str:
    """One sentence on what the student wants, in the catalogue's words."""
    name = in_sentence(topic.name)
    if similar_question:
        return f"How {name} answers questions such as: {as_question(similar_question)}"
    return f"How {name} explains what the student has noticed or been asked."


def _off_topic() -> Understanding:
    return Understanding(
        kind="off_topic",
        topic_id=None,
        topic_name="Nothing to learn asked for",
        subject="none",
        asks_about="detail",
        focus="The message is small talk, an errand or an opinion, not a wish to learn something.",
        confidence=0.8,
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


def _outside(subject: str, candidates: Sequence[Candidate]) -> Understanding:
    return Understanding(
        kind="unclear",
        topic_id=None,
        topic_name=f"A question of {subject}",
        subject=subject,
        asks_about="detail",
        focus=f"The student asks about {subject}, which is not among the topics that can be taught right now.",
        confidence=0.2,
        clarifying_questions=[
            "Is there a part of it that belongs to mathematics, science or computing?",
            *_name_nearest(candidates),
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
        focus="The student asks something that none of the known topics covers clearly.",
        confidence=confidence,
        clarifying_questions=[
            *_name_nearest(candidates),
            "Which lesson or which moment of the day made you wonder about it?",
        ],
        reasoning="Only a small part of the question fits any topic of the catalogue.",
    )


def _name_nearest(candidates: Sequence[Candidate]) -> list[str]:
    names = [in_sentence(candidate.topic.name) for candidate in candidates[:2]]
    if not names:
        return ["Can you say it again with the most important word of your lesson?"]
    opening = choose(("Is it about", "Do you mean"), *names)
    return [f"{opening} {listed(names, 'or')}?"]
