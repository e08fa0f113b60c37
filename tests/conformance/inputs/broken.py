"""Bytes that are no message: broken encodings, broken JSON, JSON of another shape."""

import gzip
import json

from hypothesis import strategies as st

from tests.conformance.inputs.sample import MARKER, NUMBER, SERIAL

_FIELDS = {
    "request_id": f"q-{SERIAL}",
    "student_id": MARKER,
    "student_query": f"Explain magnets, {MARKER}",
    "grade_level": 7,
}
_OBJECT = json.dumps(_FIELDS)

_NOT_JSON = (
    _OBJECT[:-1],
    f"{_OBJECT}{_OBJECT}",
    f"{_OBJECT}\0",
    f"{_OBJECT[:-1]},}}",
    _OBJECT.replace('"', "'"),
    _OBJECT.replace('"grade_level"', "grade_level"),
    _OBJECT.replace("7", "NaN"),
    _OBJECT.replace("7", "-Infinity"),
    _OBJECT.replace("7", "07"),
    _OBJECT.replace("7", "+7"),
    _OBJECT.replace("7", "7."),
    _OBJECT.replace("7", "0x7"),
    _OBJECT.replace("7", str(NUMBER) * 500),
    _OBJECT.replace("7", "tru"),
    _OBJECT.replace("magnets", "\\ud800"),
    _OBJECT.replace("magnets", "\\ude00\\ud83d"),
    _OBJECT.replace("magnets", "\\x41"),
    _OBJECT.replace("magnets", "\\u00"),
    _OBJECT.replace("magnets", "\n"),
    _OBJECT.replace("magnets", "\x00"),
    _OBJECT.replace("q-", "\\udc00"),
    f"// {MARKER}\n{_OBJECT}",
    f"\u00a0{_OBJECT}",
    f"request_id={MARKER}&student_query={MARKER}",
    f"<request><id>{MARKER}</id></request>",
    f"request_id: {MARKER}\n",
    f"data: {_OBJECT}\n\n",
    MARKER,
    '{"a":' * 40_000 + "1" + "}" * 40_000,
    "[" * 200_000,
    '{"request_id": "' + MARKER * 20_000,
)
not_json = st.sampled_from([text.encode() for text in _NOT_JSON])

_numbers = (
    st.sampled_from((0, -1, 1.5, 1e308, NUMBER, 10**300))
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
_scalars = st.none() | st.booleans() | _numbers | st.text(max_size=20).map(lambda text: text + MARKER)
_names = st.sampled_from((*_FIELDS, "interests", "$time", "__class__", "", MARKER)) | st.text(max_size=8)
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON."""

objects = st.dictionaries(_names, values, max_size=6)

not_objects = st.one_of(_scalars, st.lists(values, max_size=4), st.just([_FIELDS]), st.just(_OBJECT))

_BAD_SEQUENCES = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
    b"\x80",
    b"\xf4\x90\x80\x80",
)

not_utf8 = st.one_of(
    st.sampled_from(_BAD_SEQUENCES).map(lambda bad: _OBJECT.encode().replace(b"magnets", bad)),
    st.sampled_from(("utf-16", "utf-16-le", "utf-32")).map(
        lambda name: _OBJECT.replace("magnets", "größe").encode(name)
    ),
    st.just(_OBJECT.replace("magnets", "größe").encode("latin-1")),
    st.just(gzip.compress(_OBJECT.encode(), mtime=0)),
    st.just(b"\x80\x04\x95" + MARKER.encode()),
)

raw = st.tuples(st.binary(max_size=60), st.binary(max_size=60)).map(lambda ends: MARKER.encode().join(ends))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good message of which something was cut off, changed, doubled or put in between."""
    data = _OBJECT.encode()
    at = draw(st.integers(0, len(data) - 1))
    upto = draw(st.integers(at, min(len(data), at + 12)))
    return (
        data[:at]
        + draw(st.sampled_from((b"", data[at:upto] * 2, b'"', b"\\", b",")) | st.binary(max_size=4))
        + data[upto:]
    )
