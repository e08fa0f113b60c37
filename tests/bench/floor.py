"""The floor: the same calls as the worker makes for a message, and nothing else.

No lease is renewed, no error is expected, nothing is validated, retried, masked, measured, priced or logged. Requests
to the model are built once and sent again and again. What the worker costs beyond this is what its promises cost.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import grpc
from google.cloud.aiplatform_v1 import types as vertex
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.services.prediction_service.transports import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.firestore_v1.async_client import AsyncClient
from google.pubsub_v1 import SubscriberAsyncClient

from services.content.catalog import load_catalog
from services.content.catalog.search import TopicSearch
from services.content.interests import interest_task
from services.content.models import ContentRequest
from services.content.nlu import nlu_result, understanding_task
from services.content.scripts import script_task
from services.generation.port import Task
from services.generation.providers.vertex_schema import response_schema
from tests.bench.questions import questions

PULL_SECONDS = 2.0


async def main() -> None:
    """Drain the subscription of `GOOGLE_CLOUD_PROJECT` and end."""
    project, in_flight = os.environ["GOOGLE_CLOUD_PROJECT"], int(os.environ["WORKER_CONCURRENCY"])
    subscription = f"projects/{project}/subscriptions/content-requests-worker"
    subscriber = SubscriberAsyncClient()
    results = AsyncClient(project=project).collection("content_results")
    channel = grpc.aio.insecure_channel(os.environ["VERTEX_EMULATOR_HOST"])
    model = PredictionServiceAsyncClient(transport=PredictionServiceGrpcAsyncIOTransport(channel=channel))
    nlu, interest, script = _requests(project)
    running: set[asyncio.Task[None]] = set()

    async def ask(request: vertex.GenerateContentRequest) -> Any:
        response = await model.generate_content(request, timeout=60, retry=None)
        return json.loads(response.candidates[0].content.parts[0].text)

    async def work(received: Any) -> None:
        fields = json.loads(received.message.data)
        document = results.document(fields["request_id"])
        created = {
            "request_id": fields["request_id"],
            "status": "processing",
            "created_at": datetime.now(UTC),
        }
        await document.create(created, retry=None, timeout=10)
        understood, matched = await asyncio.gather(ask(nlu), ask(interest))
        finished = {
            **created,
            "status": "completed",
            "nlu": understood,
            "interest": matched,
            "script": await ask(script),
            "completed_at": datetime.now(UTC),
        }
        await document.set(finished, retry=None, timeout=10)
        await subscriber.acknowledge(
            subscription=subscription, ack_ids=[received.ack_id], retry=None, timeout=10
        )

    started = {"message": "run.pulling", "start_cpu_seconds": time.process_time()}
    print(json.dumps(started), file=sys.stderr, flush=True)
    while True:
        pulled = await subscriber.pull(
            subscription=subscription, max_messages=in_flight - len(running), retry=None, timeout=PULL_SECONDS
        )
        if not pulled.received_messages and not running:
            break
        for received in pulled.received_messages:
            task = asyncio.create_task(work(received))
            running.add(task)
            task.add_done_callback(running.discard)
        while len(running) > in_flight * 7 // 8:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


def _requests(project: str) -> tuple[vertex.GenerateContentRequest, ...]:
    """One request a stage, with the worker's own prompts and schemas, so that both sides send as many bytes."""
    catalog = load_catalog()
    request = ContentRequest.model_validate(next(questions(1)))
    candidates = TopicSearch(catalog).candidates(request.student_query, grade_level=request.grade_level)
    topic = candidates[0].topic
    nlu_task = understanding_task(request, question=request.student_query, candidates=candidates)
    match_task = interest_task(request, question=request.student_query, likely_topic=topic, catalog=catalog)
    write_task = script_task(
        request,
        nlu=nlu_result(nlu_task.offline(), topic),
        topic=topic,
        interest=match_task.offline(),
        catalog=catalog,
        asks_about=nlu_task.offline().asks_about,
    )
    return tuple(_request(project, task) for task in (nlu_task, match_task, write_task))


def _request(project: str, task: Task[Any]) -> vertex.GenerateContentRequest:
    return vertex.GenerateContentRequest(
        model=f"projects/{project}/locations/global/publishers/google/models/gemini-3.8-flash",
        system_instruction={"parts": [{"text": task.instructions}]},
        contents=[{"role": "user", "parts": [{"text": task.prompt}]}],
        generation_config={
            "response_mime_type": "application/json",
            "response_json_schema": response_schema(task.answer_type),
            "max_output_tokens": task.max_output_tokens,
        },
    )


if __name__ == "__main__":
    asyncio.run(main())
