"""Limits of answers: wide enough for every honest one, and small enough that one without end costs little."""

import json
from datetime import UTC, datetime
from typing import get_args

import pytest

from services.content.catalog import load_catalog
from services.content.models import InterestMatch, Stage
from services.content.offline.script import write_script_offline
from services.content.quality import target_words
from services.content.tokens import THINKING_TOKENS, most_output_tokens, tokens_per_word, usual_usage
from services.generation.port import ModelRef, Usage
from services.generation.pricing import price
from tests.builders import content_request

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LADDER = [
    ModelRef(provider="vertex", model=model, location="global")
    for model in ("gemini-3.8-flash", "gemini-3.5-flash-lite")
]
BYTES_PER_TOKEN = 3.5
"""English prose and JSON have four and more: so these are more tokens than a model would need."""


def limit(stage: Stage, **changes: object) -> int:
    return most_output_tokens(stage, content_request(**changes))


@pytest.mark.parametrize("seconds", [30, 60, 180, 420, 600])
def test_a_script_half_as_long_again_fits_its_limit_beside_eight_times_the_usual_thinking(
    seconds: int,
) -> None:
    # Given the longest of some whole scripts that are half as long again as asked for
    catalog = load_catalog()
    interest = InterestMatch(
        name="soccer", confidence=0.9, reasoning="r", analogies=["A pass finds the free player."]
    )
    drafts = [
        write_script_offline(
            topic=topic,
            topic_name=topic.name,
            focus=topic.summary,
            interest=interest,
            grade_level=6,
            target_words=round(1.5 * target_words(seconds)),
            catalog=catalog,
        )
        for topic in list(catalog.topics.values())[::25]
    ]
    longest = max(len(draft.model_dump_json(indent=1).encode()) for draft in drafts)
    # Then it fits
    assert longest / BYTES_PER_TOKEN <= limit("script", duration_seconds=seconds) - THINKING_TOKENS
    assert THINKING_TOKENS >= 8 * 300


@pytest.mark.parametrize(
    "language", ["en", "es", "fi", "ru", "ar", "hi", "th", "zh", "ta", "my", "am", "xx", "EN-us"]
)
@pytest.mark.parametrize("seconds", [30, 180, 600])
def test_usual_answers_take_no_more_than_two_thirds_of_their_limits(language: str, seconds: int) -> None:
    request = content_request(language=language, duration_seconds=seconds)
    usual = usual_usage(request)
    assert set(usual) == set(get_args(Stage))
    for stage in get_args(Stage):
        assert usual[stage].output_tokens < 0.67 * most_output_tokens(stage, request)


def test_what_is_usual_is_what_was_measured() -> None:
    # docs/operations.md, "What it costs", with 300 tokens of thinking a call
    usual = usual_usage(content_request(duration_seconds=180))
    assert {stage: (tokens.input_tokens, tokens.output_tokens) for stage, tokens in usual.items()} == {
        "nlu": (1720, 400),
        "interest": (530, 410),
        "script": (1160, 1200),
    }


def test_other_scripts_have_more_room_and_what_nobody_knows_has_the_most() -> None:
    scale = [tokens_per_word(tag) for tag in ("en-GB", "es", "hi-Deva", "TA", "my", "tlh")]
    assert scale == sorted(scale)
    assert tokens_per_word("tlh") == tokens_per_word("my") > 5 * tokens_per_word("en")


@pytest.mark.parametrize("seconds", [30, 180, 600])
def test_a_script_that_runs_to_its_limit_on_both_models_costs_at_most_five_cents_in_all(seconds: int) -> None:
    # Given the usual first two stages, and a script cut off at its limit on either model
    request = content_request(duration_seconds=seconds)
    usual = usual_usage(request)
    cut_off = Usage(
        input_tokens=usual["script"].input_tokens, output_tokens=most_output_tokens("script", request)
    )
    prices = [price(LADDER[0], usual[stage], NOW) for stage in ("nlu", "interest")]
    prices += [price(model, cut_off, NOW) for model in LADDER]
    # Then
    assert sum(cost for cost in prices if cost is not None) <= 0.05
    assert None not in prices


def test_the_tasks_ask_for_their_limits() -> None:
    # Given the stages' own limits, which grow with what is asked for
    short, long = (limit("script", duration_seconds=seconds) for seconds in (30, 600))
    assert limit("nlu") < short < limit("script") < long
    assert json.dumps([limit("nlu"), limit("interest")]) == "[3262, 3289]"
