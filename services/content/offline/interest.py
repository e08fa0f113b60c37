"""Choosing the interest that explains a topic best, without a model."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from services.content.catalog import Catalog, InterestEntry, Scene, Topic
from services.content.models import InterestMatch
from services.content.offline.lenses import scenes_of_any_interest
from services.content.offline.speakable import speakable_name
from services.content.offline.wording import capitalised, choose, in_sentence, listed
from services.content.tables import any_of

SAME_NAME = 86
"""From this similarity (0 to 100) on a name is taken for a misspelling of a known one."""

LENS_POINTS = (4, 2, 1)
"""What it is worth that an interest has a scene for the topic's first, second and third lens."""

FEWEST_ANALOGIES, MOST_ANALOGIES = 2, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    """An interest as the student called it, and the catalogue's entry where there is one."""

    name: str
    entry: InterestEntry | None
    points: int


def match_interest_offline(
    interests: Sequence[str], *, question: str, topic: Topic | None, catalog: Catalog
) -> InterestMatch:
    """The best of the student's interests for the topic, with up to three moments of it.

    Where the student named none, one that the question mentions or else a well-matching one of the catalogue.
    """
    lenses = topic.lenses if topic else ()
    named = [_named(name, lenses, catalog) for name in interests if name.strip()]
    if not named:
        return _without_interests(question, topic, catalog)
    best = max(named, key=lambda interest: interest.points)  # the first of equals: the student's own order
    return _unknown(best.name, topic) if best.entry is None else _known(best.entry, topic, given=len(named))


def find_interest(name: str, catalog: Catalog) -> InterestEntry | None:
    """The catalogue's entry for what a student calls an interest, also when misspelled or inside a phrase."""
    names = _names(catalog)
    wanted = _normal(name)
    if wanted in names:
        return names[wanted]
    inside = [known for known in names if len(known) > 2 and f" {known} " in f" {wanted} "]
    if inside:
        return names[max(inside, key=len)]
    near = process.extractOne(wanted, list(names), scorer=fuzz.ratio, score_cutoff=SAME_NAME)
    return names[near[0]] if near else None


def spoken_name(name: str) -> str:
    """A student's own word for an interest, as one says it to the student: "my cat" becomes "your cat"."""
    return re.sub(r"^my\b", "your", in_sentence(name.strip().rstrip(".!?")), flags=re.IGNORECASE)


def scenes_for(entry: InterestEntry, topic: Topic | None) -> list[Scene]:
    """The entry's scenes that show the topic's lenses, in the order of the lenses; others only to make it two."""
    lenses = topic.lenses if topic else ()
    fitting = sorted(
        (s for s in entry.scenes if s.lens in lenses), key=lambda scene: lenses.index(scene.lens)
    )
    others = [scene for scene in entry.scenes if scene.lens not in lenses]
    return [*fitting, *others[: max(0, FEWEST_ANALOGIES - len(fitting))]][:MOST_ANALOGIES]


def general_scenes(name: str) -> dict[str, str]:
    """Moments of an interest that the catalogue does not know, by the lens they show."""
    return {lens: scene.format(name=name) for lens, scene in scenes_of_any_interest().items()}


def _without_interests(question: str, topic: Topic | None, catalog: Catalog) -> InterestMatch:
    mentioned = any_of("services.content.offline", "wording.toml", "compared_with").search(question)
    entry = find_interest(mentioned.group(1), catalog) if mentioned else None
    if entry:
        return _known(entry, topic, given=1)
    lenses = topic.lenses if topic else ()
    entries = list(catalog.interests.values())
    best = max(_points(entry, lenses) for entry in entries)
    chosen = choose([entry for entry in entries if _points(entry, lenses) == best], question)
    return InterestMatch(
        name=chosen.name,
        confidence=0.3,
        reasoning=f"The student named no interest; {chosen.name} was picked because many know it{_because(topic)}.",
        analogies=[scene.scene for scene in scenes_for(chosen, topic)],
    )


def _known(entry: InterestEntry, topic: Topic | None, *, given: int) -> InterestMatch:
    points = _points(entry, topic.lenses if topic else ())
    choice = "fits best of the student's interests" if given > 1 else "is what the student likes"
    return InterestMatch(
        name=entry.name,
        confidence=round(0.5 + 0.45 * points / sum(LENS_POINTS), 2),
        reasoning=f"{capitalised(entry.name)} {choice}{_because(topic)}.",
        analogies=[scene.scene for scene in scenes_for(entry, topic)],
    )


def _unknown(name: str, topic: Topic | None) -> InterestMatch:
    lenses = [lens for lens in (topic.lenses if topic else ()) if lens in scenes_of_any_interest()]
    order = list(dict.fromkeys([*lenses, *scenes_of_any_interest()]))
    scenes = general_scenes(speakable_name(spoken_name(name), otherwise="what you like"))
    return InterestMatch(
        name=name.strip(),
        confidence=0.4,
        reasoning="It is what the student likes; the catalogue has no scenes of it, so the comparisons are general.",
        analogies=[scenes[lens] for lens in order[:MOST_ANALOGIES]],
    )


def _because(topic: Topic | None) -> str:
    if topic is None:
        return ""
    return f" and has moments of the ideas behind the topic ({listed(topic.lenses)})"


def _named(name: str, lenses: Sequence[str], catalog: Catalog) -> _Named:
    entry = find_interest(name, catalog)
    return _Named(name=name, entry=entry, points=_points(entry, lenses) if entry else 0)


def _points(entry: InterestEntry, lenses: Sequence[str]) -> int:
    shown = {scene.lens for scene in entry.scenes}
    return sum(points for lens, points in zip(lenses, LENS_POINTS, strict=False) if lens in shown)


@functools.lru_cache(maxsize=2)
def _names_by_entry(entries: tuple[InterestEntry, ...]) -> dict[str, InterestEntry]:
    names: dict[str, InterestEntry] = {}
    for entry in entries:
        for name in (entry.name, entry.id.replace("_", " "), *entry.aliases):
            names.setdefault(_normal(name), entry)
    return names


def _names(catalog: Catalog) -> dict[str, InterestEntry]:
    return _names_by_entry(tuple(catalog.interests.values()))


def _normal(name: str) -> str:
    return " ".join(re.sub(r"[^\w\s'&+-]", " ", name.casefold()).split())
