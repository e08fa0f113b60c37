"""What the stages ask for: which students share a paid script, and which get their own."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from services.content.catalog import load_catalog
from services.content.interests import interest_task
from services.content.models import InterestMatch, ScriptDraft, Understanding
from services.content.nlu import nlu_result, understanding_task
from services.content.offline.script import write_script_offline
from services.content.prompts import instructions, tidied
from services.content.quality import target_words
from services.content.scripts import script_task
from services.generation.port import Task
from tests.builders import content_request, topic_search

CATALOG = load_catalog()
TIDES = "earth_space.tides"

WORDINGS = (
    "Explain tides",
    "explain tides please",
    "What are tides?",
    "what r tides",
    "wat is a tide",
    "Tell me about the tides",
    "Can you teach me about tides?",
    "Could you explain to me how tides work",
    "How do tides work?",
    "how does the tide work in general",
    "I need help with tides",
    "help w tides plsss",
    "help me understand tides",
    "tides??",
    "My teacher Ms Okafor talked about tides and I was asleep",
    "I was sick when we did tides, what are they",
    "we have tides in geography and i dont get it at all",
    "Give me an introduction to tides",
    "a short lesson on tides for my little brother Ben",
    "I want to know what tides are all about",
    "Tides using basketball",
    "explain tides with basketball, my coach is Mr Petrov",
    "so my cousin in Lagos asked what tides are and I could not say",
    "what is meant by tides",
    "the topic is tides. explain.",
    "Describe the tides to me like I am from Mars",
    "Hi I am Anna, can u explain tides",
    "tides, from the beginning",
    "Tomorrow is a test on tides!! explain everything",
    "Was sind Gezeiten? in english pls",
)


def understanding(question: str, **changes: Any) -> Understanding:
    """What a model makes of the question: it repeats the wording in every text that it may write freely."""
    topic = CATALOG.topics[TIDES]
    fields = {
        "kind": "learning",
        "topic_id": topic.id,
        "topic_name": topic.name,
        "subject": topic.subject,
        "asks_about": "topic",
        "focus": f"The student asked: {question}",
        "confidence": 0.5 + len(question) / 1000,
        "clarifying_questions": [f"Do you mean: {question}"],
        "reasoning": f"It says: {question}",
    }
    return Understanding.model_validate({**fields, **changes})


def match(
    name: str = "basketball", analogies: Sequence[str] = ("The crowd stands up and sits down.",)
) -> InterestMatch:
    return InterestMatch(name=name, confidence=0.9, reasoning="It fits.", analogies=list(analogies))


def script(
    answer: Understanding | None = None, *, interest: InterestMatch | None = None, **request: Any
) -> Task[ScriptDraft]:
    answer = answer or understanding("Explain tides")
    topic = CATALOG.topics.get(answer.topic_id or "")
    return script_task(
        content_request(**request),
        nlu=nlu_result(answer, topic),
        topic=topic,
        interest=interest or match(),
        catalog=CATALOG,
        asks_about=answer.asks_about,
    )


def inputs_of(task: Task[Any]) -> dict[str, Any]:
    parsed = json.loads(task.prompt.removeprefix("INPUT:\n"))
    assert isinstance(parsed, dict)
    return parsed


def test_thirty_wordings_of_one_wish_share_one_script() -> None:
    # Given thirty students who ask about the same topic, each in other words
    assert len(set(WORDINGS)) == 30
    # When their scripts are asked for
    tasks = [script(understanding(question), student_query=question) for question in WORDINGS]
    # Then one paid answer serves them all, and they are the same lesson
    assert len({task.identity for task in tasks}) == 1
    assert tasks[0].identity is not None
    assert len({inputs_of(task)["focus"] for task in tasks}) == 1
    assert len({task.prompt for task in tasks}) == 1


def test_nothing_of_the_wording_is_in_a_shared_script() -> None:
    # Given a question about the topic with people, places and odd words in it
    question = "xylo Okafor from Timbuktu wants tides explained to zebedee"
    # When its script is asked for
    task = script(understanding(question), student_query=question)
    # Then neither the prompt nor the identity has any of them, whatever nlu repeated
    for text in (task.prompt, task.identity or ""):
        for word in ("xylo", "okafor", "timbuktu", "zebedee", "the student asked", "it says"):
            assert word not in text.casefold()


def test_the_first_students_analogies_help_but_do_not_divide() -> None:
    # Given two students for whom other moments of the same interest were found
    first = script(interest=match(analogies=["The bench empties when the whistle blows."]))
    second = script(interest=match(analogies=["The ball always comes back to the same hands."]))
    # When / Then the writer sees them, and the script is shared all the same
    assert "whistle" in first.prompt
    assert first.prompt != second.prompt
    assert first.identity == second.identity


@pytest.mark.parametrize(
    "change",
    [
        {"grade_level": 4},
        {"language": "de"},
        {"duration_seconds": 60},
        {"interest": match("chess")},
        {"answer": understanding("Explain gravity", topic_id="physics.gravity")},
    ],
    ids=["grade", "language", "duration", "interest", "topic"],
)
def test_whoever_needs_another_lesson_does_not_share(change: dict[str, Any]) -> None:
    # Given / When / Then
    assert script(**change).identity != script().identity


@pytest.mark.parametrize(
    "change",
    [
        {"interest": match(" BasketBall ")},
        {"language": "EN"},
        {"student_id": "student_002", "request_id": "r-2", "correlation_id": "c-2"},
    ],
    ids=["writing of the interest", "case of the language", "another student"],
)
def test_what_does_not_change_the_lesson_does_not_divide(change: dict[str, Any]) -> None:
    # Given / When / Then
    assert script(**change).identity == script().identity


def test_a_topic_outside_the_catalogue_is_shared_by_name_and_subject() -> None:
    # Given three students whose topic has no entry; the third one's only has the same name
    def outside(name: str, subject: str) -> str | None:
        return script(understanding("x", topic_id=None, topic_name=name, subject=subject)).identity

    # When
    revolution = outside("The French Revolution", "history")
    # Then
    assert outside("the french  revolution", "History") == revolution
    assert outside("The French Revolution", "literature") != revolution
    assert revolution != script().identity


def test_a_detail_gets_a_script_of_its_own() -> None:
    # Given a question that a general lesson would not answer
    question = "Why are there two high tides a day and not one?"
    # When
    task = script(understanding(question, asks_about="detail"))
    # Then the whole prompt counts, and the focus is the student's
    assert task.identity is None
    assert question in inputs_of(task)["focus"]


@pytest.mark.parametrize("asks_about", ["topic", "detail"])
def test_the_offline_script_has_the_focus_of_the_prompt(asks_about: Literal["topic", "detail"]) -> None:
    # Given
    answer = understanding("Why twice a day?", asks_about=asks_about)
    # When
    task = script(answer)
    # Then
    request = content_request()
    assert task.offline() == write_script_offline(
        topic=CATALOG.topics[TIDES],
        topic_name=answer.topic_name,
        focus=inputs_of(task)["focus"],
        interest=match(),
        grade_level=request.grade_level,
        target_words=target_words(request.duration_seconds),
        catalog=CATALOG,
        asks_about=asks_about,
    )


def test_an_identity_is_written_in_one_way_only() -> None:
    # Given / When
    identity = script().identity
    # Then it is JSON with sorted keys, of what the lesson depends on and nothing else
    assert identity is not None
    facts = json.loads(identity)
    assert identity == json.dumps(facts, ensure_ascii=False, sort_keys=True)
    assert facts.pop("topic")["summary"] == CATALOG.topics[TIDES].summary
    assert facts == {
        "grade_level": 11,
        "language": "en",
        "duration_seconds": 180,
        "interest": "basketball",
    }


def first_tasks(question: str) -> tuple[Task[Understanding], Task[InterestMatch]]:
    request = content_request(student_query=question)
    candidates = topic_search().candidates(question, grade_level=request.grade_level)
    return (
        understanding_task(request, question=question, candidates=candidates),
        interest_task(request, question=question, likely_topic=candidates[0].topic, catalog=CATALOG),
    )


def test_copies_of_a_question_make_equal_prompts() -> None:
    # Given one homework question, and a copy of it with other blanks
    original = first_tasks("Explain tides.\nThen draw them.")
    copied = first_tasks("  Explain\u00a0 tides. \r\n\r\nThen \t draw  them.\n\n")
    # When / Then both stages ask the same, and the whole prompt counts
    assert [task.prompt for task in copied] == [task.prompt for task in original]
    assert [task.identity for task in copied] == [None, None]


def test_words_and_case_of_a_question_stay() -> None:
    # Given / When
    nlu, interest = first_tasks("Is PE the same as pe, in tides?")
    # Then
    assert inputs_of(nlu)["question"] == inputs_of(interest)["question"] == "Is PE the same as pe, in tides?"


def test_the_indentation_of_a_program_stays() -> None:
    # Given
    program = "why does it print once:\nfor i in range(3):\n    x = i\nprint(x)"
    # When / Then
    assert tidied(program) == program


def test_a_topic_without_a_name_is_sent_back() -> None:
    # Given answers outside the catalogue that could share a script with any other of their kind
    nlu, _ = first_tasks("Explain tides")
    # When / Then
    for name in ("", "Unknown"):
        assert nlu.check(understanding("x", topic_id=None, topic_name=name)) != []
    assert nlu.check(understanding("x", topic_id=None, topic_name="Tides of Mars")) == []
    assert nlu.check(understanding("x", topic_name="")) == []


@pytest.mark.parametrize(
    ("stage", "answer_type"), [("nlu", Understanding), ("interest", InterestMatch), ("script", ScriptDraft)]
)
def test_instructions_explain_every_field_in_the_order_it_is_written(
    stage: str, answer_type: type[BaseModel]
) -> None:
    # Given
    headings = re.findall(r"^\d\. ([\w ]+)", instructions(stage), re.MULTILINE)
    # When
    explained = [name for heading in headings for name in heading.split(" and ")]
    # Then
    assert explained == list(answer_type.model_fields)
