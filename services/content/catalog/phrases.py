"""Which of a topic's phrases a message comes near to: words that stand together say more than the same words apart."""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.content.catalog import Answer, Topic
from services.content.catalog.vocabulary import Vocabulary

ANSWERED_FROM = 0.75
"""From this likeness on to a question that has an answer, it is the answer to the student's, too."""

FOLLOWING = 3
"""So many phrases after the nearest are looked at: one may be near by accident, four hardly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """How near a message comes to a topic's phrases.

    `best` (0 to 1) is the cosine between the message's words and the nearest phrase, each word weighed by how telling
    it is, and `next_best` the mean of those that follow; `together` is the weight of the words that the message and one
    phrase share where they share at least two. `answer` is there when a question that it answers is near enough.
    """

    best: float
    next_best: float
    together: float
    answer: Answer | None


NOTHING_ALIKE = Likeness(best=0.0, next_best=0.0, together=0.0, answer=None)


@dataclass(frozen=True, slots=True)
class TopicPhrases:
    """A topic's phrases as an index: for each stem the phrases that have it, how long (as a vector) each is, and the
    answers of those that have one."""

    having: Mapping[str, Sequence[int]]
    lengths: Sequence[float]
    answers: Mapping[int, Answer]


@dataclass(slots=True)
class PhraseIndex:
    """The phrases of all topics; a topic's are read when it first becomes a candidate."""

    vocabulary: Vocabulary
    _read: dict[str, TopicPhrases] = field(default_factory=dict)

    def likeness(
        self, topic: Topic, words: Sequence[Sequence[tuple[str, float]]], weights: Sequence[float]
    ) -> Likeness:
        """How near a message comes to the topic.

        Each of its distinct words is given by the stems it may stand for, with how likely each is, and by how telling
        it is.
        """
        phrases = self._phrases(topic)
        having = phrases.having
        shared: dict[int, float] = defaultdict(float)
        heaviest: dict[int, float] = defaultdict(float)
        for readings, weight in zip(words, weights, strict=True):
            for number, emphasis in _phrases_with(readings, having):
                amount = emphasis * weight * weight
                shared[number] += amount
                if amount > heaviest[number]:
                    heaviest[number] = amount
        if not shared:
            return NOTHING_ALIKE
        length = math.hypot(*weights)
        lengths = phrases.lengths
        cosines = [amount / lengths[number] / length for number, amount in shared.items()]
        best, *following = heapq.nlargest(1 + FOLLOWING, cosines)
        together = max(
            (amount for number, amount in shared.items() if amount > heaviest[number] * 1.001), default=0.0
        )
        return Likeness(
            best=min(1.0, best),
            next_best=sum(following) / FOLLOWING,
            together=math.sqrt(together),
            answer=_answer(phrases, shared, length),
        )

    def _phrases(self, topic: Topic) -> TopicPhrases:
        if topic.id not in self._read:
            self._read[topic.id] = self._index(topic)
        return self._read[topic.id]

    def _index(self, topic: Topic) -> TopicPhrases:
        having: dict[str, list[int]] = defaultdict(list)
        lengths: list[float] = []
        answers: dict[int, Answer] = {}
        answered = [(asked, answer) for answer in topic.answers for asked in answer.asked]
        others = (topic.name, *topic.keywords, *topic.asked_as, *topic.everyday, *topic.typed)
        for text, answer in [*answered, *((text, None) for text in others)]:
            stems = set(self.vocabulary.content_stems(text))
            if stems:
                if answer:
                    answers[len(lengths)] = answer
                for stem in stems:
                    having[stem].append(len(lengths))
                lengths.append(math.sqrt(sum(self.vocabulary.weight(stem) ** 2 for stem in stems)))
        return TopicPhrases(dict(having), lengths, answers)


def _phrases_with(
    readings: Sequence[tuple[str, float]], having: Mapping[str, Sequence[int]]
) -> Iterable[tuple[int, float]]:
    """The phrases that have one of a word's readings, with how likely the likeliest of them is."""
    if len(readings) == 1:
        stem, emphasis = readings[0]
        return [(number, emphasis) for number in having.get(stem, ())]
    found: dict[int, float] = {}
    for stem, emphasis in readings:
        for number in having.get(stem, ()):
            found[number] = max(found.get(number, 0.0), emphasis)
    return found.items()


def _answer(phrases: TopicPhrases, shared: Mapping[int, float], length: float) -> Answer | None:
    """The answer to the question that the message is nearest to, where it is near enough."""
    near = {
        number: shared[number] / phrases.lengths[number] / length
        for number in phrases.answers.keys() & shared.keys()
    }
    best = max(sorted(near), key=near.__getitem__, default=None)
    return phrases.answers[best] if best is not None and near[best] >= ANSWERED_FROM else None
