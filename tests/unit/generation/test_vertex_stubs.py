"""Of Google's stubs for Vertex AI a process runs those that it uses, and can have the others."""

import subprocess
import sys

RUN_SO_FAR = """
import sys
import services.generation.providers.vertex
print(len([name for name in sys.modules if name.startswith("google.cloud.aiplatform_v1.")]))
"""

MORE = """
from google.cloud.aiplatform_v1 import LlmUtilityServiceAsyncClient, PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.types import Candidate, CountTokensRequest, content
from services.generation.providers.vertex_stubs import Transport, prediction_service
assert content.Candidate is Candidate
assert prediction_service.CountTokensRequest is CountTokensRequest
print(PredictionServiceAsyncClient.get_transport_class("grpc_asyncio") is Transport)
"""


def printed(*lines: str) -> str:
    """What a fresh interpreter prints, which has imported nothing yet."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_provider_runs_the_stubs_of_its_own_service_alone() -> None:
    # Given / When the provider is imported, then few of the package's hundreds of modules were run
    assert 0 < int(printed(RUN_SO_FAR)) < 40


def test_who_asks_for_more_gets_it_before_and_after() -> None:
    # Given other parts of Google's package, asked for after the provider and before it
    for order in ((RUN_SO_FAR, MORE), (MORE, RUN_SO_FAR)):
        # When they are used together, then they are of one piece
        assert "True" in printed(*order)
