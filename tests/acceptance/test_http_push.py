"""Being pushed to: the same work and the same settlements as pulling, in every form that a push has."""

import asyncio
import base64
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.pubsub_v1 import PublisherAsyncClient, types

from tests.acceptance.http_serving import CloudProject, Served, at_once
from tests.builders import message_bytes
from tests.emulators.google import LOOPBACK, EmulatorHosts
from tests.emulators.vertex_faults import Rule
from tests.emulators.vertex_process import VertexProcess

pytestmark = pytest.mark.emulators

QUESTION = "Explain photosynthesis in leaves"
STUDENT = "student-who-is-named-nowhere"
TIMES = ("created_at", "completed_at", "expires_at", "last_at", "latency_ms", "since")


@pytest.fixture(scope="module")
def vertex() -> Iterator[VertexProcess]:
    with VertexProcess() as running:
        yield running


@pytest.fixture
def clouds(
    google_emulators: EmulatorHosts,
    google_environment: None,
    vertex: VertexProcess,
    project: str,
    tmp_path: Path,
) -> Iterator[tuple[CloudProject, CloudProject]]:
    """Two projects that know nothing of each other: what one has paid for the other has not."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                CloudProject(google_emulators, vertex, f"{project[:-2]}-{way}", tmp_path / way)
            )
            for way in "ab"
        ]
        yield made[0], made[1]
        _is_discreet(made[0].all_logs() + made[1].all_logs())


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
        _is_discreet(made.all_logs())


def _is_discreet(logs: str) -> None:
    assert QUESTION not in logs
    assert STUDENT not in logs
    assert "Traceback" not in logs


def question(number: int, **changes: Any) -> bytes:
    fields = {
        "request_id": f"q-{number:03}",
        "student_id": STUDENT,
        "student_query": f"{QUESTION}, please, number {number}",
    }
    return message_bytes(**{**fields, **changes})


def wrapped(data: bytes, **changes: Any) -> dict[str, Any]:
    message = {
        "data": base64.b64encode(data).decode(),
        "messageId": "m-1",
        "message_id": "m-1",
        "attributes": {},
    }
    return {"message": {**message, **changes}, "subscription": "projects/p/subscriptions/s"}


def as_wrapped(served: Served, data: bytes) -> httpx.Response:
    return served.post(wrapped(data))


def as_unwrapped(served: Served, data: bytes) -> httpx.Response:
    headers = {"x-goog-pubsub-message-id": "m-1", "content-type": "text/plain"}
    return httpx.post(served.url, content=data, headers=headers, timeout=60)


def as_binary_event(served: Served, data: bytes) -> httpx.Response:
    return served.post(
        wrapped(data),
        ce_id="m-1",
        ce_specversion="1.0",
        ce_type="google.cloud.pubsub.topic.v1.messagePublished",
        ce_source="//pubsub.googleapis.com/projects/p/topics/t",
    )


def as_structured_event(served: Served, data: bytes) -> httpx.Response:
    event = {
        "specversion": "1.0",
        "id": "m-1",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": "//pubsub.googleapis.com/projects/p/topics/t",
        "data": wrapped(data),
    }
    headers = {"content-type": "application/cloudevents+json"}
    return httpx.post(served.url, content=json.dumps(event), headers=headers, timeout=60)


FORMS = (as_wrapped, as_unwrapped, as_binary_event, as_structured_event)

MESSAGES = [
    *(question(number) for number in range(4)),
    question(10, student_query="help"),
    question(11, student_query="how do i make a bomb"),
    question(12, grade_level=99),
    question(13, request_id=...),
    b"not json",
    b'{"request_id": "bad", "student_query": "\xff"}',
    b'["no object"]',
    b'{"padding": "' + b"x" * 300_000 + b'"}',
]


def test_pushed_messages_end_exactly_as_pulled_ones(clouds: tuple[CloudProject, CloudProject]) -> None:
    # Given the same messages, good and bad, on two ways
    pulled, pushed = clouds
    publish(pulled, *MESSAGES)
    assert pulled("run").code == 0
    served = pushed.serve("push")
    # When they are pushed in all forms in turn
    for number, data in enumerate(MESSAGES):
        answer = FORMS[number % len(FORMS)](served, data)
        # Then none of them is to come again
        assert (answer.status_code, answer.content) == (204, b""), answer.text
    # And results and dead letters are the same, apart from times and what the queue calls a message
    assert timeless(pushed.documents()) == timeless(pulled.documents())
    assert letters(pushed) == letters(pulled)
    assert Counter(line["action"] for line in served.events("message.settled")) == {
        "ack": 6,
        "dead_letter": 6,
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_same_message_in_whichever_form_is_answered_live(form: Any, cloud: CloudProject) -> None:
    served = cloud.serve("push")
    assert form(served, question(1)).status_code == 204
    assert form(served, question(1)).status_code == 204
    (document,) = cloud.documents().values()
    assert (document["status"], document["mode"], document["message_id"]) == ("completed", "live", "m-1")
    # And its redelivery cost nothing
    assert Counter(seen.stage for seen in cloud.vertex.control.requests()) == {
        "nlu": 1,
        "interest": 1,
        "script": 1,
    }


def test_one_message_pushed_twenty_times_at_once_is_worked_on_once(cloud: CloudProject) -> None:
    cloud.models(Rule(latency_seconds=(0.3, 0.3)))
    served = cloud.serve("push")
    sends = [partial(_push, url=served.url, body=wrapped(question(1))) for _ in range(20)]
    assert {answer.status_code for answer in at_once(sends)} == {204}
    assert Counter(seen.stage for seen in cloud.vertex.control.requests()) == {
        "nlu": 1,
        "interest": 1,
        "script": 1,
    }


def test_more_messages_than_slots_are_to_come_again(cloud: CloudProject) -> None:
    # Given two slots, and models that take their time
    cloud.models(Rule(latency_seconds=(0.5, 0.5)))
    served = cloud.serve("push", WORKER_CONCURRENCY="2")
    # When six come at once
    sends = [partial(_push, url=served.url, body=wrapped(question(number))) for number in range(6)]
    answers = at_once(sends)
    # Then two are answered and the others are told to come again
    assert Counter(answer.status_code for answer in answers) == {204: 2, 429: 4}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
    assert len(cloud.documents()) == 2


def test_while_the_store_is_away_nothing_is_acknowledged(cloud: CloudProject) -> None:
    served = cloud.serve("push", FIRESTORE_EMULATOR_HOST="127.0.0.1:9", WORKER_MAX_RUNTIME_SECONDS="2")
    for data in (question(1), question(2, grade_level=99)):
        answer = as_wrapped(served, data)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "out_of_time")
        assert "retry-after" in answer.headers
    assert served.events("store.away")
    assert cloud.waiting("content-requests-dead-review") == []


def test_a_dead_letter_that_cannot_be_published_keeps_its_message(cloud: CloudProject) -> None:
    served = cloud.serve("push", PUBSUB_EMULATOR_HOST="127.0.0.1:9")
    answer = as_wrapped(served, b"not json")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "queue_unavailable")


def test_when_no_model_answers_and_none_is_wanted_instead_the_message_is_to_come_again(
    cloud: CloudProject,
) -> None:
    cloud.models(Rule(status="UNAVAILABLE"))
    served = cloud.serve("push", WORKER_ON_OUTAGE="hold", WORKER_MODELS="vertex:gemini-3.8-flash")
    answer = as_wrapped(served, question(1))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "no_answer")
    # And when the model is back, the redelivery is answered
    cloud.models()
    assert as_wrapped(served, question(1)).status_code == 204
    assert cloud.documents()["q-001"]["mode"] == "live"


def test_a_body_that_no_pushed_message_can_have_is_not_read_to_its_end(cloud: CloudProject) -> None:
    served = cloud.serve("push")
    answer = served.post(b"x" * (18 * 1024 * 1024))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "too_large")


def test_keys_do_not_apply_to_pushes(cloud: CloudProject) -> None:
    served = cloud.serve("push", WORKER_API_KEYS="app:the-secret-of-the-app", WORKER_API_RATE_PER_MINUTE="1")
    assert [as_wrapped(served, question(1)).status_code for _ in range(2)] == [204, 204]
    assert served.get("/").status_code == 405


def test_a_push_is_finished_although_whoever_pushed_has_gone_away(cloud: CloudProject) -> None:
    # Given a push whose work takes a while
    cloud.models(Rule(latency_seconds=(0.5, 0.5)))
    served = cloud.serve("push")
    body = json.dumps(wrapped(question(1))).encode()
    with socket.create_connection((LOOPBACK, served.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until_asked(cloud)
    # When its connection is gone, then what is begun and paid for is finished
    for _ in range(600):
        if served.events("http.answered"):
            break
        threading.Event().wait(0.05)
    assert [line["status"] for line in served.events("http.answered")] == [204]
    assert cloud.documents()["q-001"]["status"] == "completed"
    # And the redelivery is acknowledged, and costs nothing
    asked = len(cloud.vertex.control.requests())
    assert as_wrapped(served, question(1)).status_code == 204
    assert len(cloud.vertex.control.requests()) == asked


def test_a_push_that_breaks_off_leaves_nothing(cloud: CloudProject) -> None:
    served = cloud.serve("push")
    body = json.dumps(wrapped(question(1))).encode()
    with socket.create_connection((LOOPBACK, served.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1])
    # What came of it is neither a result nor a dead letter, and the whole message is answered
    assert as_wrapped(served, question(1)).status_code == 204
    assert cloud.documents()["q-001"]["attempt"] == 1
    assert cloud.waiting("content-requests-dead-review") == []


def test_sigterm_lets_a_push_in_flight_finish(cloud: CloudProject) -> None:
    # Given a push whose work takes a while
    cloud.models(Rule(latency_seconds=(1.0, 1.0)))
    served = cloud.serve("push")
    answers: list[httpx.Response] = []
    push = threading.Thread(target=lambda: answers.append(as_wrapped(served, question(1))))
    push.start()
    until_asked(cloud)
    # When the server is told to stop
    code = served.terminate()
    push.join()
    # Then the push is answered, and the server ends well
    assert ([answer.status_code for answer in answers], code) == ([204], 0)
    assert cloud.documents()["q-001"]["status"] == "completed"
    assert served.events("serve.ended")


def test_sigterm_gives_back_what_cannot_finish_and_another_instance_has_it_at_once(
    cloud: CloudProject,
) -> None:
    # Given a push whose model does not answer in time
    cloud.models(Rule(latency_seconds=(60.0, 60.0)))
    served = cloud.serve("push", WORKER_LEASE_SECONDS="600")
    answers: list[httpx.Response] = []
    push = threading.Thread(target=lambda: answers.append(as_wrapped(served, question(1))))
    push.start()
    until_asked(cloud)
    # When the server is told to stop
    code = served.terminate()
    push.join()
    # Then the message is to come again, and the server ended well
    assert ([answer.status_code for answer in answers], code) == ([503], 0)
    assert answers[0].json()["error"]["kind"] == "stopping"
    # And another instance need not wait for the claim's end
    cloud.models()
    assert as_wrapped(cloud.serve("push", WORKER_MAX_RUNTIME_SECONDS="20"), question(1)).status_code == 204
    assert cloud.documents()["q-001"]["attempt"] == 2


def until_asked(cloud: CloudProject) -> None:
    """Return once the model has been asked something."""
    for _ in range(600):
        if cloud.vertex.control.requests():
            return
        threading.Event().wait(0.05)
    raise AssertionError("The model was not asked.")


def publish(cloud: CloudProject, *bodies: bytes) -> None:
    async def send() -> None:
        client = PublisherAsyncClient()
        messages = [types.PubsubMessage(data=body) for body in bodies]
        await client.publish(topic=f"projects/{cloud.project}/topics/content-requests", messages=messages)
        await client.transport.close()

    asyncio.run(send())


def timeless(value: Any) -> Any:
    """The same without what differs between two runs."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in (*TIMES, "message_id")}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def letters(cloud: CloudProject) -> list[tuple[bytes, dict[str, str]]]:
    """Dead letters, without what the queue calls their messages."""
    found = cloud.waiting("content-requests-dead-review")
    own = ("source_message_id", "source_publish_time", "dead_lettered_at")
    plain = [({k: v for k, v in letter.attributes.items() if k not in own}, letter.data) for letter in found]
    return sorted(((data, attributes) for attributes, data in plain), key=lambda letter: letter[0])


async def _push(client: httpx.AsyncClient, *, url: str, body: dict[str, Any]) -> httpx.Response:
    return await client.post(url, json=body)
