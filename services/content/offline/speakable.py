"""What a narrator can say of what students and models have typed: names may be anything, also a phone number."""

from collections.abc import Sequence

from services.content.quality import spoken_words
from services.content.safety import contacts_in

LONGEST_NAME, MOST_NAME_WORDS = 60, 8
LONGEST_SCENE, MOST_SCENE_WORDS = 500, 60


def speakable_name(name: str, *, otherwise: str) -> str:
    """The name where it can stand inside a sentence, else the other one."""
    name = " ".join(name.split())
    return name if _fits(name, LONGEST_NAME, MOST_NAME_WORDS) else otherwise


def speakable_scenes(scenes: Sequence[str]) -> list[str]:
    """Those that can be told."""
    return [scene for scene in scenes if _fits(scene, LONGEST_SCENE, MOST_SCENE_WORDS)]


def _fits(text: str, longest: int, most_words: int) -> bool:
    is_short = len(text) <= longest and 0 < spoken_words(text) <= most_words
    return is_short and text.isprintable() and not contacts_in(text)
