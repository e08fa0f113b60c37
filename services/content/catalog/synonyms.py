"""Words that students use for one another, so that any of them finds the same topics. The groups: `synonyms.txt`."""

import functools
from collections.abc import Mapping
from importlib import resources


@functools.cache
def synonyms() -> Mapping[str, str]:
    """Each word of a group with the word that stands for it."""
    text = resources.files("services.content.catalog").joinpath("synonyms.txt").read_text(encoding="utf-8")
    groups = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {word: group[0] for group in groups for word in group}
