"""A script about a topic the catalogue does not have: no facts of its own, but a way to find them out."""

import itertools
from collections.abc import Sequence

from services.content.models import ScriptDraft
from services.content.offline.pieces import Part, Piece, fill
from services.content.offline.wording import capitalised, in_sentence, sentences
from services.content.quality import spoken_words

_PARTS: dict[str, tuple[tuple[int, str], ...]] = {
    "What do you want to know?": (
        (
            0,
            "Begin with the question itself. Say in one sentence what you want to know about {topic}, "
            "as you would say it to a friend. If you need three sentences, you probably have three "
            "questions, and that is fine: pick the one that bothers you most.",
        ),
        (
            9,
            "Now look at the words in your question. Underline the one you could not explain to a "
            "younger child. Very often that single word is what stands between you and the answer, so "
            "look it up first.",
        ),
        (
            19,
            "A good question also shows what an answer would look like. Are you after a number, a "
            "cause, a list of steps, or a comparison of two things? Decide now, and you will notice "
            "the answer when you meet it.",
        ),
        (
            29,
            "Questions that start with why are often too big for one sitting. Turn yours into smaller "
            "ones: what happens first, what happens then, and what would have to be different for it "
            "not to happen at all?",
        ),
    ),
    "What you know already": (
        (
            2,
            "Before you read anything, write down three things you believe about {topic}. They may be "
            "wrong; that is the point. You will come back to them at the end and see which ones have "
            "survived.",
        ),
        (
            10,
            "Where did each of the three come from? A lesson, a film, something that somebody said at "
            "home? Put a star beside the ones that you could show to a person who doubts them.",
        ),
        (
            20,
            "Then draw it. A quick sketch with arrows shows at once where your picture of {topic} has "
            "a hole: it is the place where your pencil stops and you do not know what to draw next.",
        ),
        (
            30,
            "Keep that sheet. It is easy to believe afterwards that one knew everything all along, "
            "and the sheet is the only witness to how your thinking has changed.",
        ),
    ),
    "Where to look": (
        (
            1,
            "Your textbook is a good first place, because somebody has checked it: look for {topic} "
            "in the index, not only in the table of contents. Then find a second source, by another "
            "author, and compare the two.",
        ),
        (
            8,
            "Whenever two sources disagree, do not choose the one you like better. Ask what each of "
            "them has seen or measured, when it was written, and whether its author would gain "
            "something from your believing it.",
        ),
        (
            18,
            "People are sources, too. A teacher, a librarian or somebody whose work has to do with "
            "{topic} can tell you in a minute what the usual difficulty is. Prepare one exact "
            "question before you ask.",
        ),
        (
            28,
            "Write down where each piece of information came from, in a word or two. If a fact turns "
            "out to be odd, you will want to go back, and nobody remembers a page number on the next "
            "day.",
        ),
    ),
    "An example you know well: {interest}": (
        (
            3,
            "You can practise all of this on {interest}, where you notice things that others miss. {scene0}",
        ),
        (
            5,
            "Ask of that moment what you want to ask of {topic}: what is going on, what makes it "
            "happen, and how could you show that you are right? If you can do it there, you know how "
            "it is done.",
        ),
        (12, "Here is another moment. {scene1}"),
        (
            13,
            "Notice what you did just now: you took a whole situation apart and looked at one thing "
            "at a time. The same patience works with {topic}, even when the words are strange at "
            "first.",
        ),
        (22, "And a third one. {scene2}"),
        (
            32,
            "A comparison carries only so far. List one thing in which {topic} and {interest} may be "
            "alike, and one in which they surely differ; the second one keeps you from being fooled "
            "by your own example.",
        ),
    ),
    "Test what you found": (
        (
            4,
            "Once you have an answer, try to break it. Think of a case in which it should be false, "
            "and check that case. An answer that survives an honest attack is worth far more than one "
            "that merely sounds right.",
        ),
        (
            11,
            "Put numbers to it wherever you can, even rough ones. Is the thing you are told about "
            "large or small, fast or slow, common or rare? A rough estimate quickly shows when a "
            "claim cannot be true.",
        ),
        (
            21,
            "Change one thing at a time. If you could do an experiment or look at different examples, "
            "what would you keep the same, what would you change, and what would you expect to see?",
        ),
        (
            31,
            "Look for what is missing as well. Good explanations say for which cases they hold. If "
            "yours seems to explain everything, it probably explains nothing in particular yet.",
        ),
    ),
    "Explain it": (
        (
            7,
            "Now explain {topic} aloud in one minute, without looking at your notes, to somebody who "
            "has never heard of it. Wherever you start to say 'and so on', there is something that "
            "you have to read again.",
        ),
        (
            16,
            "Ask your listener to repeat it in other words. If something else comes back than you "
            "meant, do not say it louder; find a better example, or leave out the part that was not "
            "needed.",
        ),
        (
            26,
            "Then write the shortest version that is still true: two sentences, the first for what it "
            "is, the second for how one knows. Those two sentences are what you will still have next "
            "year.",
        ),
        (
            36,
            "If you have time left, make a question of it for a classmate, one that cannot be "
            "answered with a single word. Writing a fair question is harder than answering one, and "
            "it teaches more.",
        ),
    ),
    "Look back, and go on": (
        (
            6,
            "Take out what you wrote at the start. Which of your three beliefs about {topic} are "
            "still standing, and which one has to go? Cross it out neatly and write beside it what "
            "changed your mind.",
        ),
        (
            15,
            "There will be something left that you could not find out. Do not hide it. Put it down as "
            "your next question, because that is how everybody works who studies such things for a "
            "living.",
        ),
        (
            27,
            "Show your teacher the question, your two sources and your two sentences. That takes a "
            "minute to read, and it makes it easy for somebody else to help you exactly where you "
            "are.",
        ),
        (
            35,
            "And plan the next step now, with a day and a time: one page to read, one person to ask, "
            "or one thing to try. A small step with a date beats a big one without.",
        ),
    ),
}
"""What is said, with its rank (0 is wanted first). It holds for any topic: nothing can be wrong about this one."""

SHORT_WORDS = 110
"""Up to this length only the first sentence of each piece of advice is said."""

_MORE = (
    "Here is a way to use a page that you do not understand. Read it once without stopping, and only mark the "
    "sentences that you could repeat. Then read it again from mark to mark: the gaps between them have become smaller.",
    "When a new word comes up, collect three things about it: what it means, an example, and something that looks "
    "like an example but is not one. The third is the one that teaches you where the word ends.",
    "Pictures and diagrams deserve as much time as the text. Cover the caption, say what you see, and only then read "
    "what you should have seen. The difference between the two is your lesson.",
    "Take a break after twenty minutes and do something quite different. Before you open the book again, say from "
    "memory what you had found out; what comes back by itself has been learned.",
)
"""Advice for long scripts, after everything else."""


def write(topic_name: str, *, interest: str, analogies: Sequence[str], wanted_words: int) -> ScriptDraft:
    """A guided inquiry into the topic, with the interest as the example to practise on."""
    topic = in_sentence(topic_name)
    scenes = [scene for scene, _ in zip(itertools.cycle(analogies), range(3), strict=False)]
    words = {
        "topic": topic,
        "interest": interest,
        **{f"scene{number}": scene for number, scene in enumerate(scenes)},
    }
    hook = (
        f"You asked about {topic}. There is no finished lesson for that here, so let's do what researchers do: "
        "find it out, step by step."
    )
    parts = _parts(words, len(set(analogies)), sentences_each=1 if wanted_words <= SHORT_WORDS else None)
    sections = fill(parts, wanted_words=wanted_words - spoken_words(hook))
    return ScriptDraft(
        title=f"Finding out about {topic}",
        hook=hook,
        sections=sections,
        key_takeaways=[
            "A clear question is half of the answer: say what you want to know in one sentence.",
            "Compare two sources, and ask each of them how it knows.",
            "You have understood it when you can explain it to somebody who has never heard of it.",
        ],
    )


def _parts(words: dict[str, str], moments: int, *, sentences_each: int | None) -> list[Part]:
    def piece(text: str, rank: int) -> Piece:
        return Piece(text=" ".join(sentences(text)[:sentences_each]).format(**words), rank=rank)

    parts = [
        Part(
            title=capitalised(title.format(**words)),
            pieces=[piece(text, rank) for rank, text in texts if _has_moment(text, moments)],
            visuals=[f"Heading: {title.format(**words)}", "The questions of this part as a checklist"],
        )
        for title, texts in _PARTS.items()
    ]
    more = [Piece(text=text, rank=40 + place) for place, text in enumerate(_MORE)]
    return [
        *parts[:-1],
        Part(title="When it gets hard", pieces=more, visuals=["A page with marks"]),
        parts[-1],
    ]


def _has_moment(text: str, moments: int) -> bool:
    """Whether the text's moment of the interest exists; each is told only once."""
    return all(f"{{scene{number}}}" not in text for number in range(moments, 3))
