"""Settings come from the environment; a bad one is named with its rule."""

import os
from pathlib import Path

import pytest

from services.errors import ConfigurationError
from worker.settings import DEFAULT_LADDER, Settings, load_settings, unknown_variables


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.worker_backend == "embedded"
    assert settings.ladders()["script"] == ("WORKER_MODELS", DEFAULT_LADDER)


def test_a_stage_can_have_its_own_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_MODELS_SCRIPT", "mock")
    ladders = load_settings().ladders()
    assert ladders["script"] == ("WORKER_MODELS_SCRIPT", "mock")
    assert ladders["nlu"] == ("WORKER_MODELS", DEFAULT_LADDER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_BACKEND", "redis"),
        ("WORKER_CONCURRENCY", "many"),
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_TOPIC", "projects/p/topics/t"),
        ("WORKER_MAX_RUNTIME_SECONDS", "-1"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as refused:
        load_settings()
    assert "README" in refused.value.fix


def test_the_google_backend_needs_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_BACKEND", "google")
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
        load_settings()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_CONCURRENCY", "")
    assert load_settings().worker_concurrency == 64


def test_the_student_key_does_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_STUDENT_KEY", "hunter2-hunter2-hunter2")
    assert "hunter2" not in repr(load_settings())


def test_a_misspelled_variable_is_reported_with_the_name_that_was_meant() -> None:
    found = unknown_variables(
        {"WORKER_CONCURENCY": "8", "WORKER_TOPIC": "t", "PATH": "/bin", "WORKER_ZZZ": "1"}
    )
    assert found == {"WORKER_CONCURENCY": "WORKER_CONCURRENCY", "WORKER_ZZZ": None}


def test_the_readme_lists_every_variable() -> None:
    # Given the settings table that people look things up in
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    # Then no variable is missing from it
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in readme] == []


def test_the_newline_that_ends_a_file_is_no_part_of_a_secret() -> None:
    settings = load_settings(
        worker_student_key="a key of 16 chars\n", worker_api_keys=" web:0123456789abcdef\n"
    )
    assert settings.worker_student_key is not None
    assert settings.worker_api_keys is not None
    assert settings.worker_student_key.get_secret_value() == "a key of 16 chars"
    assert settings.worker_api_keys.get_secret_value() == "web:0123456789abcdef"


@pytest.mark.parametrize("key", [" ", "\n", "fifteen letters", "fifteen letters\n"])
def test_a_student_key_that_could_be_guessed_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"WORKER_STUDENT_KEY.*16 characters") as caught:
        load_settings(worker_student_key=key)
    assert "fifteen" not in str(caught.value)


HOSTS = ["PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "VERTEX_EMULATOR_HOST"]


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    "host", ["localhost:8085", "127.0.0.1:1", "[::1]:8085", "pubsub-emulator.test:65535"]
)
def test_the_host_of_an_emulator_is_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setenv(name, host)
    assert getattr(load_settings(), name.lower()) == host


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    "host",
    [
        "http://localhost:8085",
        "HTTPS://localhost:8085/",
        "localhost:8085/",
        "localhost:8085/v1/projects",
        " localhost:8085 ",
        '"localhost:8085"',
        "'http://localhost:8085'",
        "localhost:8085\n",
        "grpc://localhost:8085",
    ],
)
def test_a_host_with_more_around_it_is_refused_with_its_right_spelling(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setenv(name, host)
    with pytest.raises(ConfigurationError, match=f"{name}: it must be host:port.* write localhost:8085"):
        load_settings()


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        ":8085",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "::1:80",
        " ",
        "http://me:secret@host:1",
        "a b:1",
    ],
)
def test_a_host_that_cannot_be_made_out_is_refused_by_an_example(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("VERTEX_EMULATOR_HOST", host)
    with pytest.raises(ConfigurationError, match=r"as in localhost:8085") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_an_empty_host_is_none_for_googles_libraries_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "")
    assert load_settings().firestore_emulator_host is None
    assert "FIRESTORE_EMULATOR_HOST" not in os.environ
