"""An emulator of Gemini on Vertex AI: `google.cloud.aiplatform.v1.PredictionService` over plaintext gRPC.

Google ships none. This one answers with plausible data that fits the schema of the request, keeps a log of
what it was asked, and goes wrong by script. In a test:

    faults = Faults(rules=[Rule(stage="script", times=1, status="UNAVAILABLE")])
    async with VertexEmulator(faults=faults) as emulator:
        ... emulator.host, emulator.requests

As a process: `python -m tests.emulators.vertex --help`.
"""

import asyncio
import signal
from pathlib import Path

import click
from pydantic import ValidationError

from tests.emulators.vertex_calls import SeenRequest
from tests.emulators.vertex_control import VertexControl
from tests.emulators.vertex_faults import ErrorInfo, Faults, Rule
from tests.emulators.vertex_process import VertexProcess
from tests.emulators.vertex_server import VertexEmulator

__all__ = [
    "ErrorInfo",
    "Faults",
    "Rule",
    "SeenRequest",
    "VertexControl",
    "VertexEmulator",
    "VertexProcess",
    "main",
]


def _read_faults(_context: click.Context, _parameter: click.Parameter, value: str) -> Faults:
    try:
        text = value if value.lstrip().startswith("{") else Path(value).read_text()
        return Faults.model_validate_json(text)
    except (OSError, ValidationError) as exc:
        raise click.BadParameter(f"no script of faults: {exc}") from exc


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--latency", default=0.0, show_default=True, metavar="SECONDS", help="What every answer takes.")
@click.option("--faults", metavar="JSON|FILE", default="{}", callback=_read_faults, help="What goes wrong.")
def main(host: str, port: int, latency: float, faults: Faults) -> None:
    """Emulate Gemini on Vertex AI until SIGTERM or Ctrl-C.

    Prints VERTEX_EMULATOR_HOST=address:port once it listens; give that to the worker's environment.

    \b
    Examples:
      python -m tests.emulators.vertex --latency 0.2
      python -m tests.emulators.vertex --port 8085 --faults faults.json
      python -m tests.emulators.vertex --faults '{"rules": [{"status": "UNAVAILABLE", "times": 2}]}'

    \b
    Scripts to try:
      {"rules": [{"stage": "script", "times": 2, "status": "UNAVAILABLE"}]}
      {"rules": [{"model": "gemini-3.8-.*", "error": "retired"}]}
      {"rules": [{"quota_per_second": 20, "burst": 5}]}
      {"rules": [{"probability": 0.1, "answer": "fenced"}], "seed": 7}

    \b
    A rule says for which calls it is (all of these are optional):
      method, stage (nlu, interest, script), model (a regular expression), location,
      after, times, probability
    and what happens:
      latency_seconds (a number or [from, to]), and one of
      error: retired, not_found, service_disabled, iam_denied, project_invalid,
             billing_disabled, token_expired, capacity, quota
      status: a gRPC status name    (with error or status also: message,
             error_info {reason, domain, metadata}, retry_after_seconds)
      quota_per_second, burst       hang: true
      text: the answer              finish_reason, block_reason: a name or a number
      answer: truncated, fenced, not_json, schema_invalid, empty_text, no_candidates
    """
    asyncio.run(_serve(host, port, latency, faults))


async def _serve(host: str, port: int, latency: float, faults: Faults) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with VertexEmulator(faults=faults, latency_seconds=latency, host=host, port=port) as emulator:
        click.echo(f"VERTEX_EMULATOR_HOST={emulator.host}")
        await stop.wait()


if __name__ == "__main__":
    main()
