"""Whatever installs a lock file takes it as it is: nothing is resolved, and every file is checked by its hash."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSTALLING = ("Dockerfile", "scripts/setup")


def commands_without_a_lock_s_rules(text: str) -> list[str]:
    """The commands that install from a requirements file and may resolve it, or take a file that is not locked."""
    commands = re.findall(r"\binstall\b[^\n&;]*-r requirements/\S+", text.replace("\\\n", " "))
    assert commands
    return [
        command for command in commands if "--no-deps" not in command or "--require-hashes" not in command
    ]


@pytest.mark.parametrize("name", INSTALLING)
def test_a_lock_is_installed_without_resolving_and_by_hash(name: str) -> None:
    # Given a file that installs dependencies
    text = (ROOT / name).read_text(encoding="utf-8")
    # Then each of its commands takes the lock as it is
    assert commands_without_a_lock_s_rules(text) == []


@pytest.mark.parametrize("option", ["--no-deps", "--require-hashes"])
@pytest.mark.parametrize("name", INSTALLING)
def test_leaving_out_an_option_is_seen(name: str, option: str) -> None:
    # Given the same file without the option
    text = (ROOT / name).read_text(encoding="utf-8").replace(f"{option} ", "")
    # Then it is found
    assert commands_without_a_lock_s_rules(text)


@pytest.mark.parametrize("name", INSTALLING)
def test_an_incomplete_lock_is_noticed(name: str) -> None:
    # Given a file that installs without resolving
    text = (ROOT / name).read_text(encoding="utf-8")
    # Then it has the installer check what is missing
    assert re.search(r"pip.* check\b", text)
