"""What becomes of odd answers on the whole way: emulated Vertex AI, its provider, the ladder and the three stages."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.pipeline import Content, ContentPipeline
from services.generation.allowance import Allowance
from services.generation.ladder import Ladder
from services.generation.port import ModelRef
from services.generation.providers.vertex import VertexProvider
from services.generation.refusals import Refusals
from services.generation.rung import Rung
from tests.builders import content_request
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_script import write_script
from tests.emulators.vertex_server import VertexEmulator
from tests.unit.generation.doubles import MemoryAnswers

CATALOG = load_catalog()
MODELS = (
    ModelRef(provider="vertex", model="gemini-3.8-flash"),
    ModelRef(provider="vertex", model="gemini-3.5-flash-lite"),
)
STAGES = ("nlu", "interest", "script")

_HINDI = "प्रकाश संश्लेषण वह प्रक्रिया है जिसमें पौधे सूर्य की रोशनी से अपना भोजन बनाते हैं और हमें हवा देते"
HINDI = _HINDI.split()


def words_of(vocabulary: Sequence[str], count: int, start: int) -> str:
    chosen = [vocabulary[(start + 5 * at) % len(vocabulary)] for at in range(count)]
    return " ".join(word + ("।" if at % 11 == 10 else "") for at, word in enumerate(chosen))


def hindi_script(words: int = 450) -> str:
    contents = [words_of(HINDI, (words - 50) // 4, 3 * part) for part in range(4)]
    return json.dumps(
        {
            "title": words_of(HINDI, 3, 0),
            "hook": words_of(HINDI, 50, 1),
            "sections": [{"title": "१", "content": content, "visuals": []} for content in contents],
            "key_takeaways": [words_of(HINDI, 6, 4), words_of(HINDI, 6, 5)],
        },
        ensure_ascii=False,
    )


def script(words: int = 450) -> dict[str, Any]:
    return write_script(topic="entanglement", interest="soccer", words=words)


UNDERSTANDING = {
    "kind": "learning",
    "topic_id": "physics.a_topic_of_my_own",
    "topic_name": "Entangled particles",
    "subject": "physics",
    "asks_about": "topic",
    "focus": "What entanglement is.",
    "confidence": "95%",
    "clarifying_questions": None,
    "reasoning": "It says so.",
}


def produce(*rules: Rule, **request: Any) -> tuple[Content, Counter[tuple[str, str]]]:
    """The content, and how often each model was asked at each stage."""

    async def scenario() -> tuple[Content, Counter[tuple[str, str]]]:
        async with VertexEmulator(faults=Faults(rules=list(rules))) as emulator:
            provider = VertexProvider("school", emulator_host=emulator.host)
            rungs = [Rung(provider, ref, refusals=Refusals(ref)) for ref in MODELS]
            ladder = Ladder(
                dict.fromkeys(STAGES, rungs), paid=MemoryAnswers(), answer_lifetime=timedelta(days=1)
            )
            pipeline = ContentPipeline(model=ladder, catalog=CATALOG, search=TopicSearch(CATALOG))
            content = await pipeline.produce(content_request(**request), resumes=False, allowance=Allowance())
            await provider.close()
            titles = {"Understanding": "nlu", "InterestMatch": "interest", "ScriptDraft": "script"}
            return content, Counter((titles.get(r.stage, r.stage), r.model) for r in emulator.requests)

    return asyncio.run(scenario())


def modes(content: Content) -> set[str]:
    return {provenance.mode for provenance in content.provenance.values()}


def test_a_model_that_always_writes_a_third_too_long_is_used_after_two_calls() -> None:
    # Given a model that writes every script a third too long
    always = Rule(stage="script", text=json.dumps(script(600)))
    # When a question is answered
    content, calls = produce(always)
    # Then its script is used, no other model was asked, and the result says what is wrong with it
    assert modes(content) == {"live"}
    assert calls == {(stage, MODELS[0].model): 2 if stage == "script" else 1 for stage in STAGES}
    assert content.quality is not None
    assert not content.quality.checks["length"].passed
    assert content.quality.length_ratio == pytest.approx(1.333)
    assert [rule for rule, check in content.quality.checks.items() if not check.passed] == ["length"]


def test_a_hindi_script_of_the_right_length_takes_one_call() -> None:
    # Given a model that writes as many words as were asked for, in Hindi
    always = Rule(stage="script", text=hindi_script())
    # When a lesson in Hindi is asked for
    content, calls = produce(always, language="hi")
    # Then it is used as it is
    assert modes(content) == {"live"}
    assert set(calls.values()) == {1}
    assert content.script is not None
    assert content.script.language == "hi"
    assert content.quality is not None
    assert content.quality.spoken_words == 450
    assert content.quality.reading_grade is None
    assert content.quality.notes == []


def test_a_model_that_always_writes_hindi_is_used_for_english_with_a_note() -> None:
    # Given the same model, and a lesson in English
    content, calls = produce(Rule(stage="script", text=hindi_script()))
    # Then it is asked once more and used, and the result says in which language it is
    assert modes(content) == {"live"}
    assert calls[("script", MODELS[0].model)] == 2
    assert content.script is not None
    assert content.script.language == "hi"
    assert content.quality is not None
    assert any("(hi)" in note for note in content.quality.notes)


def test_a_topic_id_of_the_models_own_is_none_and_takes_one_call() -> None:
    # Given a model that makes up topic ids
    content, calls = produce(Rule(stage="nlu", text=json.dumps(UNDERSTANDING)))
    # Then its answer is used without it, at once
    assert modes(content) == {"live"}
    assert set(calls.values()) == {1}
    assert content.nlu is not None
    assert (content.nlu.topic_id, content.nlu.topic_name) == (None, "Entangled particles")
    assert content.nlu.confidence == 0.95
    assert content.quality is not None
    assert any("topic_id" in note for note in content.quality.notes)


def test_a_question_back_that_is_missing_does_not_cost_the_answer() -> None:
    # Given a model that calls a question unclear and asks nothing back
    unclear = {**UNDERSTANDING, "kind": "unclear", "topic_id": None}
    content, calls = produce(Rule(stage="nlu", text=json.dumps(unclear)))
    # Then it is asked once more, and its answer is used
    assert (content.status, modes(content)) == ("needs_clarification", {"live"})
    assert calls == {("nlu", MODELS[0].model): 2, ("interest", MODELS[0].model): 1}
    assert content.quality is not None
    assert not content.quality.checks["clarifying_questions"].passed


MARKED = {
    **script(),
    "title": "**Entanglement** with `soccer`",
    "hook": "# Look!\n" + script()["hook"].replace("soccer", "*soccer*"),
    "key_takeaways": ["$E = mc^2$ holds.", "<b>Two</b> halves &amp; one whole."],
}
TWICE_ESCAPED = json.dumps(script(), ensure_ascii=True).replace("Imagine that", "Imag\\\\u00edne that")
WHOLE = json.dumps(script())


@pytest.mark.parametrize(
    "rule",
    [
        Rule(stage="script", text=json.dumps(MARKED)),
        Rule(stage="script", text=TWICE_ESCAPED),
        Rule(stage="script", text=WHOLE + WHOLE),
        Rule(stage="script", text=f"The set {{1, 2}}: {WHOLE} :-}}"),
        Rule(stage="script", text=WHOLE, finish_reason=0),
        Rule(stage="script", text=WHOLE, finish_reason="OTHER"),
        Rule(stage="script", text=WHOLE, finish_reason="MAX_TOKENS"),
        Rule(stage="script", text=WHOLE.replace("]}", "],}")),
        Rule(stage="script", text=WHOLE.replace(". ", ".\n")),
        Rule(stage="script", text=str(script())),
        Rule(stage="script", answer="fenced"),
    ],
    ids=[
        "marks", "escapes", "twice", "braces around", "no finish reason", "another finish reason", "cut off behind it",
        "trailing comma", "line breaks", "single quotes", "fences",
    ],
)  # fmt: skip
def test_a_whole_script_takes_one_call_whatever_its_form(rule: Rule) -> None:
    # Given a model with a form of its own
    # When a question is answered
    content, calls = produce(rule)
    # Then the script is used as it came, and nothing but words is in it
    assert set(calls.values()) == {1}
    assert modes(content) == {"live"}
    assert content.script is not None
    spoken = json.dumps(content.script.model_dump(), ensure_ascii=False)
    assert not [mark for mark in ("**", "`", "$", "<b>", "&amp;", "# ", "\\\\u") if mark in spoken]
    assert content.quality is not None
    assert all(check.passed for check in content.quality.checks.values())


def test_a_loop_that_ends_in_time_is_asked_for_again() -> None:
    # Given a model that says one sentence over and over, once
    looped = {
        **script(),
        "sections": [
            {"title": "Part", "content": " ".join([f"Plants number {part} make food."] * 20), "visuals": []}
            for part in range(4)
        ],
    }
    content, calls = produce(Rule(stage="script", text=json.dumps(looped), times=1))
    # Then it is not used
    assert calls[("script", MODELS[0].model)] == 2
    assert content.script is not None
    assert "Plants number" not in content.script.sections[0].content
