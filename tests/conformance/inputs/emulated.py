"""One batch of inputs through a worker process on Google's emulators."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.acceptance.running import Ended, content_worker, environment, provision
from tests.conformance.inputs.cloud import Cloud
from tests.conformance.inputs.drained import Asked, Drained
from tests.conformance.inputs.sample import MARKER, Input
from tests.conformance.inputs.texts import DATA, MARKUP, ORDERS
from tests.emulators.google import EmulatorHosts
from tests.emulators.vertex_faults import Faults, Rule
from tests.emulators.vertex_process import VertexProcess


def drain_on_emulators(inputs: Sequence[Input], hosts: EmulatorHosts, *, seed: int) -> Drained:
    """Publish the inputs, run `python -m worker run` until it ends, and look at what is there."""
    project = f"inputs-{uuid.uuid4().hex[:12]}"
    with VertexProcess(faults=hostile_answers(seed)) as vertex:
        env = environment(
            WORKER_BACKEND="google",
            GOOGLE_CLOUD_PROJECT=project,
            PUBSUB_EMULATOR_HOST=hosts.pubsub,
            FIRESTORE_EMULATOR_HOST=hosts.firestore,
            VERTEX_EMULATOR_HOST=vertex.host,
            WORKER_MODELS="vertex:gemini-3.8-flash, mock",
            WORKER_IDLE_TIMEOUT_SECONDS="3",
            WORKER_MAX_RUNTIME_SECONDS="80",
            WORKER_STUDENT_KEY="a key of the conformance kit",
            LOG_FORMAT="json",
        )
        provision(env)
        cloud = Cloud(hosts, project)
        try:
            ids = cloud.publish(inputs)
            ran = content_worker("run", "--json", env=env)
            asked = [
                Asked(stage=seen.stage, instructions=seen.instructions, prompt=seen.prompt)
                for seen in vertex.control.requests()
                if seen.attempt == 1  # later ones may hold the turns of asking again
            ]
            return _drained(ids, ran, cloud, asked)
        finally:
            cloud.close()


def publishable(inputs: Sequence[Input]) -> list[Input]:
    """The inputs as Pub/Sub takes them: without data it wants an attribute."""
    return [
        one if one.data or one.attributes else replace(one, attributes={"from": MARKER}) for one in inputs
    ]


def hostile_answers(seed: int) -> Faults:
    """A script by which every third answer of Gemini is no answer."""
    echo = {"title": MARKER, "hook": f"{ORDERS[0]}{MARKER}", "sections": [], "key_takeaways": [MARKER]}
    texts = (
        "".join(ORDERS),
        "".join(DATA),
        "".join(MARKUP),
        json.dumps(echo),
        MARKER * 5_000,
        '{"deep": ' + "[" * 9999,
    )
    rules = [
        *(Rule(probability=0.03, text=text) for text in texts),
        *(
            Rule(probability=0.03, answer=answer)
            for answer in ("truncated", "not_json", "schema_invalid", "fenced")
        ),
        *(Rule(probability=0.03, finish_reason=reason) for reason in ("SAFETY", "RECITATION", "MAX_TOKENS")),
    ]
    return Faults(rules=rules, seed=seed)


def _drained(ids: Sequence[str], ran: Ended, cloud: Cloud, asked: Sequence[Asked]) -> Drained:
    events, noise = _logged(ran)
    summary: dict[str, Any] = json.loads(ran.stdout) if ran.stdout.strip() else {}
    if ran.code != 0:
        noise.append(f"exit code {ran.code}")
    return Drained(
        ids=ids,
        ending=summary.get("ending", "with nothing to say"),
        bugs=summary.get("bugs", 0),
        printed=ran.stdout,
        events=events,
        noise=noise,
        left=len(cloud.pulled("content-requests-worker")),
        letters=cloud.pulled("content-requests-dead-review"),
        documents=cloud.documents(),
        asked=asked,
    )


def _logged(ran: Ended) -> tuple[list[dict[str, Any]], list[str]]:
    """The events in a log, and the lines that are none: nothing that is logged may break out of its line."""
    events: list[dict[str, Any]] = []
    noise: list[str] = []
    for line in filter(None, ran.stderr.split("\n")):
        try:
            logged = json.loads(line)
            events.append({**logged, "event": logged["message"]})
        except (ValueError, KeyError, TypeError):
            noise.append(f"no log entry: {line[:300]!r}")
    return events, noise
