"""The instructions of each stage, as text files under one folder a version.

A changed text is a new version: results carry `prompt_version`, so that answers can be compared and repaid by it.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

PROMPT_VERSION = "v1"


@cache
def instructions(stage: str) -> str:
    """The instructions of a stage in the current version."""
    return files(__package__).joinpath(PROMPT_VERSION, f"{stage}.txt").read_text(encoding="utf-8")


def render(inputs: Mapping[str, Any]) -> str:
    """The part of a prompt that differs between requests: data behind a marker, never prose.

    One JSON object keeps what students typed apart from what we say: quotes and newlines in it cannot end the data.
    """
    return "INPUT:\n" + json.dumps(inputs, ensure_ascii=False)
