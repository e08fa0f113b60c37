"""All families of inputs, each with what is known about how it must end."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.conformance.inputs import broken, sizes
from tests.conformance.inputs.fields import bad_fields, good_fields
from tests.conformance.inputs.sample import MARKER, Expectation, Input
from tests.conformance.inputs.sizes import LONGEST_KEY_BYTES, LONGEST_VALUE_BYTES, MOST_ATTRIBUTES
from tests.conformance.inputs.texts import hostile_texts
from tests.conformance.inputs.writing import BOM, written, written_pairs

Known = tuple[bytes, Expectation, str]

OWN_NAMES = (
    "error_kind",
    "error_message",
    "fingerprint",
    "request_id",
    "attempts",
    "source_message_id",
    "redrives",
)
"""Attributes that the worker itself writes on dead letters, or reads from them."""


@st.composite
def _hostile(draw: st.DrawFn) -> Known:
    return draw(written(draw(good_fields()))), "accepted", ""


@st.composite
def _with_unknown_fields(draw: st.DrawFn) -> Known:
    known = draw(good_fields())
    unknown = {name: value for name, value in draw(broken.objects).items() if name not in NAMES}
    return draw(written({**unknown, **known})), "accepted", ""


@st.composite
def _wrong(draw: st.DrawFn) -> Known:
    fields, name = draw(bad_fields())
    return draw(written(fields)), "refused", name


@st.composite
def _named_twice(draw: st.DrawFn) -> Known:
    good, (bad, name) = draw(good_fields()), draw(bad_fields())
    wrong = (name, bad.get(name))
    right = (name, good.get(name, [] if name == "interests" else None))
    others = [pair for pair in good.items() if pair[0] != name]
    if draw(st.booleans()) or right[1] is None:
        return draw(written_pairs([*others, right, wrong])), "refused", name
    return draw(written_pairs([wrong, *others, right])), "accepted", ""


@st.composite
def _nested(draw: st.DrawFn) -> Known:
    depth = draw(st.sampled_from((10, 150, 250, 1000, 20_000)))
    opening, closing = draw(st.sampled_from((("[", "]"), ('{"a":', "}"))))
    head = json.dumps(draw(good_fields()))[:-1]
    data = f'{head}, "deep": {opening * depth}"{MARKER}"{closing * depth}}}'.encode()
    return (data, "accepted", "") if depth <= 150 else (data, "refused", "not_json")


@st.composite
def _any_object(draw: st.DrawFn) -> Known:
    return json.dumps(draw(broken.objects), ensure_ascii=draw(st.booleans())).encode(), "either", ""


def _known(
    strategy: st.SearchStrategy[bytes], expects: Expectation, rule: str = ""
) -> st.SearchStrategy[Known]:
    return strategy.map(lambda data: (data, expects, rule))


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


NAMES = frozenset(
    (
        *("request_id", "student_id", "student_query", "grade_level", "interest"),
        *("interests", "duration_seconds", "language", "correlation_id"),
    )
)

FAMILIES: dict[str, st.SearchStrategy[Known]] = {
    "hostile text": _hostile(),
    "unknown fields": _with_unknown_fields(),
    "wrong fields": _wrong(),
    "a field twice": _named_twice(),
    "deep nesting": _nested(),
    "any object": _any_object(),
    "no object": _known(broken.not_objects.map(_as_json), "refused", "not_an_object"),
    "broken JSON": _known(broken.not_json, "refused", "not_json"),
    "broken encoding": _known(broken.not_utf8, "refused", "not_utf8"),
    "raw bytes": _known(broken.raw, "either"),
    "damaged": _known(broken.damaged(), "either"),
    "large": _known(sizes.fitting, "accepted"),
    "too large": _known(sizes.too_large, "refused", "too_large"),
    "nothing": _known(sizes.empty, "refused", "empty"),
    "only a mark": _known(st.just(BOM), "refused"),
}

_SHARES = {
    "hostile text": 8,
    "unknown fields": 2,
    "wrong fields": 4,
    "broken JSON": 2,
    "any object": 2,
    "damaged": 2,
}
_dealt = st.sampled_from([name for name in FAMILIES for _ in range(_SHARES.get(name, 1))])


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, str]:
    """What publishers hang on messages: mostly nothing, sometimes as much as the queue carries."""
    match draw(st.integers(0, 9)):
        case 0:
            return dict.fromkeys(draw(st.lists(st.sampled_from(OWN_NAMES))), MARKER)
        case 1:
            value = _cut(draw(hostile_texts(longest=LONGEST_VALUE_BYTES, exactly=True)), LONGEST_VALUE_BYTES)
            names = (_cut(f"{number}-{value}", LONGEST_KEY_BYTES) for number in range(MOST_ATTRIBUTES))
            return dict.fromkeys(names, value)
        case 2 | 3:
            texts = hostile_texts(longest=60)
            return draw(
                st.dictionaries(texts.map(lambda text: _cut(text, LONGEST_KEY_BYTES)), texts, max_size=3)
            )
        case _:
            return {}


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """One input of any family."""
    family = draw(_dealt)
    data, expects, rule = draw(FAMILIES[family])
    return Input(family=family, data=data, expects=expects, rule=rule, attributes=draw(attributes()))
