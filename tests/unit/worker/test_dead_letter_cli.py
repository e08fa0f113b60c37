"""What is typed about dead letters is understood, or refused before anything is touched."""

import pytest
from click.testing import CliRunner

from worker.cli import cli
from worker.dead_letters.redrive_command import changes_from


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["redrive"], "--fingerprint, --id and --all"),
        (["redrive", "--all", "--id", "q-1"], "--fingerprint, --id and --all"),
        (["redrive", "--all", "--set", "grade_level"], "FIELD=VALUE"),
        (["redrive", "--all", "--set", "grade=7"], "Did you mean grade_level?"),
        (["redrive", "--all", "--set", "zzz=7"], "It has request_id, student_id"),
        (["redrive", "--all", "--rate", "0"], "--rate"),
        (["show"], "ID"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str) -> None:
    refused = CliRunner().invoke(cli, ["dead-letters", *arguments])
    assert refused.exit_code == 2
    assert says in refused.stderr


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["redrive"], ["export"]])
def test_every_command_explains_itself_with_examples(command: list[str]) -> None:
    helped = CliRunner().invoke(cli, ["dead-letters", *command, "--help"])
    assert helped.exit_code == 0
    assert f"content-worker {' '.join(['dead-letters', *command])}" in helped.stdout
    assert "Examples" in helped.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("grade_level=7", 7),
        ("interest=soccer", "soccer"),
        ("interest=null", None),
        ('interests=["chess"]', ["chess"]),
        ("student_query=1 + 1 = 2, why?", "1 + 1 = 2, why?"),
        ('student_query="1984"', "1984"),
        ("interest=NaN", "NaN"),
        ("interest=", ""),
    ],
)
def test_a_value_that_is_json_is_taken_as_such_and_any_other_as_text(text: str, value: object) -> None:
    assert changes_from([text]) == {text.partition("=")[0]: value}
