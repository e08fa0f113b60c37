"""The worker as it is deployed, against Google's emulators and one of Vertex AI; clients here are plain ones."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud.firestore_v1.async_client import AsyncClient
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, types

from tests.acceptance.running import Ended, content_worker, environment, provision, started
from tests.builders import message_bytes
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess

pytestmark = pytest.mark.emulators


class Cloud:
    """A project on the emulators, looked at with Google's own clients."""

    def __init__(self, hosts: EmulatorHosts, project: str, vertex: VertexProcess) -> None:
        self.project = project
        self.vertex = vertex
        self.env = environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT=project,
            PUBSUB_EMULATOR_HOST=hosts.pubsub,
            FIRESTORE_EMULATOR_HOST=hosts.firestore,
            VERTEX_EMULATOR_HOST=vertex.host,
            WORKER_IDLE_TIMEOUT_SECONDS="2",
            WORKER_STUDENT_KEY="a key of the tests",
            LOG_FORMAT="json",
        )

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        return content_worker(*arguments, env={**self.env, **variables})

    def publish(self, *bodies: bytes) -> None:
        async def send() -> None:
            client = PublisherAsyncClient()
            messages = [types.PubsubMessage(data=body, attributes={"from": "test"}) for body in bodies]
            topic = f"projects/{self.project}/topics/content-requests"
            for begin in range(0, len(messages), 100):
                await client.publish(topic=topic, messages=messages[begin : begin + 100], timeout=30)
            await client.transport.close()

        asyncio.run(send())

    def documents(self) -> dict[str, dict[str, Any]]:
        async def read() -> dict[str, dict[str, Any]]:
            client = AsyncClient(project=self.project)
            return {
                found.id: found.to_dict() async for found in client.collection("content_results").stream()
            }

        return asyncio.run(read())

    def waiting(self, subscription: str) -> list[types.PubsubMessage]:
        """All messages that a subscription still holds, acked or given back by nobody."""

        async def pull() -> list[types.PubsubMessage]:
            client, messages = SubscriberAsyncClient(), []
            path = f"projects/{self.project}/subscriptions/{subscription}"
            while True:
                pulled = await client.pull(subscription=path, max_messages=500, timeout=3, retry=None)
                if not pulled.received_messages:
                    break
                messages += [received.message for received in pulled.received_messages]
            await client.transport.close()
            return messages

        return asyncio.run(pull())


@pytest.fixture
def cloud(
    google_emulators: EmulatorHosts, project: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Cloud]]:
    """Makes a provisioned project with a Vertex emulator whose faults the test chooses."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google_emulators.pubsub)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", google_emulators.firestore)
    running: list[VertexProcess] = []

    def make(*rules: Rule, latency_seconds: float = 0.0, provisioned: bool = True) -> Cloud:
        vertex = VertexProcess(faults=Faults(rules=list(rules)), latency_seconds=latency_seconds)
        vertex.start()
        running.append(vertex)
        made = Cloud(google_emulators, project, vertex)
        if provisioned:
            provision(made.env)
        return made

    yield make
    for vertex in running:
        vertex.stop()


def question(number: int, **changes: Any) -> bytes:
    fields = {
        "request_id": f"q-{number:03}",
        "student_query": f"Explain photosynthesis in leaves, please, number {number}",
        **changes,
    }
    return message_bytes(**fields)


MALFORMED = {
    "not_utf8": b'{"request_id": "bad-1", "student_query": "\xff\xfe"}',
    "not_json": b'{"request_id": "bad-2", ',
    "not_an_object": b'["request_id", "bad-3"]',
    "empty": b"  ",
    "too_large": b'{"padding": "' + b"x" * 300_000 + b'"}',
    "missing id": question(900, request_id=...),
    "wrong type": question(901, grade_level="eleven"),
    "missing question": question(902, student_query=...),
    "oversized question": question(903, student_query="x" * 2001),
    "out of range": question(904, grade_level=13),
}


def test_two_hundred_messages_end_in_one_result_or_one_dead_letter_each(cloud: Callable[..., Cloud]) -> None:
    # Given 200 messages of an independent publisher: 10 malformed in different ways, one delivered three times
    project = cloud()
    bodies = [question(number) for number in range(188)]
    project.publish(*bodies[:100], *MALFORMED.values(), *bodies[100:], bodies[0], bodies[0])
    # When one worker drains the subscription
    ran = project("run", "--json")
    # Then every message was settled, and every valid request has one completed document, answered live
    assert ran.code == 0, ran.stderr[-3000:]
    assert json.loads(ran.stdout)["settled"] == {"ack": 190, "dead_letter": 10}
    documents = project.documents()
    completed = {key: value for key, value in documents.items() if value["status"] == "completed"}
    assert set(completed) == {f"q-{number:03}" for number in range(188)}
    assert {document["mode"] for document in completed.values()} == {"live"}
    assert {document["attempt"] for document in completed.values()} == {1}
    # And the model was asked three times for each, the duplicates included
    assert Counter(seen.stage for seen in project.vertex.control.requests()) == {
        "nlu": 188,
        "interest": 188,
        "script": 188,
    }
    # And each malformed one is a dead letter with its reason and its own bytes, and nothing is left
    letters = project.waiting("content-requests-dead-review")
    assert sorted(letter.data for letter in letters) == sorted(MALFORMED.values())
    assert all(letter.attributes["from"] == "test" for letter in letters)
    assert Counter(letter.attributes["error_kind"] for letter in letters) == {
        "not_utf8": 1,
        "not_json": 1,
        "not_an_object": 1,
        "empty": 1,
        "too_large": 1,
        "invalid_fields": 5,
    }
    assert all(letter.attributes["error_message"] for letter in letters)
    assert project.waiting("content-requests-worker") == []
    # And those whose id could be read have a failed result
    assert {key for key, value in documents.items() if value["status"] == "failed"} == {
        "q-901",
        "q-902",
        "q-903",
        "q-904",
    }


def test_a_retired_model_is_not_retried_and_told_once_with_what_to_set_instead(
    cloud: Callable[..., Cloud],
) -> None:
    # Given a ladder whose every model is gone
    project = cloud(Rule(error="retired"))
    project.publish(*(question(number) for number in range(20)))
    # When it is drained
    ran = project("run", "--json", WORKER_MODELS="vertex:gemini-2.0-flash, mock")
    # Then the mock answered everything
    assert ran.code == 0, ran.stderr[-3000:]
    documents = project.documents()
    assert {(document["mode"], document["degraded"]) for document in documents.values()} == {("mock", True)}
    assert {document["stages"]["script"]["error"]["code"] for document in documents.values()} == {404}
    # And nothing was asked more than twice: a refusal is repeated once, because one may pass
    seen = Counter((request.stage, request.prompt) for request in project.vertex.control.requests())
    assert max(seen.values()) == 2
    # And there is one warning, which names the model and what to set instead
    warnings = [json.loads(line) for line in ran.stderr.splitlines() if '"WARNING"' in line]
    (closed,) = [warning for warning in warnings if warning["message"].startswith("rung.")]
    assert "gemini-2.0-flash" in closed["cause"]
    assert "WORKER_MODELS" in closed["fix"]
    assert "gemini-3.8-flash" in closed["fix"]


def test_an_overloaded_model_is_asked_three_times_and_then_the_mock_answers(
    cloud: Callable[..., Cloud],
) -> None:
    project = cloud(Rule(status="UNAVAILABLE"))
    project.publish(question(1))
    ran = project("run", WORKER_MODELS="vertex:gemini-3.8-flash, mock")
    assert ran.code == 0, ran.stderr[-3000:]
    (document,) = project.documents().values()
    assert (document["mode"], document["degraded"]) == ("mock", True)
    assert {stage["error"]["code"] for stage in document["stages"].values()} == {503}
    calls = Counter(request.stage for request in project.vertex.control.requests())
    assert calls == {"nlu": 3, "interest": 3, "script": 3}


def test_with_hold_an_outage_leaves_messages_in_the_queue_for_a_later_run(
    cloud: Callable[..., Cloud],
) -> None:
    # Given models that are all down, and an operator who wants no mock
    project = cloud(Rule(status="UNAVAILABLE"))
    project.publish(question(1))
    ran = project("run", WORKER_ON_OUTAGE="hold", WORKER_MODELS="vertex:gemini-3.8-flash, mock")
    # Then the run says so, since when, and has not so much as pulled it
    assert ran.code == 75, ran.everything
    assert "WORKER_ON_OUTAGE" in ran.stderr
    assert ran.stdout.startswith("outage since ")
    assert " 0 pulled" in ran.stdout
    assert project.documents() == {}
    # When they are back, a later run answers
    project.vertex.control.reset()
    later = project("run", WORKER_ON_OUTAGE="hold", WORKER_IDLE_TIMEOUT_SECONDS="15")
    assert later.code == 0, later.everything
    assert {document["mode"] for document in project.documents().values()} == {"live"}


def test_a_model_that_recovers_within_three_calls_answers_live(cloud: Callable[..., Cloud]) -> None:
    project = cloud(Rule(stage="nlu", status="UNAVAILABLE", times=2))
    project.publish(question(1))
    assert project("run").code == 0
    (document,) = project.documents().values()
    assert (document["mode"], document["stages"]["nlu"]["attempts"]) == ("live", 3)


def test_the_next_rung_answers_when_the_first_is_gone(cloud: Callable[..., Cloud]) -> None:
    project = cloud(Rule(model="gemini-3\\.8-flash", error="retired"))
    project.publish(question(1))
    assert project("run").code == 0
    (document,) = project.documents().values()
    assert document["mode"] == "fallback"
    assert document["stages"]["script"]["model"] == "gemini-3.5-flash-lite"
    assert document["cost_usd"] > 0


def test_a_safety_block_is_an_answer_and_no_other_model_is_asked(cloud: Callable[..., Cloud]) -> None:
    project = cloud(Rule(stage="nlu", block_reason="SAFETY"))
    project.publish(question(1))
    assert project("run").code == 0
    (document,) = project.documents().values()
    assert (document["status"], document["script"]) == ("blocked", None)
    assert {request.model for request in project.vertex.control.requests()} == {"gemini-3.8-flash"}


def test_nonsense_is_asked_for_once_more_with_what_was_wrong(cloud: Callable[..., Cloud]) -> None:
    project = cloud(Rule(stage="script", answer="not_json", times=1))
    project.publish(question(1))
    assert project("run").code == 0
    (document,) = project.documents().values()
    assert (document["mode"], document["stages"]["script"]["attempts"]) == ("live", 2)


def test_a_missing_subscription_ends_the_run_with_78_before_any_pull(cloud: Callable[..., Cloud]) -> None:
    project = cloud(provisioned=False)
    ran = project("run")
    assert ran.code == 78, ran.everything
    assert "WORKER_SUBSCRIPTION" in ran.everything
    assert "content-worker provision" in ran.everything
    assert "Traceback" not in ran.everything


def test_a_queue_that_cannot_be_reached_ends_the_run_with_75(cloud: Callable[..., Cloud]) -> None:
    ran = cloud()("run", PUBSUB_EMULATOR_HOST="127.0.0.1:9")
    assert ran.code == 75, ran.everything
    assert "Traceback" not in ran.everything


def test_no_proxy_comes_between_the_worker_and_emulators(cloud: Callable[..., Cloud]) -> None:
    # Given a shell whose proxy leads nowhere
    project = cloud(provisioned=False)
    names = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
    proxies = {spelt: "http://127.0.0.1:9" for name in names for spelt in (name, name.upper())}
    # When a question is published and answered
    assert project("provision", **proxies).code == 0
    assert project("publish", "why is the sky blue", "--request-id", "q-1", **proxies).code == 0
    assert project("run", **proxies).code == 0
    # Then a model answered it
    assert json.loads(project("results", "q-1", "--json", **proxies).stdout)["mode"] == "live"


def test_sigterm_in_the_middle_gives_unfinished_work_back_and_the_next_run_finishes_it(
    cloud: Callable[..., Cloud],
) -> None:
    # Given a worker with four slots in the middle of 40 messages whose every stage takes its time
    project = cloud(latency_seconds=0.4)
    project.publish(*(question(number) for number in range(40)))
    with started("run", "--json", env={**project.env, "WORKER_CONCURRENCY": "4"}) as first:
        assert first.stderr is not None
        for line in first.stderr:
            if '"message.settled"' in line:
                break
        # When it is told to stop
        first.send_signal(signal.SIGTERM)
        stdout, _ = first.communicate(timeout=30)
    # Then it ends well, with work left
    assert first.returncode == 0
    summary = json.loads(stdout)
    assert summary["ending"] == "stopped"
    assert 0 < sum(summary["results"].values()) < 40
    # And the next run finishes the rest, each request once
    assert project("run").code == 0
    documents = project.documents()
    assert len(documents) == 40
    assert {document["status"] for document in documents.values()} == {"completed"}
    assert project.waiting("content-requests-worker") == []


def test_provisioning_twice_changes_nothing_and_says_so(cloud: Callable[..., Cloud]) -> None:
    project = cloud()
    again = project("provision")
    assert again.code == 0
    assert again.stdout.count("already there") == 4, again.stdout
