"""A lesson about a topic of the catalogue: everything that can be said, in parts, with what is wanted first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.content.catalog import Answer, Catalog, Topic
from services.content.offline.checks import check_questions
from services.content.offline.further import further
from services.content.offline.interest import general_scenes
from services.content.offline.lenses import idea_of_lens
from services.content.offline.pieces import Part, Piece
from services.content.offline.wording import as_question, capitalised, choose, spoken_title

YOUNG = 4
"""Up to this grade the narrator says "let's" and keeps the joins short."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A moment of the student's interest, and in general words what it shows."""

    scene: str
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What a script is made of. `interest` is said after a preposition, `seed` varies the joins.

    `answer` is the catalogue's to the very question. Without one `misses_question` says that the question is about a
    detail, which a lesson about the topic as a whole may not answer.
    """

    topic: Topic
    interest: str
    moments: Sequence[Moment]
    grade_level: int
    seed: str
    answer: Answer | None = None
    misses_question: bool = False

    @property
    def question(self) -> str:
        """The question that the answer answers."""
        return as_question(self.answer.asked[0]) if self.answer else ""

    @property
    def subject_matter(self) -> str:
        """The topic as one says it inside a sentence."""
        return spoken_title(self.topic.name)

    @property
    def is_young(self) -> bool:
        """Whether to speak as one speaks to small children."""
        return self.grade_level <= YOUNG

    def say(self, place: str, *options: str) -> str:
        """One of several wordings, the same every time for this lesson and place."""
        return choose(options, place, self.seed).format(topic=self.subject_matter, interest=self.interest)


def moments_of(analogies: Sequence[str], interest: str, topic: Topic, catalog: Catalog) -> list[Moment]:
    """The analogies with what each of them shows: the catalogue's words where the scene is its own."""
    links = {scene.scene: scene.link for entry in catalog.interests.values() for scene in entry.scenes}
    links |= {scene: idea_of_lens()[lens] for lens, scene in general_scenes(interest).items()}
    others = iter([idea_of_lens()[lens] for lens in topic.lenses])
    return [
        Moment(scene=analogy, link=links[analogy] if analogy in links else next(others, ""))
        for analogy in dict.fromkeys(analogies)
    ]


def hook(lesson: Lesson) -> str:
    """The first words: the answer, where there is one, else a moment of the interest that leads to the topic."""
    if lesson.answer:
        return f"{lesson.question} {lesson.answer.answer}"
    return f"{caveat(lesson)}{opening_of(lesson)} {lesson.moments[0].scene} {_bridge(lesson)}"


def caveat(lesson: Lesson) -> str:
    """What has to be said first when the lesson may not answer the question."""
    if not lesson.misses_question:
        return ""
    return f"Your question itself waits for a better answer; this lesson is about {lesson.subject_matter} as a whole. "


def _bridge(lesson: Lesson) -> str:
    if lesson.is_young:
        return lesson.say("bridge", "Let's find out about {topic}!", "Now let's look at {topic}.")
    return lesson.say(
        "bridge",
        "Keep that moment in mind, because it is a good way into {topic}.",
        "What does that have to do with {topic}? More than it seems.",
        "Hold on to that picture: it will help with {topic}.",
    )


def opening_of(lesson: Lesson) -> str:
    """The words before the first scene; "Picture this" would be one invitation too many before another one."""
    invites = lesson.moments[0].scene.startswith(("Picture", "Imagine", "Think", "Remember", "Suppose"))
    options = () if invites else ("Picture this.", "Imagine this moment.")
    return lesson.say("opening", "Let's start with {interest}.", *options)


def parts(lesson: Lesson, catalog: Catalog) -> list[Part]:
    """All that the lesson can say, at most eight sections."""
    near, far = further(lesson.topic, catalog)
    return [
        _start(lesson),
        _idea(lesson),
        _facts(lesson),
        _example(lesson),
        _interest_again(lesson),
        Part(
            title="Where this leads",
            pieces=near,
            visuals=[f"A map with {lesson.subject_matter} in the middle"],
        ),
        Part(title="One step further", pieces=far, visuals=["The map grows by the next topics"]),
        _your_turn(lesson),
    ]


def farewell(lesson: Lesson) -> str:
    """The last sentence."""
    return lesson.say(
        "farewell",
        "The next time you think of {interest}, look for {topic} in it.",
        "Tell somebody about it today; explaining is the best test.",
        "Look around today: you will meet {topic} sooner than you think.",
    )


def _start(lesson: Lesson) -> Part:
    first = lesson.moments[0]
    # After an answer the moment has not been told yet.
    told = f"{opening_of(lesson)} {first.scene} " if lesson.answer else ""
    bridge = lesson.say(
        "start",
        "You will meet the same idea in {topic}.",
        "That is worth remembering for {topic}.",
        "With that in mind, {topic} will look less strange.",
    )
    title = lesson.say("start title", "Start with {interest}", "What {interest} can show")
    return Part(
        title=capitalised(title),
        pieces=[Piece(text=f"{told}{first.link} {bridge}", rank=4)],
        visuals=[f"A moment of {lesson.interest}"],
    )


def _idea(lesson: Lesson) -> Part:
    topic = lesson.topic
    lead = lesson.say("idea", "So what is it about?", "Here is the idea.", "Now to the idea itself.")
    return Part(
        title=capitalised(lesson.subject_matter),
        pieces=[Piece(text=f"{lead} {topic.summary}", rank=0)],
        visuals=[f"Title: {topic.name}", f"Key words: {', '.join(topic.keywords[:3])}"],
    )


def _facts(lesson: Lesson) -> Part:
    leads = lesson.say(
        "facts",
        "Remember this.|Here is something else.|And one thing more.",
        "One thing first.|Then there is this.|And finally this.",
        "Start with this.|Add this to it.|And keep this in mind.",
    ).split("|")
    pieces = [
        Piece(text=f"{lead} {fact}", rank=rank)
        for lead, fact, rank in zip(leads, lesson.topic.key_facts, (1, 3, 6), strict=False)
    ]
    return Part(title="What to remember", pieces=pieces, visuals=["The facts appear one by one"])


def _example(lesson: Lesson) -> Part:
    topic = lesson.topic
    lead = lesson.say("example", "Take an example.", "Let's look at an example.", "Here is how that looks.")
    trap = lesson.say("trap", "Now be careful.", "There is one trap.", "Watch out for one thing.")
    shown = (
        "The numbers of the example, step by step"
        if re.search(r"\d", topic.example)
        else "A drawing of the example"
    )
    return Part(
        title="An example, and a trap",
        pieces=[
            Piece(text=f"{lead} {topic.example}", rank=5),
            Piece(text=f"{trap} {topic.misconception}", rank=7),
        ],
        visuals=[shown, "Two columns: what many think, and what is right"],
    )


def _interest_again(lesson: Lesson) -> Part:
    leads = ("Back to {interest} for a moment.", "And one last look at {interest}.", "Once more {interest}.")
    pieces = [
        Piece(text=f"{lead.format(interest=lesson.interest)} {moment.scene} {moment.link}".strip(), rank=rank)
        for lead, moment, rank in zip(leads, lesson.moments[1:], (8, 11, 12), strict=False)
    ]
    return Part(
        title=f"Back to {lesson.interest}", pieces=pieces, visuals=[f"Two more moments: {lesson.interest}"]
    )


def _your_turn(lesson: Lesson) -> Part:
    lead = lesson.say("try", "Now it is your turn.", "Try it yourself.", "Here is something to do.")
    questions = list(check_questions(lesson.topic, lesson.seed))
    pieces = [Piece(text=f"{lead} {lesson.topic.try_it}", rank=9)]
    ranks = (2, 10, 14, 13, 15)
    pieces += [Piece(text=text, rank=rank) for text, rank in zip(questions, ranks, strict=False)]
    pieces.append(Piece(text=farewell(lesson), rank=16))
    return Part(
        title="Your turn",
        pieces=pieces,
        visuals=["The questions, each with five seconds to think"],
    )
