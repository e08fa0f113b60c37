"""The fields of a message: values that keep every rule to the letter, and values that break one each."""

from typing import Any

from hypothesis import strategies as st

from tests.conformance.inputs.sample import MARKER, NUMBER, PUPIL, SERIAL
from tests.conformance.inputs.texts import hostile_texts

LEFT_OUT: Any = ...

REQUIRED = ("request_id", "student_id", "student_query", "grade_level")
TEXTS = {"student_id": 128, "student_query": 2000, "interest": 100, "correlation_id": 128}
"""The longest text that each of these fields may have."""

_ODD_IDS = (
    f"{SERIAL}",
    f"a.b:c_d-{SERIAL}",
    f"..{SERIAL}",
    f"__{SERIAL}",
    f"{SERIAL}__",
    f"-{SERIAL}",
    f"{SERIAL}:",
)
request_ids = st.one_of(
    st.sampled_from(_ODD_IDS),
    st.sampled_from((".", "_", "-", ":", "A", "9")).map(lambda letter: letter * 122 + SERIAL),
    st.from_regex(rf"[A-Za-z0-9_.:-]{{0,30}}{SERIAL}[A-Za-z0-9.:-]", fullmatch=True),
)
languages = st.sampled_from(("en", "de-CH-1996", "zh-Hant-TW", "x" * 8 + "-12345678" * 3, "tlh", "EN-us"))


def _any_length(longest: int, *, marker: str = MARKER) -> st.SearchStrategy[str]:
    return st.one_of(
        hostile_texts(longest=longest, marker=marker),
        hostile_texts(longest=longest, marker=marker, exactly=True),
    )


_GOOD: dict[str, st.SearchStrategy[Any]] = {
    "request_id": request_ids,
    "student_id": _any_length(TEXTS["student_id"], marker=PUPIL),
    "student_query": _any_length(TEXTS["student_query"]),
    "grade_level": st.integers(1, 12),
    "interest": st.none() | _any_length(TEXTS["interest"]),
    "interests": st.lists(_any_length(TEXTS["interest"]), max_size=3)
    | _any_length(TEXTS["interest"]).map(lambda interest: [interest] * 20),
    "duration_seconds": st.integers(30, 600) | st.sampled_from((30, 600)),
    "language": languages,
    "correlation_id": st.none() | _any_length(TEXTS["correlation_id"]),
}

_not_texts: st.SearchStrategy[Any] = st.sampled_from(
    (NUMBER, 1.5, True, [MARKER], {MARKER: MARKER}, [[[NUMBER]]], {"$gt": ""})
)
_not_numbers: st.SearchStrategy[Any] = st.sampled_from(
    (MARKER, str(NUMBER), "11", 11.5, True, False, None, [11], {MARKER: 11}, NUMBER, -NUMBER, 10**400, -1, 0)
)
_bad_ids = st.one_of(
    st.sampled_from(
        ("", ".", "..", "__", "____", f"__{MARKER}__", f"{MARKER}" * 20, f"{MARKER}\n", f"{MARKER}\0")
    ),
    st.sampled_from((" ", "/", "é", "\u202e", "\uff11", "\ufeff", "%2e", "\\", '"', "\ud7ff")).map(
        lambda odd: f"{MARKER}{odd}{MARKER}"
    ),
    hostile_texts(longest=128).map(lambda text: f"{text} "),
)
_bad_languages = st.sampled_from(
    (
        "",
        "e",
        "en_US",
        "en-",
        "-en",
        f"{MARKER}!",
        f"en-{MARKER}",
        "en\n",
        "é" * 5,
        "ab-" + "1234567-" * 4 + "12",
    )
)
_bad_lists: st.SearchStrategy[Any] = st.sampled_from(
    (
        MARKER,
        {MARKER: MARKER},
        [MARKER] * 21,
        [None],
        [""],
        [NUMBER],
        [[MARKER]],
        ["x" * 91 + MARKER + "x"],
        [" "],
    )
)


def _too_long(name: str) -> st.SearchStrategy[Any]:
    return hostile_texts(longest=TEXTS[name] + 1, exactly=True)


_BAD: dict[str, st.SearchStrategy[Any]] = {
    "request_id": st.just(None) | _not_texts | _bad_ids,
    "student_id": st.just(None) | _not_texts | st.just("") | _too_long("student_id"),
    "student_query": st.sampled_from((None, "", "ab", "  a  ", "\u3000" * 9, " " * 2001))
    | _not_texts
    | _too_long("student_query"),
    "grade_level": _not_numbers | st.just(13),
    "interest": st.sampled_from(("", " ", "\n")) | _not_texts | _too_long("interest"),
    "interests": _bad_lists,
    "duration_seconds": _not_numbers | st.sampled_from((29, 601)),
    "language": st.just(None) | _not_texts | _bad_languages,
    "correlation_id": _not_texts | _too_long("correlation_id"),
}


@st.composite
def good_fields(draw: st.DrawFn) -> dict[str, Any]:
    """A valid message; what is optional may be missing."""
    optional = [name for name in _GOOD if name not in REQUIRED]
    names = [*REQUIRED, *draw(st.lists(st.sampled_from(optional), unique=True))]
    return {name: draw(_GOOD[name]) for name in names}


@st.composite
def bad_fields(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A message of which up to three fields break a rule, and the name of one of them."""
    fields = draw(good_fields())
    names = draw(st.lists(st.sampled_from(list(_BAD)), min_size=1, max_size=3, unique=True))
    for name in names:
        fields[name] = draw(_BAD[name])
    if names[0] in REQUIRED and draw(st.integers(0, 5)) == 0:
        del fields[names[0]]
    return fields, names[0]
