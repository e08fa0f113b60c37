from datetime import date

import pytest

from services.generation.known_models import explain_not_found, known_models

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("model", "location", "cause", "fix"),
    [
        (
            "gemini-2.0-flash",
            "global",
            "retired on 2026-06-01 (table of 2026-11-20)",
            "vertex:gemini-3.8-flash.",
        ),
        ("gemini-1.5-pro-002", "us-central1", "retired on 2025-09-24", "vertex:gemini-4-argon."),
        ("gemini-2.5-flash", "global", "closed since 2026-10-20 for projects", "vertex:gemini-3.8-flash."),
        (
            "gemini-3.8-flash",
            "us-central1",
            "served only at global, us, eu",
            "vertex:gemini-3.8-flash@global",
        ),
        ("gemini-3-flash-preview", "global", "a preview", "vertex:gemini-3.8-flash."),
        ("gemini-9-flash-preview", "global", "previews end without an alias", "vertex:gemini-3.8-flash."),
        ("gemini-flash-latest", "global", "Developer API", "vertex:gemini-3.8-flash."),
        ("gemini-3.8-flsh", "global", "the nearest names are gemini-3.8-flash", "vertex:gemini-3.8-flash."),
        ("llama", "global", "not in the table", "vertex:gemini-3.8-flash."),
        ("gemini-3.8-flash", "eu", "may not be allowed to use it", "constraints/vertexai.allowedModels"),
        ("gemini-3.8-flash", "eu", "may not be allowed to use it", "vertex:gemini-3.5-flash."),
        ("gemini-3.5-flash", "eu", "may not be allowed to use it", "vertex:gemini-3.8-flash."),
    ],
)
def test_a_model_that_was_not_found_is_explained(model: str, location: str, cause: str, fix: str) -> None:
    # Given a 404 for a model at a location
    # When it is explained
    diagnosis = explain_not_found(model, location, today=TODAY)
    # Then the most telling cause and its fix are named, and never that an API is to be enabled
    assert cause in diagnosis.cause
    assert fix in diagnosis.fix
    assert "enable" not in (diagnosis.cause + diagnosis.fix).lower()


def test_a_date_that_has_passed_since_the_table_was_made_counts() -> None:
    # Given a model whose earliest retirement lies behind us
    # When its 404 is explained
    diagnosis = explain_not_found("gemini-3.7-flash", "global", today=date(2027, 2, 1))
    # Then that is the likely cause
    assert "retired on 2027-01-28 or later" in diagnosis.cause
    assert "vertex:gemini-3.8-flash" in diagnosis.fix


def test_every_replacement_in_the_table_can_be_called() -> None:
    # Given the table
    table = known_models()
    # When the replacements are looked up
    replacements = {row.use_instead or table.default_model for row in table.models} | {table.second_model}
    # Then none of them is retired or closing itself
    for name in replacements:
        row = table.find(name)
        assert row is not None, name
        assert row.status == "available", name


def test_no_model_is_listed_twice() -> None:
    # Given the table
    ids = [name for row in known_models().models for name in row.ids]
    # When its ids are counted
    # Then each is there once
    assert len(ids) == len(set(ids))
