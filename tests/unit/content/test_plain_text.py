"""Marks go out of spoken words, and what only looks like a mark stays."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.plain_text import cut, plain


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 = 24 and 2*3*4, too",
        "2 ** 3 ** 2 or x**2 + y**2",
        "a < b and b > c",
        "a<b and b>c",
        "3 < 5 > 2",
        "5 # 3",
        "#1 rule, #hashtag, C# and F#",
        "snake_case and other_name, a_1 and a_2",
        "$5 and $10",
        "from $5 to $10, or US$5/US$6",
        "It costs 5$ or 6$ today",
        "AT&T and R&D",
        "f(x) = |x| and |x| + |y|",
        "[0, 1] and (2, 3), f[i](x)",
        "a - b - c",
        "- 5 degrees",
        "The <p> tag begins a paragraph",
        "List<String> names",
        "5* and 6* hotels",
        'print("a\\nb")',
        "the letters \\n start a new line",
        'In Python "\\u00e9" is a letter',
        "C:\\new folder and C:\\Users\\nina\\alpha",
        "x ~ y ~ z",
        "1. First\n2. Second",
        "Zeile eins.\nZeile zwei.",
        "👩‍👩‍👧 families and ❤️ hearts, 👍🏽",
        "می‌خواهم کتاب بخوانم",
        "क्‍ष और न्‌",
        "ශ්‍රී ලංකාව",
        "ភាសា\u200bខ្មែរ",
        "¿Qué? ¡Sí! « Oui » – “quoted” … 50 %",
        "",
    ],
)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    # Given / When / Then
    assert plain(text) == text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # JSON in JSON
        ("La fotos\\u00edntesis", "La fotosíntesis"),
        ("Hola.\\n\\nAdi\\u00f3s.\\nla casa", "Hola.\n\nAdiós.\nla casa"),
        ("Uno.\\nDos.", "Uno.\nDos."),
        ("\\n\\nStart here.", "Start here."),
        ("\\u0915\\u094d\\u0937 \\u0939\\u0948", "क्ष है"),
        ("\\ud83d\\ude00 sm\\u00eele", "😀 smîle"),
        ('He said \\"yes\\" to it', 'He said "yes" to it'),
        # Markdown
        ("# Step 1\n- Mix **it** and `stir`", "Step 1\nMix it and stir"),
        ("## How it *works*", "How it works"),
        ("__bold__, _slanted_ and ***both***", "bold, slanted and both"),
        ("**Note:** read [this](https://example.org/a_(b)) now", "Note: read this now"),
        ("![A picture](p.png) of it", "A picture of it"),
        ("这是**重点**内容", "这是重点内容"),
        ("> Quoted words", "Quoted words"),
        ("* One\n* Two\n+ Three\n• Four", "One\nTwo\nThree\nFour"),
        ("- [x] Done\n- [ ] Open", "Done\nOpen"),
        ("~~no~~ yes", "no yes"),
        ("---\nText\n***", "Text"),
        ("```python\nx = 2 * 3 * 4\n```\nDone", "x = 2 * 3 * 4\nDone"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b\n\n1, 2"),
        ("A claim.[^1]", "A claim."),
        ("2 \\* 3", "2 * 3"),
        # LaTeX
        ("$CO_2$ and $H_2O$", "CO2 and H2O"),
        ("\\(E = mc^2\\)", "E = mc²"),
        ("\\[\\frac{1}{2} + \\frac{a+b}{3}\\]", "1/2 + (a+b)/3"),
        ("\\frac{1}{2} of it, 2 \\times 3 \\leq 7", "1/2 of it, 2 × 3 ≤ 7"),
        ("$$\\sqrt{16} = 4$$", "√16 = 4"),
        ("an angle of $90^\\circ$, of 45^{\\circ}", "an angle of 90°, of 45°"),
        ("$\\text{speed} = \\frac{\\text{distance}}{\\text{time}}$", "speed = distance/time"),
        ("$x$ is unknown and $\\alpha$ an angle", "x is unknown and α an angle"),
        ("10^{-3} and 2^10", "10⁻³ and 2¹⁰"),
        ("\x0crac{1}{2} and 2 \times 3", "1/2 and 2 × 3"),
        # HTML
        ("H<sub>2</sub>O <b>is</b> wet<br/>Yes", "H2O is wet\nYes"),
        ("<p>Hello</p><p class='x'>World</p>", "Hello\n\nWorld"),
        ("Tom &amp; Jerry &lt; 3 &#39;mice&#39;&nbsp;x", "Tom & Jerry < 3 'mice'\xa0x"),
        ("a<!-- no -->b<script>alert(1)</script>c", "a b c"),
        ('<speak>Wait <break time="1s"/> now</speak>', "Wait now"),
        # what nobody sees
        ("a\u200bb\ufeffc\u202ed\x07e\u2066f\x9bg", "abcdefg"),
        ("foto\u00adsynthese, soft\u200cware\u200d", "fotosynthese, software"),
        ("one\u2028two\r\nthree\x85four", "one\ntwo\nthree\nfour"),
        ("half \ud800 a pair", "half a pair"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_marks_go_and_what_they_hold_stays(written: str, spoken: str) -> None:
    # Given / When / Then
    assert plain(written) == spoken


@given(st.text(alphabet="ab \n*_`#$\\u00e9n{}[]()<>&;|~-\u200d\u0301é", max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    # Given any jumble of marks
    # When it is made plain
    spoken = plain(text)
    # Then it is text in NFC that can be stored
    assert unicodedata.is_normalized("NFC", spoken) or "\\" in text
    spoken.encode()


@pytest.mark.parametrize(
    "unit", ["**a ", "_a ", "`a ", "[a](", "\\frac{", "$a ", "<p ", "<!--", "| - ", "\\u00e", "   ", "\\(a"]
)
def test_marks_that_are_never_closed_take_no_time(unit: str) -> None:
    # Given the longest text that is read, full of marks without their other half
    text = unit * (20_000 // len(unit))
    # When it is made plain, then that takes a moment of the processor
    started = time.process_time()
    plain(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "longest", "kept"),
    [
        ("Short.", 10, "Short."),
        ("Now one whole sentence. Another one.", 30, "Now one whole sentence."),
        ("A first sentence. A second one. And more", 35, "A first sentence. A second one."),
        ("no sentence ends in this text", 20, "no sentence ends…"),
        ("一二三四五。六七八九十", 8, "一二三四五。"),
        ("x" * 50, 10, "x" * 9 + "…"),
    ],
)
def test_what_is_too_long_ends_where_one_can_stop(text: str, longest: int, kept: str) -> None:
    # Given / When
    short = cut(text, longest)
    # Then
    assert len(short) <= longest
    assert short == kept
