from collections import Counter

import pytest

from services.content.catalog import Answer, Topic, load_catalog
from services.content.models import ScriptDraft
from services.content.offline.answers import answer_to
from services.content.offline.interest import match_interest_offline
from services.content.offline.script import write_script_offline
from services.content.offline.wording import as_question, sentences
from services.content.quality import target_words
from services.content.rules import problems_of
from services.content.script_rules import Wanted, judge

CATALOG = load_catalog()
ANSWERED = [(topic, answer) for topic in CATALOG.topics.values() for answer in topic.answers]

each_answer = pytest.mark.parametrize(("topic", "answer"), ANSWERED, ids=lambda one: one.id)


def write(topic: Topic, focus: str, seconds: int = 180, asks_about: str = "detail") -> ScriptDraft:
    return write_script_offline(
        topic=topic,
        topic_name=topic.name,
        focus=focus,
        interest=match_interest_offline(["soccer"], question="why?", topic=topic, catalog=CATALOG),
        grade_level=6,
        target_words=target_words(seconds),
        catalog=CATALOG,
        asks_about="topic" if asks_about == "topic" else "detail",
    )


def spoken(draft: ScriptDraft) -> str:
    return " ".join([draft.hook, *(section.content for section in draft.sections)])


def broken_rules(draft: ScriptDraft, seconds: int) -> list[str]:
    # One lesson for all grades, in English: neither is measured here.
    wanted = Wanted(duration_seconds=seconds, grade_level=12, language="en")
    return [problem.sentence for problem in problems_of(judge(draft, wanted).findings)]


def test_there_are_answers_and_none_hides_another_one() -> None:
    # Given / When
    ids = Counter(answer.id for _, answer in ANSWERED)
    asked = Counter(form for _, answer in ANSWERED for form in answer.asked)

    # Then
    assert len(ANSWERED) >= 100
    assert max(ids.values()) == max(asked.values()) == 1


@each_answer
def test_an_answer_is_a_few_plain_sentences(topic: Topic, answer: Answer) -> None:
    # Then
    assert 2 <= len(sentences(answer.answer)) <= 4
    assert 35 <= len(answer.answer.split()) <= 75
    assert all(len(sentence.split()) <= 36 for sentence in sentences(answer.answer))
    assert len(answer.asked) >= 2
    assert all(form == form.lower().strip() and not form.endswith("?") for form in answer.asked)


@each_answer
@pytest.mark.parametrize("seconds", [30, 60, 180, 600])
def test_a_script_answers_the_question_first(topic: Topic, answer: Answer, seconds: int) -> None:
    # Given
    question = as_question(answer.asked[0])

    # When
    draft = write(topic, question, seconds)

    # Then
    assert draft.title == question
    assert answer.answer in spoken(draft)
    assert topic.summary not in spoken(draft).partition(answer.answer)[0]
    assert broken_rules(draft, seconds) == []


@pytest.mark.parametrize("seconds", [30, 60, 180, 600])
def test_without_an_answer_the_script_says_that_the_question_waits(seconds: int) -> None:
    # Given
    topic = CATALOG.topics["biology.ear"]

    # When
    draft = write(topic, "Why do some people hear colours?", seconds)

    # Then
    assert draft.hook.startswith("Your question itself waits for a better answer")
    assert broken_rules(draft, seconds) == []


def test_who_asks_for_the_topic_gets_the_lesson_and_no_excuse() -> None:
    # Given
    topic = CATALOG.topics["biology.ear"]

    # When
    draft = write(topic, "Why do my ears pop on a plane?", asks_about="topic")

    # Then
    assert "better answer" not in spoken(draft)
    assert topic.answers[0].answer not in spoken(draft)


def test_an_answer_is_found_by_what_a_model_has_understood() -> None:
    # Given
    topic = CATALOG.topics["biology.ear"]

    # When
    found = answer_to("Why ears pop on a plane.", topic)

    # Then
    assert found is not None
    assert found.id == "ears_pop"
    assert answer_to("How loud music harms the ears.", topic) is None
    assert answer_to("", topic) is None
