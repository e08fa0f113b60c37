"""What can be said of each kind of idea (lens) whatever the topic and the interest are. The texts: `lenses.json`."""

import functools
import json
from collections.abc import Mapping
from importlib import resources


def idea_of_lens() -> Mapping[str, str]:
    """What a scene shows when the catalogue has no `link` for it."""
    return _texts()["idea"]


def scenes_of_any_interest() -> Mapping[str, str]:
    """Moments that are true of any interest; `{name}` stands after a preposition or a verb."""
    return _texts()["any_interest"]


@functools.cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("services.content.offline").joinpath("lenses.json").read_text(encoding="utf-8")
    texts: Mapping[str, Mapping[str, str]] = json.loads(text)
    return texts
