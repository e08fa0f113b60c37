"""The instructions of each stage, as text files under one folder a version.

A changed text is a new version: results carry `prompt_version`, so that answers can be compared and repaid by it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

PROMPT_VERSION = "v2"

_BLANKS_INSIDE = re.compile(r"(?<=\S)\s+")


@cache
def instructions(stage: str) -> str:
    """The instructions of a stage in the current version."""
    return files(__package__).joinpath(PROMPT_VERSION, f"{stage}.txt").read_text(encoding="utf-8")


def render(inputs: Mapping[str, Any]) -> str:
    """The part of a prompt that differs between requests: data behind a marker, never prose.

    One JSON object keeps what students typed apart from what we say: quotes and newlines in it cannot end the data.
    """
    return "INPUT:\n" + json.dumps(inputs, ensure_ascii=False)


def tidied(text: str) -> str:
    """The text without surplus blanks and empty lines, so that copies of one question make equal prompts.

    Line breaks and indentation stay: in a question about a program they decide what it means.
    """
    lines = (_BLANKS_INSIDE.sub(" ", line.rstrip()) for line in text.strip().splitlines())
    return "\n".join(line for line in lines if line)
