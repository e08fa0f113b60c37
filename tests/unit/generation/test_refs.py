import pytest

from services.errors import ConfigurationError
from services.generation.port import ModelRef
from services.generation.refs import EXAMPLE, parse_ladder


def vertex(model: str, location: str = "global") -> ModelRef:
    return ModelRef(provider="vertex", model=model, location=location)


MOCK = ModelRef(provider="mock", model="")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mock", [MOCK]),
        ("vertex:gemini-3.8-flash", [vertex("gemini-3.8-flash")]),
        (EXAMPLE, [vertex("gemini-3.8-flash"), vertex("gemini-3.5-flash-lite", "eu"), MOCK]),
        (
            " vertex:gemini-3.5-flash ,vertex:gemini-3.5-flash@eu,\nmock,",
            [vertex("gemini-3.5-flash"), vertex("gemini-3.5-flash", "eu"), MOCK],
        ),
    ],
)
def test_a_ladder_is_read_best_first(text: str, expected: list[ModelRef]) -> None:
    # Given the text of a setting
    # When it is read
    refs = parse_ladder(text)
    # Then every rung knows its provider, model and location
    assert refs == expected


def test_rungs_without_a_location_get_the_default_one() -> None:
    # Given a worker in a jurisdiction
    # When its ladder is read
    refs = parse_ladder("vertex:gemini-4-argon, vertex:gemini-3.8-flash@us, mock", default_location="eu")
    # Then the default fills the gap and nothing else
    assert [ref.location for ref in refs] == ["eu", "us", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("vertx:gemini-3.8-flash", "Did you mean vertex?"),
        ("Vertex:gemini-3.8-flash", "Did you mean vertex?"),
        ("gemini-3.8-flash", "is not of the form"),
        ("bedrock:claude", "Providers are vertex, mock"),
        ("vertex", "names no model"),
        ("vertex@eu", "names no model"),
        ("vertex:", "is not of the form"),
        ("vertex:a@", "is not of the form"),
        ("vertex:a@EU", "is not of the form"),
        ("vertex:a@evil.example/", "is not of the form"),
        ("vertex:a b", "is not of the form"),
        ("mock:fast", "gives the mock a model"),
        ("mock@eu", "gives the mock a model"),
        ("vertex:gemini-4-argon, vertex:gemini-4-argon", "names a model twice"),
        ("mock, vertex:gemini-4-argon", "after the mock"),
    ],
)
def test_a_ladder_that_cannot_be_read_says_what_to_write(text: str, said: str) -> None:
    # Given a setting with a mistake
    # When it is read
    with pytest.raises(ConfigurationError) as caught:
        parse_ladder(text, setting="WORKER_MODELS_NLU")
    # Then the message names the setting and the mistake, and there is a fix
    assert str(caught.value).startswith("WORKER_MODELS_NLU")
    assert said in str(caught.value)
    assert caught.value.fix


def test_a_location_that_cannot_be_part_of_a_host_name_is_refused() -> None:
    # Given an environment with a strange location
    # When the ladder is read
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_LOCATION") as caught:
        parse_ladder("mock", default_location="evil.example/x")
    # Then the fix names good ones
    assert "global" in caught.value.fix


@pytest.mark.parametrize(
    "name", ["gemini-3.8-flash", "gemini-5-flash", "gemini-4.5-flash-lite", "gemini-2.0-flash-001"]
)
def test_a_known_model_and_a_newer_one_of_its_kind_are_taken(name: str) -> None:
    assert parse_ladder(f"vertex:{name}")[0].model == name


@pytest.mark.parametrize("name", ["gemni-3.8-flash", "gemini-3.8-flsh", "gpt-6-luna", "gemini"])
def test_a_model_that_resembles_none_is_refused_with_the_nearest_name_and_a_way_to_insist(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as refused:
        parse_ladder(f"vertex:{name}, mock")
    assert "Did you mean gemini-" in refused.value.fix
    # And the way to insist works
    insisted = f"publishers/google/models/{name}"
    assert parse_ladder(f"vertex:{insisted}")[0].model == insisted
