"""Where a topic leads: what a long script says about its neighbours."""

import itertools
from collections.abc import Iterator

from services.content.catalog import Catalog, Topic
from services.content.offline.pieces import Piece
from services.content.offline.wording import spoken_title

MOST_FURTHER_TOPICS = 8


def further(topic: Topic, catalog: Catalog) -> tuple[list[Piece], list[Piece]]:
    """What the neighbouring topics can add, in two halves: near topics and those behind them."""
    topics = list(itertools.islice(_neighbours(topic, catalog), MOST_FURTHER_TOPICS))
    pieces = [_about(neighbour, place) for place, neighbour in enumerate(topics)]
    half = max(1, min(2, len(topics) - 1))
    return list(itertools.chain(*pieces[:half])), list(itertools.chain(*pieces[half:]))


def _neighbours(topic: Topic, catalog: Catalog) -> Iterator[Topic]:
    """Topics reached over `related`, near ones first."""
    waiting, seen = [topic], {topic.id}
    while waiting:
        for name in waiting.pop(0).related:
            if name not in seen:
                seen.add(name)
                waiting.append(catalog.topics[name])
                yield catalog.topics[name]


def _about(topic: Topic, place: int) -> Iterator[Piece]:
    """Everything about one further topic. Topics take turns: all summaries come before the first example."""
    leads = (
        "From here it is a short step to {name}.",
        "Close by lies another topic: {name}.",
        "This also helps to understand {name}.",
        "Another neighbour is {name}.",
        "Go on, and you come to {name}.",
        "Then there is the matter of {name}.",
        "A little further away lies {name}.",
        "And last, a look at {name}.",
    )
    lead = leads[place % len(leads)].format(name=spoken_title(topic.name))
    texts = (
        f"{lead} {topic.summary}",
        topic.key_facts[0],
        topic.example,
        topic.key_facts[1],
        topic.misconception,
    )
    # Two topics are finished before the next two begin, so that long scripts stay about few things.
    base = 20 + 20 * (place // 2) + place % 2
    for step, text in enumerate(texts):
        yield Piece(text=text, rank=base + 2 * step)
