"""What is read of somebody's opinion."""

import json

import pytest

from worker.web.answers import HttpError
from worker.web.opinions import MAX_BYTES, feedback_of

LONGEST = "\N{GRINNING FACE}" * 1000


def body(**fields: object) -> bytes:
    return json.dumps({"request_id": "q-1", "rating": 4, **fields}).encode()


def test_the_longest_comment_fits_however_it_is_written() -> None:
    escaped = body(comment=LONGEST)
    assert b"\\ud83d" in escaped
    assert len(escaped) <= MAX_BYTES
    assert feedback_of(escaped).comment == LONGEST


def test_a_byte_order_mark_is_no_part_of_an_opinion() -> None:
    assert feedback_of(b"\xef\xbb\xbf" + body()).rating == 4


@pytest.mark.parametrize(
    "odd",
    [
        body(comment="secret words" * 100),
        body(rating=6, comment="secret words"),
        body(request_id="secret words"),
        b'{"comment": "secret words',
        b'{"comment": "secret words \\ud800"}',
    ],
)
def test_what_breaks_a_rule_is_never_quoted(odd: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        feedback_of(odd)
    assert (caught.value.status, caught.value.kind) == (400, "invalid_feedback")
    assert "secret words" not in caught.value.message
