"""Texts that run on without end, of many kinds, and texts that are only long."""

import json
import random
import string
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.content.catalog import load_catalog
from services.content.offline.script import write_script_offline
from services.generation.runaway import SHOWN_CHARACTERS, is_runaway, is_worth_more_room, shown_again
from tests.unit.generation.doubles import MARKER

BEGINNING = (
    '{"title": "Photosynthesis", "hook": "Plants make their food of light.", "sections": [{"content": "'
)
SENTENCES = [sentence for topic in load_catalog().topics.values() for sentence in topic.key_facts]
RANDOM = random.Random(7)
PARAGRAPHS = [" ".join(RANDOM.sample(SENTENCES, 4)) for _ in range(2)]
LENGTH = 12_000

OTHER_LANGUAGES = {
    "hi": "पौधे सूर्य के प्रकाश से अपना भोजन स्वयं बनाते हैं। पत्तियों में क्लोरोफिल नाम का हरा पदार्थ होता है।",
    "zh": "植物利用阳光把水和二氧化碳变成糖。叶子里的叶绿素吸收光能，同时放出我们呼吸的氧气。",  # noqa: RUF001  # written as it is
    "th": "พืชใช้แสงแดดเปลี่ยนน้ำและคาร์บอนไดออกไซด์ให้เป็นน้ำตาล ใบไม้มีคลอโรฟิลล์ซึ่งดูดซับแสง",
    "ru": "Растения превращают воду и углекислый газ в сахар с помощью света. Листья содержат хлорофилл.",  # noqa: RUF001  # written as it is
}


def turns(unit: str) -> str:
    return unit * (LENGTH // len(unit) + 1)


def at_random(letters: str) -> str:
    return "".join(RANDOM.choice(letters) for _ in range(LENGTH))


LOOPS = {
    "a letter": turns("a"),
    "a word": turns("light "),
    "a sentence": turns("The leaf takes in the light of the sun. "),
    "two paragraphs in turn": turns("\\n\\n".join(PARAGRAPHS) + "\\n\\n"),
    "a list that counts": "".join(f"{number}. light " for number in range(1, 1200)),
    "sentences that count": "".join(f"Step {number}: the leaf takes in light. " for number in range(1, 300)),
    "sentences with one word changed": "".join(
        f"The {RANDOM.choice(('first', 'second', 'third', 'last'))} leaf takes in the light of the sun, and then "
        for _ in range(200)
    ),
    "an empty object": turns('{"title": "", "content": ""}, '),
    "newlines": turns("\n"),
    "escaped newlines": turns("\\n"),
    "escaped code points": turns("\\u00a0"),
    "blanks of many kinds": at_random(" \t\n\u00a0\u200b\u2009"),
    "zero-width characters": turns("\u200b\u200d"),
    "an endless fraction": "0." + turns("3"),
    "endless digits": "3." + at_random(string.digits),
    "opening brackets": turns("["),
    "brackets of all kinds": at_random("[]{}()"),
    "closing braces": turns("}]}"),
    "dashes": turns("- "),
    "an emoji": turns("🎉"),
    "emoji of all kinds": at_random("🎉🌱☀💧🍃🔬🦋"),
    "a character of Chinese": turns("光"),
    "noise in base64": at_random(string.ascii_letters + string.digits + "+/"),
    "noise in hexadecimal": at_random("0123456789abcdef"),
    **{f"a sentence of {tag}": turns(text) for tag, text in OTHER_LANGUAGES.items()},
}


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("length", [5000, LENGTH])
def test_a_text_that_ends_in_a_loop_in_blanks_or_in_no_words_runs_on(kind: str, length: int) -> None:
    # Given a text that begins well and is then stuck
    text = BEGINNING + LOOPS[kind][:length]
    # Then it is known, is not shown to a model again, and gets no more room
    assert is_runaway(text)
    assert shown_again(text) == ""
    assert not is_worth_more_room(text, limit=100_000)


@pytest.mark.parametrize(
    "text", ["", "{", BEGINNING, BEGINNING + " " * 20, "Sorry, I cannot do that.", MARKER]
)
def test_a_short_text_does_not_run_on(text: str) -> None:
    assert not is_runaway(text)
    assert is_worth_more_room(text, limit=1000)


def script(at: int, words: int) -> str:
    topics = list(load_catalog().topics.values())
    topic = topics[at % len(topics)]
    from services.content.models import InterestMatch

    interest = InterestMatch(
        name="soccer", confidence=0.9, reasoning="r", analogies=["A pass finds the free player."]
    )
    draft = write_script_offline(
        topic=topic,
        topic_name=topic.name,
        focus=topic.summary,
        interest=interest,
        grade_level=6,
        target_words=words,
        catalog=load_catalog(),
    )
    return draft.model_dump_json()


@settings(max_examples=60, deadline=None)
@given(
    at=st.integers(0, 10_000),
    words=st.sampled_from([75, 450, 1500]),
    indent=st.sampled_from([None, 2, 8]),
    share=st.floats(0.05, 1),
)
def test_no_script_runs_on_wherever_it_is_cut_off(
    at: int, words: int, indent: int | None, share: float
) -> None:
    # Given a whole script as JSON, plain or indented, cut off anywhere
    whole = json.dumps(json.loads(script(at, words)), indent=indent, ensure_ascii=False)
    # Then it is only long
    assert not is_runaway(whole[: int(share * len(whole))])


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), sentences=st.integers(1, 1000))
def test_no_prose_runs_on_however_long_it_is(seed: int, sentences: int) -> None:
    chosen = random.Random(seed)
    assert not is_runaway(" ".join(chosen.choices(SENTENCES, k=sentences)))


@pytest.mark.parametrize("tag", OTHER_LANGUAGES)
def test_prose_in_other_languages_does_not_run_on(tag: str) -> None:
    # Given a text of many different words of the language
    words = OTHER_LANGUAGES[tag].split() if " " in OTHER_LANGUAGES[tag] else list(OTHER_LANGUAGES[tag])
    letters = sorted(set(chain.from_iterable(words)))
    text = " ".join("".join(RANDOM.choice(letters) for _ in range(RANDOM.randint(2, 9))) for _ in range(1500))
    # Then it is only long
    assert not is_runaway(text)


def test_a_list_of_numbers_that_a_lesson_may_hold_does_not_run_on() -> None:
    table = " ".join(f"{number} times seven is {7 * number}." for number in range(1, 21))
    primes = "2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97"
    for end in (table, primes):
        assert not is_runaway(f"{BEGINNING}{end}")


def test_a_text_that_took_the_room_itself_gets_no_more_of_it_however_varied_it_is() -> None:
    # Given prose of 20,000 characters, and words at random, which are no loop
    prose = " ".join(RANDOM.choices(SENTENCES, k=400))[:20_000]
    babble = " ".join(RANDOM.choice(("light", "plant", "sun", "leaf", "water")) for _ in range(4000))
    # Then neither is what was cut off for want of 4,423 tokens
    assert not is_worth_more_room(prose, limit=4423)
    assert not is_worth_more_room(babble, limit=4423)


def test_a_model_is_shown_its_answer_whole_or_its_head_and_tail() -> None:
    # Given an answer as long as scripts are, and one that is far too long
    whole = " ".join(RANDOM.choices(SENTENCES, k=1000))
    fitting, long = whole[:SHOWN_CHARACTERS], whole[:60_000]
    # Then
    assert shown_again(fitting) == fitting
    shown = shown_again(long)
    assert len(shown) < SHOWN_CHARACTERS
    assert shown.startswith(long[:5000])
    assert shown.endswith(long[-1500:])


def test_half_a_surrogate_pair_does_no_harm() -> None:
    assert is_runaway("\ud83d" * 5000)
    assert shown_again("light \ud83d") == "light \ud83d"
