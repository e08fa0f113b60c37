"""Reads what the tests need out of the text of infra/, without Terraform."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"

Blocks = dict[tuple[str, str], str]


def source(name: str) -> str:
    """One file of infra/, without its comments."""
    lines = (INFRA / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def all_sources() -> str:
    """All .tf files, without comments."""
    return "\n".join(source(path.name) for path in sorted(INFRA.glob("*.tf")))


def resources(text: str) -> Blocks:
    """The bodies of resource blocks, by type and name; `terraform fmt` puts their closing brace at the line's start."""
    found = re.findall(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', text, flags=re.MULTILINE | re.DOTALL)
    return {(kind, name): body for kind, name, body in found}


def local_list(text: str, name: str) -> list[str]:
    """The strings of a local that is a list of plain strings."""
    found = re.search(rf"^ *{name} *= \[(.*?)\]", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"infra/ has no local list {name}"
    return re.findall(r'"([^"]*)"', found[1])


def local_text(text: str, name: str) -> str:
    """A local that is a plain string."""
    found = re.search(rf'^ *{name} *= "([^"$]*)"$', text, flags=re.MULTILINE)
    assert found, f"infra/ has no local string {name}"
    return found[1]
