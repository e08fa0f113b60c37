"""Submitting questions, asking for results and giving feedback over HTTP, on the emulators."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.http_serving import CloudProject, Served, at_once
from tests.builders import request_fields
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_process import VertexProcess

pytestmark = pytest.mark.emulators

JSON = {"Content-Type": "application/json"}
SECRET = "the-secret-of-the-app"
QUESTION = "Explain photosynthesis in leaves"
STUDENT = "student-who-is-named-nowhere"


def question(request_id: Any, **changes: Any) -> dict[str, Any]:
    query = f"{QUESTION}, please: {request_id}"
    return request_fields(request_id=request_id, student_id=STUDENT, student_query=query, **changes)


@pytest.fixture(scope="module")
def vertex() -> Iterator[VertexProcess]:
    with VertexProcess() as running:
        yield running


@pytest.fixture
def cloud(
    google_emulators: EmulatorHosts,
    google_environment: None,
    vertex: VertexProcess,
    project: str,
    tmp_path: Path,
) -> Iterator[CloudProject]:
    with CloudProject(google_emulators, vertex, project, tmp_path) as made:
        yield made
        # Whatever a test did, nothing that a student wrote or is may stand in a log.
        assert QUESTION not in made.all_logs()
        assert STUDENT not in made.all_logs()
        assert SECRET not in made.all_logs()
        assert "Traceback" not in made.all_logs()


def error_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    error: dict[str, str] = answer.json()["error"]
    assert error["message"]
    return error


def test_a_question_is_taken_answered_looked_at_and_rated(cloud: CloudProject) -> None:
    submit, result, feedback = (cloud.serve(target) for target in ("submit", "result", "feedback"))
    # Before it is there, a result is not found and cannot be rated
    assert result.get("/q-1").status_code == 404
    assert feedback.post({"request_id": "q-1", "rating": 5}).status_code == 404
    # When a question is submitted
    trace = "0af7651916cd43dd8448eb211c80319c"
    taken = submit.post(question("q-1"), traceparent=f"00-{trace}-b7ad6b7169203331-01")
    # Then it is in progress for everybody, before any worker runs
    assert (taken.status_code, taken.json()) == (
        202,
        {"request_id": "q-1", "status": "processing", "result": "/q-1"},
    )
    looked = result.get("/q-1")
    assert (looked.status_code, looked.json()) == (202, {"request_id": "q-1", "status": "processing"})
    assert int(looked.headers["retry-after"]) > 0
    assert feedback.post({"request_id": "q-1", "rating": 5}).status_code == 409
    # When a worker has run
    assert cloud("run").code == 0
    # Then the result is there, without what is nobody's business
    looked = result.get("/q-1")
    assert looked.status_code == 200
    shown, stored = looked.json(), cloud.documents()["q-1"]
    assert set(stored) - set(shown) == {"student_ref"}
    assert (shown["status"], shown["mode"], shown["correlation_id"]) == ("completed", "live", trace)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", shown["completed_at"])
    # And can be rated, the last rating counting
    for rating, comment in ((1, "no"), (5, "mail me: kid@example.org, 555-010-0199")):
        rated = feedback.post({"request_id": "q-1", "rating": rating, "comment": comment})
        assert (rated.status_code, rated.content) == (204, b"")
    (opinion,) = cloud.documents("content_feedback").values()
    assert (opinion["rating"], opinion["comment"]) == (5, "mail me: [email], [phone]")
    for copied in ("student_ref", "mode", "prompt_version", "image_digest", "expires_at"):
        assert opinion[copied] == stored[copied]
    # And submitting it again tells what is known, and publishes nothing
    again = submit.post(question("q-1"))
    assert (again.status_code, again.json()["status"]) == (200, "completed")
    assert cloud.waiting("content-requests-worker") == []
    # And every call has its line, with its request and without what was asked
    assert [line["status"] for line in submit.events("http.answered")] == [202, 200]
    assert {line["request_id"] for line in submit.events("http.answered")} == {"q-1"}
    assert "kid@example.org" not in cloud.all_logs()


def test_two_hundred_submissions_at_once_are_two_hundred_messages_and_two_hundred_results(
    cloud: CloudProject,
) -> None:
    submit, result = cloud.serve("submit"), cloud.serve("result")
    ids = [f"q-{number:03}" for number in range(200)]
    sends = [partial(_post, url=submit.url, fields=question(request_id)) for request_id in ids]
    assert Counter(answer.status_code for answer in at_once(sends)) == {202: 200}
    messages = cloud.waiting("content-requests-worker")
    assert len(messages) == 200
    assert {json.loads(message.data)["request_id"] for message in messages} == set(ids)
    # When a worker drains them
    assert cloud("run").code == 0
    # Then every result is there
    looks = [partial(_get, url=f"{result.url}/{request_id}") for request_id in ids]
    assert Counter(answer.status_code for answer in at_once(looks)) == {200: 200}


def test_the_same_question_twenty_times_at_once_is_answered_and_paid_once(cloud: CloudProject) -> None:
    submit = cloud.serve("submit")
    sends = [partial(_post, url=submit.url, fields=question("q-1")) for _ in range(20)]
    assert {answer.status_code for answer in at_once(sends)} == {202}
    assert cloud("run").code == 0
    assert {key: value["status"] for key, value in cloud.documents().items()} == {"q-1": "completed"}
    assert Counter(seen.stage for seen in cloud.vertex.control.requests()) == {
        "nlu": 1,
        "interest": 1,
        "script": 1,
    }


def test_a_question_without_id_gets_one_that_its_result_has_too(cloud: CloudProject) -> None:
    submit = cloud.serve("submit")
    first, second = (submit.post(question(...)).json() for _ in range(2))
    assert first["request_id"] != second["request_id"]
    assert set(cloud.documents()) == {first["request_id"], second["request_id"]}


def test_a_failed_question_is_taken_again(cloud: CloudProject) -> None:
    # Given a result that says why its message was hopeless
    submit, result, push = (cloud.serve(target) for target in ("submit", "result", "push"))
    assert push.post(question("q-1", grade_level=99)).status_code == 204
    failed = result.get("/q-1")
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")
    # When it is submitted, mended
    assert submit.post(question("q-1")).status_code == 202
    # Then it is in progress, and answered by the next worker
    assert result.get("/q-1").status_code == 202
    assert cloud("run").code == 0
    assert result.get("/q-1").json()["status"] == "completed"


def test_bad_input_is_told_with_its_reason_and_leaves_nothing(cloud: CloudProject) -> None:
    submit, result, feedback = (cloud.serve(target) for target in ("submit", "result", "feedback"))
    large = b'{"padding": "' + b"x" * 300_000 + b'"}'
    refused = [
        (submit.post(b""), 400, "empty"),
        (submit.post(b"{"), 400, "not_json"),
        (submit.post(b"\xff"), 400, "not_utf8"),
        (submit.post(b"[]"), 400, "not_an_object"),
        (submit.post(question("q-1", grade_level=99)), 400, "invalid_fields"),
        (submit.post(question("../q")), 400, "invalid_fields"),
        (submit.post(large), 413, "too_large"),
        (httpx.post(submit.url, content=iter([large[:9], large[9:]]), headers=JSON), 413, "too_large"),
        (submit.post(b"x" * 5_000_000), 413, "too_large"),
        (httpx.post(submit.url, data={"a": "b"}), 415, "unsupported_media_type"),
        (submit.get("/"), 405, "method_not_allowed"),
        (httpx.delete(submit.url), 405, "method_not_allowed"),
        (result.get("/a%20b"), 400, "invalid_request_id"),
        (result.get("/"), 400, "invalid_request_id"),
        (result.get("/q-1"), 404, "no_result"),
        (result.post({}), 405, "method_not_allowed"),
        (feedback.post({"request_id": "q-1", "rating": 6}), 400, "invalid_feedback"),
        (feedback.post({"request_id": "q-1", "rating": 1, "comment": "x" * 1001}), 400, "invalid_feedback"),
        (feedback.post(b"{"), 400, "invalid_feedback"),
        (feedback.post(b" " * 17_000), 413, "too_large"),
        (feedback.post({"request_id": "q-1", "rating": 3}), 404, "no_result"),
    ]
    for answer, status, kind in refused:
        assert (answer.status_code, error_of(answer)["kind"]) == (status, kind)
        assert QUESTION not in answer.text
    assert submit.get("/").headers["allow"] == "POST"
    assert cloud.documents() == {}
    assert cloud.waiting("content-requests-worker") == []


def test_with_keys_only_who_has_one_is_let_in_and_no_more_often_than_agreed(cloud: CloudProject) -> None:
    keys = {"WORKER_API_KEYS": f"app:{SECRET}, school:another-secret-entirely"}
    submit = cloud.serve("submit", **keys, WORKER_API_RATE_PER_MINUTE="3")
    others = [cloud.serve(target, **keys) for target in ("result", "feedback")]
    for served in (submit, *others):
        for header in ({}, {"Authorization": "Bearer wrong-wrong-wrong-wrong"}):
            refused = httpx.request("GET" if served is others[0] else "POST", served.url, headers=header)
            assert (refused.status_code, error_of(refused)["kind"]) == (401, "unauthenticated")
            assert refused.headers["www-authenticate"].startswith("Bearer")
        assert served.events("api.open") == []
    # With a key three may come at once, and the fourth is told when
    statuses = [_authorised(submit, "q-1").status_code for _ in range(3)]
    assert statuses == [202, 202, 202]
    limited = _authorised(submit, "q-1")
    assert (limited.status_code, error_of(limited)["kind"]) == (429, "rate_limited")
    assert 1 <= int(limited.headers["retry-after"]) <= 20
    # And another key has its own rate
    assert _authorised(submit, "q-1", secret="another-secret-entirely").status_code == 202
    assert {line.get("key") for line in submit.events("http.answered")} == {None, "app", "school"}


def test_without_keys_everybody_is_let_in_and_the_log_says_so_once(cloud: CloudProject) -> None:
    submit = cloud.serve("submit")
    assert submit.post(question("q-1")).status_code == 202
    (warning,) = submit.events("api.open")
    assert "WORKER_API_KEYS" in warning["fix"]


def test_while_queue_or_store_are_away_it_is_said_when_to_come_again(cloud: CloudProject) -> None:
    without_queue = cloud.serve("submit", PUBSUB_EMULATOR_HOST="127.0.0.1:9")
    without_store = [
        cloud.serve(target, FIRESTORE_EMULATOR_HOST="127.0.0.1:9")
        for target in ("submit", "result", "feedback")
    ]
    answers = [
        without_queue.post(question("q-1")),
        without_store[0].post(question("q-1")),
        without_store[1].get("/q-1"),
        without_store[2].post({"request_id": "q-1", "rating": 3}),
    ]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert cloud.waiting("content-requests-worker") == []


def test_a_missing_topic_is_for_the_operator_to_mend_and_the_client_is_told_no_more(
    cloud: CloudProject,
) -> None:
    submit = cloud.serve("submit", WORKER_TOPIC="no-such-topic")
    answer = submit.post(question("q-1"))
    assert (answer.status_code, error_of(answer)["kind"]) == (503, "configuration")
    assert "no-such-topic" not in answer.text
    (line,) = submit.events("http.not_answered")
    assert "no-such-topic" in line["cause"]
    assert "WORKER_TOPIC" in line["cause"] + line["fix"]


async def _post(client: httpx.AsyncClient, *, url: str, fields: dict[str, Any]) -> httpx.Response:
    return await client.post(url, json=fields)


async def _get(client: httpx.AsyncClient, *, url: str) -> httpx.Response:
    return await client.get(url)


def _authorised(served: Served, request_id: str, *, secret: str = SECRET) -> httpx.Response:
    return served.post(question(request_id), Authorization=f"Bearer {secret}")
