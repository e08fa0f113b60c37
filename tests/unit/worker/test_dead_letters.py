"""A dead letter is the message it was, with the reason beside it."""

from datetime import timedelta

from services.content.failures import failure
from services.messaging.port import Delivery, Message
from tests.builders import NOON, delivery
from worker.dead_letters.letter import dead_letter

LATER = NOON + timedelta(minutes=5)


def letter_of(
    source: Delivery, *, message: str = "no", cost_usd: float | None = 0.0, request_id: str | None = None
) -> Message:
    reason = failure(stage="decode", kind="not_utf8", message=message, now=NOON)
    return dead_letter(source, reason, attempts=3, cost_usd=cost_usd, request_id=request_id, now=LATER)


def test_the_original_bytes_and_attributes_travel_with_the_reason() -> None:
    # Given a message that is no JSON
    source = delivery(b"\x00\xff", attributes={"tenant": "north"}, message_id="m-7")
    # When it is made a dead letter
    letter = letter_of(source, message="The message is not UTF-8.", cost_usd=0.0125)
    # Then nothing of it is lost and the reason can be read by programs
    assert letter.data == b"\x00\xff"
    assert letter.attributes == {
        "tenant": "north",
        "error_kind": "not_utf8",
        "error_stage": "decode",
        "error_message": "The message is not UTF-8.",
        "fingerprint": letter_of(source, message="The message is not UTF-8.").attributes["fingerprint"],
        "attempts": "3",
        "cost_usd": "0.01250000",
        "dead_lettered_at": LATER.isoformat(),
        "source_message_id": "m-7",
        "source_publish_time": NOON.isoformat(),
    }


def test_the_ordering_key_travels_along() -> None:
    assert letter_of(delivery(ordering_key="class-7")).ordering_key == "class-7"
    assert letter_of(delivery()).ordering_key == ""


def test_the_request_id_is_an_attribute_where_it_could_be_read() -> None:
    letter = letter_of(delivery(), request_id="r-1")
    assert letter.attributes["request_id"] == "r-1"


def test_an_unknown_cost_is_not_told_as_nothing() -> None:
    assert letter_of(delivery(), cost_usd=None).attributes["cost_usd"] == "unknown"


def test_the_letter_stays_within_the_limits_of_the_queue() -> None:
    # Given a publisher that uses all attributes, and a reason of many bytes
    source = delivery(attributes={f"a{n}": "x" for n in range(100)})
    # When it is made a dead letter
    letter = letter_of(source, message="ü" * 2000, request_id="r")
    # Then it can be published
    assert len(letter.attributes) <= 100
    assert all(len(value.encode()) <= 1024 for value in letter.attributes.values())
