"""A dead letter is the message it was, with the reason beside it."""

from services.errors import MessageDecodeError, PermanentError
from tests.builders import NOON, delivery
from worker.dead_letters import dead_letter, fingerprint


def test_the_original_bytes_and_attributes_travel_with_the_reason() -> None:
    # Given a message that is no JSON
    source = delivery(b"\x00\xff", attributes={"tenant": "north"}, message_id="m-7")
    error = MessageDecodeError("The message is not UTF-8.", kind="not_utf8")
    # When it is made a dead letter
    letter = dead_letter(source, error, stage="decode", request_id=None)
    # Then nothing of it is lost and the reason can be read by programs
    assert letter.data == b"\x00\xff"
    assert letter.attributes == {
        "tenant": "north",
        "error_kind": "not_utf8",
        "error_stage": "decode",
        "error_message": "The message is not UTF-8.",
        "fingerprint": fingerprint("decode", error),
        "source_message_id": "m-7",
        "source_publish_time": NOON.isoformat(),
    }


def test_the_request_id_is_an_attribute_where_it_could_be_read() -> None:
    letter = dead_letter(delivery(), PermanentError("no"), stage="content", request_id="r-1")
    assert letter.attributes["request_id"] == "r-1"


def test_the_fingerprint_is_the_same_for_the_same_cause() -> None:
    first = fingerprint("decode", MessageDecodeError("byte 7 cannot be decoded", kind="not_utf8"))
    second = fingerprint("decode", MessageDecodeError("byte 1234 cannot be decoded", kind="not_utf8"))
    other = fingerprint("decode", MessageDecodeError("line 7 is cut off", kind="not_json"))
    assert first == second != other


def test_the_letter_stays_within_the_limits_of_the_queue() -> None:
    # Given a publisher that uses all attributes, and a reason of many bytes
    source = delivery(attributes={f"a{n}": "x" for n in range(100)})
    # When it is made a dead letter
    letter = dead_letter(source, PermanentError("ü" * 2000), stage="content", request_id="r")
    # Then it can be published
    assert len(letter.attributes) <= 100
    assert all(len(value.encode()) <= 1024 for value in letter.attributes.values())
