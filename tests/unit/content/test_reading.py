"""Answers that do not quite fit are made to fit where nothing has to be guessed."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.content.models import InterestMatch, ScriptDraft, Understanding
from services.content.reading import read_interest, read_script, read_understanding

OFFERED = ("physics.gravity", "biology.cells")


def understanding(**changes: Any) -> Understanding:
    data = {
        "kind": "learning",
        "topic_id": "physics.gravity",
        "topic_name": "Gravity",
        "subject": "physics",
        "asks_about": "topic",
        "focus": "What gravity is.",
        "confidence": 0.9,
        "clarifying_questions": [],
        "reasoning": "It says so.",
        **changes,
    }
    given = {name: value for name, value in data.items() if value is not ...}
    return Understanding.model_validate(read_understanding(given, offered=OFFERED).data)


def interest(**changes: Any) -> InterestMatch:
    data = {"name": "chess", "confidence": 0.9, "reasoning": "It fits.", "analogies": ["A move."], **changes}
    given = {name: value for name, value in data.items() if value is not ...}
    return InterestMatch.model_validate(read_interest(given).data)


def script(**changes: Any) -> ScriptDraft:
    sections = [{"title": f"Part {k}", "content": f"Words of part {k}.", "visuals": []} for k in (1, 2)]
    data = {
        "title": "Tides",
        "hook": "Look!",
        "sections": sections,
        "key_takeaways": ["One.", "Two."],
        **changes,
    }
    given = {name: value for name, value in data.items() if value is not ...}
    return ScriptDraft.model_validate(read_script(given, topic_name="Topic").data)


def section(**changes: Any) -> dict[str, Any]:
    data = {"title": "Part", "content": "Some words.", "visuals": [], **changes}
    return {name: value for name, value in data.items() if value is not ...}


@pytest.mark.parametrize(
    ("written", "read", "is_repair"),
    [
        ("physics.gravity", "physics.gravity", False),
        (" physics.gravity ", "physics.gravity", False),
        (None, None, False),
        ("null", None, False),
        ("", None, False),
        (..., None, False),
        ("physics.made_up", None, True),
        ("Gravity", None, True),
        (7, None, True),
        (["physics.gravity"], None, True),
    ],
)
def test_a_topic_outside_the_candidates_is_none(written: Any, read: str | None, is_repair: bool) -> None:
    # Given / When
    data = {} if written is ... else {"topic_id": written}
    mended = read_understanding(data, offered=OFFERED)
    # Then
    assert understanding(topic_id=written).topic_id == read
    assert ("topic_id" in mended.repairs) == is_repair


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (0.9, 0.9),
        (1, 1.0),
        (0, 0.0),
        (1.0001, 1.0),
        (-0.0001, 0.0),
        ("0.9", 0.9),
        ("0,9", 0.9),
        (95, 0.95),
        ("95%", 0.95),
        ("95 %", 0.95),
        (100, 1.0),
        ("1%", 0.01),
        (..., 0.5),
        (None, 0.5),
        ("high", 0.5),
        (float("nan"), 0.5),
        (float("inf"), 0.5),
        (-3, 0.5),
        (True, 0.5),
    ],
)
def test_a_confidence_is_a_number_from_0_to_1(written: Any, read: float) -> None:
    # Given / When / Then
    assert understanding(confidence=written).confidence == pytest.approx(read)
    assert interest(confidence=written).confidence == pytest.approx(read)


def test_what_is_left_out_or_nothing_is_empty() -> None:
    # Given answers without what one can do without
    for nothing in (..., None):
        # When they are read
        understood = understanding(clarifying_questions=nothing, reasoning=nothing, asks_about=nothing)
        written = script(sections=[section(visuals=nothing), section(title=nothing)], key_takeaways=nothing)
        # Then it is empty, or what is safe
        assert (understood.clarifying_questions, understood.reasoning) == ([], "")
        assert understood.asks_about == "detail"
        assert interest(analogies=nothing, reasoning=nothing).analogies == []
        assert (written.sections[0].visuals, written.key_takeaways) == ([], [])
        assert written.sections[1].title == "2"
        assert script(title=nothing).title == "Topic"


@pytest.mark.parametrize(
    "changes", [{"kind": ...}, {"kind": "maybe"}, {"topic_name": ["Gravity"]}, {"clarifying_questions": 7}]
)
def test_what_would_have_to_be_guessed_is_not_read(changes: dict[str, Any]) -> None:
    # Given an answer without what it is about, or of wrong types, when it is read, then it does not fit
    with pytest.raises(ValueError, match="validation error"):
        understanding(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"sections": ...},
        {"sections": []},
        {"sections": "words"},
        {"sections": [section(content="")]},
        {"sections": [section(content=7), section()]},
        {"hook": ...},
        {"hook": ""},
        {"hook": 7},
    ],
)
def test_a_script_without_words_is_not_read(changes: dict[str, Any]) -> None:
    # Given / When / Then
    with pytest.raises(ValueError, match="validation error"):
        script(**changes)


def test_words_in_another_case_are_the_same_words() -> None:
    # Given / When
    read = understanding(kind=" Off-Topic ", asks_about="TOPIC")
    # Then
    assert (read.kind, read.asks_about) == ("off_topic", "topic")


def test_one_text_is_a_list_of_one_and_texts_may_be_wrapped() -> None:
    # Given / When / Then
    assert understanding(clarifying_questions="Which part?").clarifying_questions == ["Which part?"]
    assert interest(analogies=[{"analogy": "A move."}, "", None]).analogies == ["A move."]
    assert script(key_takeaways=[" One. ", "- Two."]).key_takeaways == ["One.", "Two."]
    assert script(sections=["Some words.", "More words."]).sections[1].content == "More words."


def test_too_many_or_too_long_is_cut_where_one_can_stop() -> None:
    # Given answers with more than a result may hold
    many = [f"Point {number}." for number in range(20)]
    # When they are read
    written = script(
        title="Tides " * 40, key_takeaways=many, sections=[section(visuals=many, title="x" * 300), section()]
    )
    understood = understanding(
        topic_name="Gravity " * 40,
        focus="A sentence. " * 60,
        reasoning="Why. " * 400,
        clarifying_questions=many,
    )
    # Then they fit
    assert written.title.endswith("Tides…")
    assert written.key_takeaways == many[:6]
    assert written.sections[0].visuals == many[:6]
    assert understood.focus.endswith("A sentence.")
    assert understood.clarifying_questions == many[:3]
    assert interest(analogies=many, name="chess " * 30).analogies == many[:4]


def test_words_of_sections_beyond_the_last_are_kept() -> None:
    # Given a script of fifteen sections
    sections = [section(title=f"Part {number}", content=f"Words {number}.") for number in range(15)]
    # When it is read
    read = script(sections=sections)
    # Then it has as many as a result may hold, and no word is lost
    assert len(read.sections) == 12
    assert read.sections[-1].content == "Words 11.\n\nWords 12.\n\nWords 13.\n\nWords 14."


def test_what_is_too_long_for_a_hook_is_spoken_after_it() -> None:
    # Given a hook of two pages
    hook = " ".join(f"This is sentence number {number} of the hook." for number in range(60))
    # When it is read
    read = script(hook=hook)
    # Then no word is lost
    assert f"{read.hook} {read.sections[0].content}" == f"{hook} Words of part 1."


def test_every_text_is_made_plain() -> None:
    # Given texts with marks everywhere
    read = script(
        title="**Tides**",
        hook="# Look\nhere",
        sections=[section(title="`One`", content="$CO_2$ &amp; water\u202e", visuals=["<b>A</b> moon"])],
        key_takeaways=["The *moon* pulls."],
    )
    # When / Then
    assert (read.title, read.hook, read.key_takeaways) == ("Tides", "Look\nhere", ["The moon pulls."])
    [one] = read.sections
    assert (one.title, one.content, one.visuals) == ("One", "CO2 & water", ["A moon"])
    assert understanding(focus="What **gravity** is.").focus == "What gravity is."
    assert interest(analogies=["A `move`."]).analogies == ["A move."]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({*Understanding.model_fields, *InterestMatch.model_fields, *ScriptDraft.model_fields})


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_no_answer_is_too_odd_to_be_read(data: dict[str, Any]) -> None:
    # Given any object, when it is read as any answer, then it fits or it does not, and nothing else happens
    for answer_type, mended in (
        (Understanding, read_understanding(data, offered=OFFERED)),
        (InterestMatch, read_interest(data)),
        (ScriptDraft, read_script(data, topic_name="Topic")),
    ):
        with suppress(ValidationError):
            answer_type.model_validate(mended.data)


def test_what_was_repaired_is_named() -> None:
    # Given an answer that is good, and one that is not quite
    good = {"kind": "learning", "topic_id": None, "topic_name": "Tides", "confidence": 0.5}
    odd = {"kind": "learning", "topic_id": "x", "topic_name": "**Tides**", "confidence": "50%"}
    # When / Then
    assert read_understanding(good, offered=OFFERED).repairs == ()
    assert set(read_understanding(odd, offered=OFFERED).repairs) == {"topic_id", "topic_name", "confidence"}
