"""A message is sent again before its dead letter goes, with what it carries and where it comes from."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.content.failures import failure_of
from services.errors import PermanentError, QueueUnavailable
from services.messaging.port import Delivery, Message
from tests.builders import NOON, delivery, message_bytes, request_fields
from tests.fakes import RecordingPublisher, ScriptedQueue
from worker.dead_letters.groups import Letter, letters_of
from worker.dead_letters.letter import dead_letter
from worker.dead_letters.redriving import (
    REASON_ATTRIBUTES,
    Choice,
    Redrive,
    Redriver,
    message_of,
    plan,
    plans_of,
)
from worker.dead_letters.review import Review, leased
from worker.messages import decode
from worker.rate import RateLimit

REASON = {
    "error_kind": "no_answer",
    "error_stage": "script",
    "error_message": "No rung answered.",
    "fingerprint": "f-1",
    "attempts": "5",
    "cost_usd": "0.01000000",
    "dead_lettered_at": NOON.isoformat(),
    "source_publish_time": NOON.isoformat(),
}


def dead(number: int = 1, data: bytes | None = None, *, copy: int = 0, **attributes: str) -> Delivery:
    """A dead letter of message m-`number`."""
    named = {"source_message_id": f"m-{number}", "request_id": f"r-{number}"}
    return delivery(
        message_bytes(request_id=f"r-{number}") if data is None else data,
        message_id=f"d-{number}-{copy}",
        lease_id=f"lease-{number}-{copy}",
        attributes={"tenant": "north", **REASON, **named, **attributes},
    )


def letter(*copies: Delivery) -> Letter:
    (made,) = letters_of(copies or [dead()])
    return made


class FailingPublisher(RecordingPublisher):
    """Takes some messages and then raises."""

    def __init__(self, error: Exception, *, after: int) -> None:
        super().__init__()
        self._later = error
        self._after = after

    async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
        if len(self.published) == self._after:
            self.error = self._later
        return await super().publish(topic, messages)


async def at_once(_seconds: float) -> None:
    pass


async def never(_seconds: float) -> None:
    await asyncio.Event().wait()


def redriver(review: Review, publisher: RecordingPublisher) -> Redriver:
    rate = RateLimit(1, clock=lambda: 0.0, sleep=at_once)
    return Redriver(review=review, publisher=publisher, topic="requests", rate=rate, now=lambda: NOON)


async def redrive_all(queue: ScriptedQueue, publisher: RecordingPublisher, *, limit: int) -> list[Redrive]:
    async with leased(queue, limit, sleep=never) as review:
        sender = redriver(review, publisher)
        plans = plans_of(letters_of(review.deliveries), changes={})
        return [await sender.redrive(planned) for planned in plans]


def test_a_message_is_sent_with_its_own_bytes_and_attributes_and_its_lineage_in_place_of_the_reason() -> None:
    # Given a dead letter that went through the queue's own backstop, too
    source = letter(dead(1, CloudPubSubDeadLetterSourceDeliveryCount="100", traceparent="00-1-2-01"))
    # When
    message = message_of(plan(source, changes={}), now=NOON)
    # Then
    assert message.data == source.newest.data
    assert message.attributes == {
        "tenant": "north",
        "traceparent": "00-1-2-01",
        "redrive_count": "1",
        "redriven_from": "m-1",
        "first_message_id": "m-1",
        "redriven_at": NOON.isoformat(),
    }


def test_a_message_is_sent_with_its_own_ordering_key() -> None:
    source = letter(replace(dead(1), ordering_key="class-7"))
    assert message_of(plan(source, changes={}), now=NOON).ordering_key == "class-7"


def test_every_redrive_adds_to_the_lineage_and_the_first_message_is_remembered() -> None:
    # Given a letter of a message that had been redriven before
    before: dict[str, Any] = {"redrive_count": "2", "redriven_from": "m-0", "first_message_id": "m-first"}
    # When
    message = message_of(plan(letter(dead(1, **before)), changes={}), now=NOON)
    # Then
    lineage = {
        name: message.attributes[name] for name in ("redrive_count", "redriven_from", "first_message_id")
    }
    assert lineage == {"redrive_count": "3", "redriven_from": "m-1", "first_message_id": "m-first"}


def test_every_attribute_of_the_reason_is_known_here() -> None:
    # Given what the worker writes beside a message
    failure = failure_of(PermanentError("no"), stage="script", cost_usd=0.0, now=NOON)
    written = dead_letter(delivery(), failure, attempts=1, cost_usd=None, request_id="r-1", now=NOON)
    # Then
    assert set(written.attributes) == REASON_ATTRIBUTES


def test_fields_can_be_set_and_the_rest_of_the_message_stays() -> None:
    # Given a message that was refused for its grade, with a field of a newer publisher and a byte order mark
    body = b"\xef\xbb\xbf" + json.dumps({**request_fields(grade_level="nine"), "newer": [1]}).encode()
    # When
    planned = plan(letter(dead(1, body)), changes={"grade_level": 9})
    # Then
    assert planned.obstacle == ""
    assert json.loads(planned.data) == {**request_fields(grade_level=9), "newer": [1]}


@pytest.mark.parametrize(
    ("body", "changes", "says"),
    [
        (message_bytes(grade_level="nine"), {}, "it would fail again: grade_level"),
        (message_bytes(grade_level="nine"), {"grade_level": 13}, "it would fail again: grade_level"),
        (b"\x00\xff", {}, "it would fail again: The message is not UTF-8"),
        (b"\x00\xff", {"grade_level": 9}, "no JSON object"),
        (b"[1]", {"grade_level": 9}, "no JSON object"),
        (b"{", {"grade_level": 9}, "no JSON object"),
        (b"", {"grade_level": 9}, "no JSON object"),
        (b"[" * 100_000, {"grade_level": 9}, "no JSON object"),
        (message_bytes(), {"student_query": "\udcff lone surrogate"}, "it would fail again"),
    ],
)
def test_what_would_fail_again_is_left_with_the_reason(
    body: bytes, changes: Mapping[str, Any], says: str
) -> None:
    planned = plan(letter(dead(1, body)), changes=changes)
    assert says in planned.obstacle


def test_the_reason_why_a_message_is_left_does_not_quote_it() -> None:
    planned = plan(letter(dead(1, message_bytes(student_query="MARKER" * 1000))), changes={})
    assert planned.obstacle
    assert "MARKER" not in planned.obstacle


def test_a_limit_counts_what_can_be_sent_the_oldest_first() -> None:
    # Given three letters, the second of which would fail again
    letters = letters_of([dead(1), dead(2, b"no"), dead(3)])
    # When
    plans = plans_of(letters, changes={}, limit=1)
    # Then
    assert [(planned.letter.source_message_id, bool(planned.obstacle)) for planned in plans] == [
        ("m-1", False),
        ("m-2", True),
    ]


@pytest.mark.parametrize(
    ("choice", "chosen", "missing"),
    [
        (Choice(), ["m-1", "m-2"], []),
        (Choice(fingerprint="f-1"), ["m-1"], []),
        (Choice(fingerprint="f-9"), [], ["f-9"]),
        (Choice(names=["r-2", "m-1", "r-2"]), ["m-1", "m-2"], []),
        (Choice(names=["d-2-0", "r-9", "f-1"]), ["m-2"], ["r-9", "f-1"]),
    ],
)
def test_letters_are_chosen_by_cause_or_by_name(
    choice: Choice, chosen: Sequence[str], missing: Sequence[str]
) -> None:
    letters = letters_of([dead(1), dead(2, fingerprint="f-2")])
    assert [found.source_message_id for found in choice.of(letters)] == chosen
    assert choice.missing(letters) == missing


def test_one_message_is_sent_and_all_copies_of_its_letter_are_taken_away() -> None:
    async def scenario() -> None:
        # Given
        queue, publisher = ScriptedQueue([[dead(1, copy=0), dead(1, copy=1)]]), RecordingPublisher()
        # When
        (redrive,) = await redrive_all(queue, publisher, limit=2)
        # Then
        assert [topic for topic, _ in publisher.published] == ["requests"]
        assert decode(publisher.published[0][1].data).request_id == "r-1"
        assert redrive.message_id == "1"
        assert (sorted(queue.acked), queue.extended) == (["d-1-0", "d-1-1"], [])

    asyncio.run(scenario())


def test_what_is_left_is_neither_sent_nor_taken_away() -> None:
    async def scenario() -> None:
        queue, publisher = ScriptedQueue([[dead(1, b"no"), dead(2)]]), RecordingPublisher()
        redrives = await redrive_all(queue, publisher, limit=2)
        assert [bool(redrive.message_id) for redrive in redrives] == [True, False]
        assert (queue.acked, queue.extended) == (["d-2-0"], [("d-1-0", 0)])

    asyncio.run(scenario())


def test_when_publishing_fails_midway_only_what_was_sent_is_taken_away() -> None:
    async def scenario() -> None:
        # Given three letters, and a queue that goes away after the first message
        queue = ScriptedQueue([[dead(1), dead(2), dead(3)]])
        publisher = FailingPublisher(QueueUnavailable("The topic is away."), after=1)
        # When
        with pytest.raises(QueueUnavailable):
            await redrive_all(queue, publisher, limit=3)
        # Then
        assert queue.acked == ["d-1-0"]
        assert queue.extended == [("d-2-0", 0), ("d-3-0", 0)]

    asyncio.run(scenario())


def test_when_the_first_publish_fails_nothing_is_taken_away() -> None:
    async def scenario() -> None:
        queue, publisher = ScriptedQueue([[dead(1)]]), RecordingPublisher(QueueUnavailable("away"))
        with pytest.raises(QueueUnavailable):
            await redrive_all(queue, publisher, limit=1)
        assert (queue.acked, queue.extended) == ([], [("d-1-0", 0)])

    asyncio.run(scenario())


def test_when_the_ack_fails_the_message_was_sent_and_its_letter_stays() -> None:
    async def scenario() -> None:
        # Given
        queue, publisher = ScriptedQueue([[dead(1), dead(2)]]), RecordingPublisher()
        queue.fail_on_ack = True
        # When
        with pytest.raises(QueueUnavailable):
            await redrive_all(queue, publisher, limit=2)
        # Then it is sent twice at worst, and never lost
        assert len(publisher.published) == 1
        assert (queue.acked, queue.extended) == ([], [("d-1-0", 0), ("d-2-0", 0)])

    asyncio.run(scenario())


def test_a_message_that_the_topic_refuses_is_left_and_the_others_are_sent() -> None:
    class Choosy(RecordingPublisher):
        async def publish(self, topic: str, messages: Sequence[Message]) -> Sequence[str]:
            if messages[0].attributes["redriven_from"] == "m-1":
                raise PermanentError("The topic refused a message.")
            return await super().publish(topic, messages)

    async def scenario() -> None:
        queue = ScriptedQueue([[dead(1), dead(2)]])
        refused, sent = await redrive_all(queue, Choosy(), limit=2)
        assert (refused.obstacle, sent.obstacle) == ("The topic refused a message.", "")
        assert (queue.acked, queue.extended) == (["d-2-0"], [("d-1-0", 0)])

    asyncio.run(scenario())


class Pauses:
    """A clock that sleeping moves, and the pauses that were made."""

    def __init__(self) -> None:
        self.time = 100.0
        self.made: list[float] = []

    def clock(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.made.append(seconds)
        self.time += seconds


def test_no_more_pass_a_second_than_the_rate_allows() -> None:
    async def scenario() -> None:
        # Given
        pauses = Pauses()
        rate = RateLimit(4, clock=pauses.clock, sleep=pauses.sleep)
        # When
        for _ in range(4):
            await rate.wait()
        # Then the first passes at once, the others a quarter of a second apart
        assert pauses.made == [0.25, 0.25, 0.25]

    asyncio.run(scenario())


def test_after_something_slow_there_is_no_rush_to_catch_up() -> None:
    async def scenario() -> None:
        # Given
        pauses = Pauses()
        rate = RateLimit(4, clock=pauses.clock, sleep=pauses.sleep)
        await rate.wait()
        # When the one that passed takes ten seconds
        pauses.time += 10
        await rate.wait()
        await rate.wait()
        # Then
        assert pauses.made == [0.25]

    asyncio.run(scenario())
