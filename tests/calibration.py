"""Fits what the mock's understanding weighs by, and writes it beside the code that reads it.

Four steps. What a later one is fitted on did not fit the earlier ones:
1. `offline/sounds.json`: words of chat and of other subjects, from `tests/data/wordings.jsonl` and the catalogue's
   own questions.
2. `catalog/learned.json`: what students' words say about topics, from all phrases and questions of the catalogue.
3. `catalog/ranking.json`: signals of a topic. Two people who did not see each other's wrote the questions of
   `catalog/typed.json`; those of one are looked for in an index, and by words, that know only the other's. The split
   `tune` comes to it.
4. `offline/verdict.json`: probabilities, from other questions of the same two people in the same way, and from the
   messages of the splits that may be looked at.
"""

import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path

from rapidfuzz import fuzz, process

import services.content.catalog
import services.content.offline
from services.content.catalog import Catalog, Topic, load_catalog, ranking
from services.content.catalog.learned import SCALE, Learned, load_learned
from services.content.catalog.ranking import Signals, rank_score, values_of
from services.content.catalog.search import Candidate, TopicSearch
from services.content.catalog.words import content_words
from services.content.offline import sounds
from services.content.offline.sounds import features_of
from services.content.offline.verdict import Signs, signs_of
from tests.labelled import LOOKED_AT, Question, load_questions
from tests.logistic import Choice, Vector, fit_choices, fit_classes, fit_words

CATALOG_FILES = Path(services.content.catalog.__file__).parent
OFFLINE_FILES = Path(services.content.offline.__file__).parent
WORDINGS = Path(__file__).parent / "data" / "wordings.jsonl"

EVERY = 4
"""Of the two people's questions every fourth fits the ranking, and every fourth, another one, the probabilities."""

TYPED_WEIGHT = 0.25
"""What one of their questions counts next to one of somebody who did not have to write about a given topic."""

PENALTY = 0.3
"""The `C` of scikit-learn's LinearSVC."""

PHRASE_TRUST, QUESTION_TRUST = 0.5, 1.5
"""What a phrase of the catalogue and a whole question as typed count when words are learned."""

LEAST_SAYING = 0.05
"""A word that says less than this about a topic is left out of the file."""

RARE_CLASS_WEIGHT = 3.0
"""What a message of chat or of another subject counts next to one of the many others."""

LEAST_WORD_WEIGHT = 0.15
"""Words that say less than this are left out of the file."""

ECHO = 85
"""From this similarity of their telling words (0 to 100) on a phrase of the catalogue says the same as a question."""

FEWEST_TEXTS = 3
"""Words and pairs that fewer texts have say nothing about other texts."""

MESSAGE_WEIGHT = 3
"""What a labelled message counts next to a typed question where probabilities are fitted: it brings its share of chat
and of vague messages along."""

CLASSES = ("right", "off_topic", "unclear")

WISHES = (
    "please explain {} with {}",
    "{} with {}",
    "can you teach me {}, i like {}",
    "i dont understand {}. can you use {} to show me, that is my favourite thing",
    "what is {}? explain it with {}",
)
"""How a lesson is wished for: the topic's first keyword, and an interest."""

NOTHING_LEARNED = Learned(topics=(), biases=(), features={})


def calibrate_sounds() -> None:
    """Step 1."""
    wordings = [json.loads(line) for line in WORDINGS.read_text(encoding="utf-8").splitlines()]
    school = [text for topic in load_catalog().topics.values() for text in own_questions(topic)]
    texts = [*(wording["text"] for wording in wordings), *school]
    kinds = [*(wording["kind"] for wording in wordings), *("school" for _ in school)]
    features = _common([features_of(text) for text in texts])
    weights = {
        name: fit_words(
            features,
            [one == kind for one in kinds],
            weights_of=[RARE_CLASS_WEIGHT if one == kind else 1.0 for one in kinds],
        )
        for name, kind in (("chat", "chat"), ("other_subject", "outside"))
    }
    _write(
        OFFLINE_FILES / "sounds.json",
        {
            name: {word: round(w, 2) for word, w in sorted(of.items()) if abs(w) >= LEAST_WORD_WEIGHT}
            for name, of in weights.items()
        },
    )


def calibrate_learned() -> None:
    """Step 2."""
    path = CATALOG_FILES / "learned.json"
    path.write_text(
        json.dumps(asdict(learn(load_catalog())), indent=0, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def learn(catalog: Catalog) -> Learned:
    """What the words of the catalogue's phrases and typed questions say about its topics."""
    # Not among the developers' tools: large, and needed here alone. scripts/calibrate installs it.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    reader = TopicSearch(catalog, learned=NOTHING_LEARNED)
    texts = [(topic.id, text, PHRASE_TRUST) for topic in catalog.topics.values() for text in _phrases(topic)]
    texts += [(topic.id, text, QUESTION_TRUST) for topic in catalog.topics.values() for text in topic.typed]
    vectors = TfidfVectorizer(analyzer=lambda features: features, min_df=2)
    rows = vectors.fit_transform([reader.features(text) for _, text, _ in texts])
    model = LinearSVC(C=PENALTY, random_state=0)
    model.fit(rows, [topic for topic, _, _ in texts], sample_weight=[trust for _, _, trust in texts])
    features = {
        feature: " ".join([str(round(SCALE * vectors.idf_[place])), *_sayings(model.coef_[:, place])])
        for feature, place in sorted(vectors.vocabulary_.items())
    }
    return Learned(
        topics=model.classes_.tolist(),
        biases=[round(SCALE * bias) for bias in model.intercept_],
        features=features,
    )


def _sayings(weights: Iterable[float]) -> Iterator[str]:
    for topic, weight in enumerate(weights):
        if abs(weight) >= LEAST_SAYING:
            yield f"{topic}:{round(SCALE * weight)}"


def _phrases(topic: Topic) -> Sequence[str]:
    return (topic.name, *topic.keywords, *topic.everyday, *own_questions(topic))


@functools.cache
def typed_by(author: int) -> Mapping[str, Sequence[str]]:
    """The questions of `catalog/typed.json` that one of the two people wrote, by topic."""
    typed = json.loads((CATALOG_FILES / "typed.json").read_text(encoding="utf-8"))
    return {topic: authors[author] for topic, authors in typed.items()}


@functools.cache
def knowing_only(author: int) -> TopicSearch:
    """A search that knows one person's questions, in its index and in what it has learned from."""
    catalog = load_catalog()
    topics = {
        topic.id: dataclasses.replace(topic, typed=tuple(typed_by(author)[topic.id]))
        for topic in catalog.topics.values()
    }
    known = Catalog(topics=topics, interests=catalog.interests)
    return TopicSearch(known, learned=learn(known))


def typed_candidates(place: int) -> Iterator[tuple[str, str, list[Candidate]]]:
    """Every so many-th typed question with its topic, as the search finds it that knows the other person's only."""
    for author in (0, 1):
        search = knowing_only(1 - author)
        asked = [(topic, text) for topic, texts in typed_by(author).items() for text in texts]
        for topic, text in asked[place::EVERY]:
            # The grade that the writer was told would say too much; the middle of its range says nothing.
            found = search.candidates(text, grade_level=6, limit=32)
            yield topic, text, [_without_grade(candidate) for candidate in found]


def _without_grade(candidate: Candidate) -> Candidate:
    return dataclasses.replace(candidate, signals=dataclasses.replace(candidate.signals, grades_away=0))


def calibrate_ranking() -> None:
    """Step 3."""
    choices = [*_typed_choices(), *_labelled_choices()]
    weights = fit_choices([choice for choice in choices if any(choice.right)])
    names = [field.name for field in fields(Signals)]
    _write(CATALOG_FILES / "ranking.json", {n: round(w, 3) for n, w in zip(names, weights, strict=True)})


def calibrate_verdict() -> None:
    """Step 4."""
    rows: list[Vector] = []
    classes: list[int] = []
    for topic, text, found in typed_candidates(1):
        ranked = sorted(
            (dataclasses.replace(c, score=rank_score(c.signals)) for c in found), key=lambda c: -c.score
        )[:8]
        rows.append(astuple(signs_of(text, ranked)))
        classes.append(CLASSES.index("right" if ranked and ranked[0].topic.id == topic else "unclear"))
    search = TopicSearch(load_catalog())
    for wanted, text in _wished_lessons():
        ranked = search.candidates(text, grade_level=wanted.grades[0])
        rows.append(astuple(signs_of(text, ranked)))
        classes.append(CLASSES.index("right" if ranked[0].topic is wanted else "unclear"))
    labelled_rows, labelled_classes = verdict_examples()
    rows += labelled_rows * MESSAGE_WEIGHT
    classes += labelled_classes * MESSAGE_WEIGHT
    names = [field.name for field in fields(Signs)]
    weights = fit_classes(rows, classes, count=len(CLASSES))
    _write(
        OFFLINE_FILES / "verdict.json",
        {
            kind: {name: round(w, 3) for name, w in zip(names, of, strict=True)}
            for kind, of in zip(CLASSES, weights, strict=False)
        },
    )


def verdict_examples() -> tuple[list[Vector], list[int]]:
    """Signs of the messages that may be looked at, and for each the number of its class in `CLASSES`."""
    questions = [question for question in load_questions() if question.split in LOOKED_AT]
    search = TopicSearch(without_echoes(load_catalog(), [question.question for question in questions]))
    rows: list[Vector] = []
    classes = []
    for question in questions:
        found = search.candidates(question.question, grade_level=question.grade_level)
        rows.append(astuple(signs_of(question.question, found)))
        classes.append(CLASSES.index(_class_of(question, found)))
    return rows, classes


def _wished_lessons() -> Iterator[tuple[Topic, str]]:
    """Lessons as they are wished for by those who want them with something they like."""
    catalog = load_catalog()
    interests = list(catalog.interests.values())
    for number, topic in enumerate(catalog.topics.values()):
        wish = WISHES[number % len(WISHES)]
        yield topic, wish.format(topic.keywords[0], interests[number % len(interests)].name)


def _common(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The texts without features that hardly any of them has."""
    counts = Counter(feature for features in texts for feature in features)
    return [[f for f in features if counts[f] >= FEWEST_TEXTS] for features in texts]


def without_echoes(catalog: Catalog, questions: Sequence[str]) -> Catalog:
    """The catalogue without phrases that say the same as one of the questions: others will not be echoed either."""
    asked = [_content(question) for question in questions]
    asked = [content for content in asked if " " in content]

    def kept(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if not _echoes(_content(text), asked))

    topics = {
        topic.id: dataclasses.replace(
            topic,
            asked_as=kept(topic.asked_as),
            everyday=kept(topic.everyday),
            answers=tuple(dataclasses.replace(answer, asked=kept(answer.asked)) for answer in topic.answers),
        )
        for topic in catalog.topics.values()
    }
    return Catalog(topics=topics, interests=catalog.interests)


def _echoes(content: str, asked: Sequence[str]) -> bool:
    near = (
        process.extractOne(content, asked, scorer=fuzz.ratio, score_cutoff=ECHO) if " " in content else None
    )
    return near is not None


def _content(text: str) -> str:
    return " ".join(sorted(set(content_words(text))))


def own_questions(topic: Topic) -> list[str]:
    """The questions that the catalogue itself has about a topic."""
    return [*topic.asked_as, *(asked for answer in topic.answers for asked in answer.asked)]


def _class_of(question: Question, found: Sequence[Candidate]) -> str:
    if question.kind == "off_topic":
        return "off_topic"
    return "right" if found and found[0].topic.id in question.topics else "unclear"


def _typed_choices() -> Iterator[Choice]:
    for topic, _, found in typed_candidates(0):
        yield Choice(
            options=[values_of(candidate.signals) for candidate in found],
            right=[candidate.topic.id == topic for candidate in found],
            weight=TYPED_WEIGHT,
        )


def _labelled_choices() -> Iterator[Choice]:
    search = TopicSearch(load_catalog())
    for question in load_questions():
        if question.split == "tune" and question.topics:
            found = search.candidates(question.question, grade_level=question.grade_level, limit=24)
            yield Choice(
                options=[values_of(candidate.signals) for candidate in found],
                right=[candidate.topic.id in question.topics for candidate in found],
            )


def _write(path: Path, data: Mapping[str, object]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """All four steps; each has to see what those before it have written."""
    calibrate_sounds()
    sounds._weights.cache_clear()
    calibrate_learned()
    load_learned.cache_clear()
    calibrate_ranking()
    ranking._weights.cache_clear()
    calibrate_verdict()


if __name__ == "__main__":
    main()
