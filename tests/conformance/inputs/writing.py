"""The same fields, written as JSON in all the ways that JSON allows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

BOM = b"\xef\xbb\xbf"

_SEPARATORS = ((",", ":"), (", ", ": "), (" ,\t", "\n:\r\n"))


@st.composite
def written(draw: st.DrawFn, fields: Mapping[str, Any]) -> bytes:
    """An object with these fields in any order, in UTF-8 with or without escapes, blanks and a byte order mark."""
    return draw(written_pairs(list(draw(st.permutations(list(fields.items()))))))


@st.composite
def written_pairs(draw: st.DrawFn, pairs: Sequence[tuple[str, Any]]) -> bytes:
    """The same for fields in this order, of which some may have the same name."""
    comma, colon = draw(st.sampled_from(_SEPARATORS))
    escaped = draw(st.booleans())
    body = comma.join(
        f"{json.dumps(name, ensure_ascii=escaped)}{colon}{json.dumps(value, ensure_ascii=escaped)}"
        for name, value in pairs
    )
    before, after = draw(st.sampled_from(("", " ", "\n\t"))), draw(st.sampled_from(("", "\r\n")))
    return draw(st.sampled_from((b"", b"", BOM))) + f"{before}{{{body}}}{after}".encode()
