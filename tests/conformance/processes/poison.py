"""Malformed and hostile messages among good ones."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.processes.accounts import account
from tests.conformance.processes.ledger import Ledger
from tests.conformance.processes.questions import question, questions, request_ids
from tests.conformance.processes.report import Report
from tests.conformance.processes.world import World
from tests.emulators.google import EmulatorHosts


def _changed(**changes: Any) -> Callable[[int], bytes]:
    return lambda index: json.dumps(question(index, **changes)).encode()


def _without(name: str) -> Callable[[int], bytes]:
    def body(index: int) -> bytes:
        fields = question(index)
        del fields[name]
        return json.dumps(fields).encode()

    return body


def _raw(body: bytes) -> Callable[[int], bytes]:
    return lambda _index: body


POISON: dict[str, Callable[[int], bytes]] = {
    "blank": _raw(b" \n\t "),
    "not UTF-8": _raw(b'{"request_id": "\xff\xfe"}'),
    "UTF-16": lambda index: json.dumps(question(index)).encode("utf-16"),
    "zero bytes": _raw(b"\0" * 64),
    "half of a message": lambda index: json.dumps(question(index)).encode()[:-20],
    "two messages": lambda index: json.dumps(question(index)).encode() * 2,
    "not JSON": _raw(b"request_id=1&student_query=hello"),
    "a list": lambda index: json.dumps([question(index)]).encode(),
    "a string": lambda index: json.dumps(json.dumps(question(index))).encode(),
    "null": _raw(b"null"),
    "nested too deep": _raw(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "a lone surrogate": _raw(b'{"request_id": "q\\ud800", "student_query": "why \\udfff?"}'),
    "too large": _raw(b'{"padding": "' + b"x" * 400_000 + b'"}'),
    "no request id": _without("request_id"),
    "no student id": _without("student_id"),
    "no question": _without("student_query"),
    "no grade": _without("grade_level"),
    "an id that is a path": _changed(request_id="../../content_results/other"),
    "an id that Firestore reserves": _changed(request_id="__all__"),
    "an id that is a dot": _changed(request_id=".."),
    "an id that is a number": _changed(request_id=17),
    "an id of a kilobyte": _changed(request_id="x" * 1024),
    "an id with a line break": _changed(request_id="q1\n"),
    "a question of one letter": _changed(student_query="?"),
    "a question that is an object": _changed(student_query={"$gt": ""}),
    "a question of a megabyte's tenth": _changed(student_query="why " * 25_000),
    "grade 0": _changed(grade_level=0),
    "grade 13": _changed(grade_level=13),
    "a grade in words": _changed(grade_level="eleven"),
    "a grade that is true": _changed(grade_level=True),
    "a grade beyond all numbers": _changed(grade_level=10**400),
    "a grade that is NaN": lambda index: json.dumps(question(index, grade_level=float("nan"))).encode(),
    "a duration of a day": _changed(duration_seconds=86_400),
    "a language that is none": _changed(language="../etc/passwd"),
    "interests of a thousand": _changed(interests=["chess"] * 1000),
}
"""What no worker can answer, each made from the number of its message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Poison:
    """As many bad messages as good ones, shuffled: each bad one is a dead letter, each good one is answered once."""

    messages: int = 200
    concurrency: int = 16
    ended_within_seconds: float = 120.0
    name: str = "poison"

    def run(self, hosts: EmulatorHosts, *, seed: int) -> Report:
        """Publish all of it, drain it with one worker, and count."""
        report = Report(scenario=self.name, seed=seed)
        kinds = list(POISON)
        # Their numbers follow those of the good ones, so that no bad message has the id of a good one.
        poison = [
            POISON[kinds[number % len(kinds)]](self.messages + number) for number in range(self.messages)
        ]
        bodies = [*questions(self.messages), *poison]
        random.Random(seed).shuffle(bodies)
        with World(hosts, WORKER_CONCURRENCY=str(self.concurrency), WORKER_IDLE_TIMEOUT_SECONDS="5") as world:
            world.cloud.publish(bodies)
            world.worker().wait(self.ended_within_seconds)
            self._account(world, report, poison)
        return report

    def _account(self, world: World, report: Report, poison: list[bytes]) -> None:
        letters, results = world.cloud.letters(), world.cloud.results()
        missing = Counter(poison) - Counter(letter.data for letter in letters)
        beyond = Counter(letter.data for letter in letters) - Counter(poison)
        mute = [letter for letter in letters if not letter.attributes.get("error_message")]
        report.figures["kinds"] = len({letter.attributes.get("error_kind") for letter in letters})
        good = request_ids(self.messages)
        accounts = account(world.calls())
        report.nothing_is_lost(good, results, (letter.attributes.get("request_id", "") for letter in letters))
        report.all_are_answered({key: results[key] for key in good if key in results})
        report.promise(
            "every bad message is a dead letter",
            not missing,
            f"{missing.total()} are none, such as {next(iter(missing), b'')[:80]!r}",
        )
        report.promise("nothing else is a dead letter", not beyond, f"{beyond.total()} are")
        report.promise("every dead letter has its reason", not mute, f"{len(mute)} have none")
        report.nothing_is_written_twice(Ledger(), world.cloud.left_in_queue())
        report.nothing_is_paid_twice(accounts)
        report.all_stages_were_asked(accounts, self.messages)
        report.exit_codes(world.workers)
        report.no_bugs(world.events())
