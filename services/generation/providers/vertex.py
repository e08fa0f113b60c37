"""Gemini on Vertex AI.

What must exist: a Google Cloud project with billing and `aiplatform.googleapis.com` enabled, and
credentials (on Cloud Run the job's service account, elsewhere `gcloud auth application-default login`) with
the role `roles/aiplatform.user` on it. Nothing needs to be deployed: the models are Google's own.

The emulator: give `emulator_host` (`host:port`), and calls go there in plaintext and without credentials.

A call is one unary gRPC, `google.cloud.aiplatform.v1.PredictionService/GenerateContent`, made on the
channel of the generated transport and not through the generated client, which takes half as much CPU again
(0.40 instead of 0.27 ms a call with 64 under way). Nothing on this path retries: that is the rung's part.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

import grpc
from google.api_core import exceptions as api_exceptions
from google.api_core.gapic_v1 import client_info, routing_header
from google.auth.exceptions import GoogleAuthError

from services.channel_options import KEEPALIVE, TO_EMULATOR
from services.generation.port import AnswerT, Completion, ModelRef, Rejection, Task
from services.generation.providers.vertex_channels import Channels, Metadata, OpenChannel
from services.generation.providers.vertex_errors import explain, explain_auth
from services.generation.providers.vertex_facts import Target
from services.generation.providers.vertex_stubs import Transport
from services.generation.providers.vertex_token import AccessToken
from services.generation.providers.vertex_wire import build_request, read_completion

_MULTI_REGIONS = frozenset({"us", "eu"})

# Google's front ends allow a connection about a hundred calls at a time; gRPC makes the others wait, against their
# own time limit (https://grpc.io/docs/guides/performance). Channels with a pool of their own do not share one.
CALLS_PER_CONNECTION = 100
_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Route:
    """Where the calls to one model go; the same for every call."""

    path: str
    target: Target
    metadata: Metadata


def endpoint_of(location: str) -> str:
    """The host of a location.

    https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations
    """
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


class VertexProvider:
    """Completes tasks with Gemini. The channels of an endpoint are opened by the first call in its event loop.

    `location` is for references that name none, `calls_at_once` decides how many connections share the calls.
    `token` and `open_channel`, which gets the host, are there for tests.
    """

    def __init__(
        self,
        project: str,
        *,
        location: str = "global",
        emulator_host: str | None = None,
        calls_at_once: int = 1,
        token: AccessToken | None = None,
        open_channel: OpenChannel | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._project = project
        self._location = location
        self._emulator_host = emulator_host
        self._token = token or AccessToken()
        authorised = partial(_open_authorised, self._token)
        self._open_channel = open_channel or (_open_plaintext if emulator_host else authorised)
        self._today = today
        self._routes: dict[ModelRef, _Route] = {}
        self._connections = math.ceil(calls_at_once / CALLS_PER_CONNECTION)
        self._channels: dict[str, Channels] = {}

    async def complete(
        self, task: Task[AnswerT], *, model: ModelRef, rejection: Rejection | None = None, timeout: float
    ) -> Completion:
        """Make one call of at most `timeout` seconds. Raises `ModelUnavailable` or `ModelRejected`.

        When it raises that the token was not accepted, there is a new one for the next call already.
        """
        route = self._routes.get(model) or self._add_route(model)
        channels = self._channels[route.target.endpoint]
        request = build_request(route.path, task, rejection)
        token = self._token.version
        # The cause is cut off on purpose: its text is the server's, which may quote a student's question, and
        # whoever prints a traceback prints the causes too.
        try:
            response = await channels.generate(request, timeout=timeout, metadata=route.metadata)
        except grpc.aio.AioRpcError as error:
            api_error = api_exceptions.from_grpc_error(error)
            if isinstance(api_error, api_exceptions.Unauthorized):
                await self._renew(token, route.target, timeout)
            raise explain(api_error, route.target, today=self._today()) from None
        except GoogleAuthError as error:
            raise explain_auth(error, route.target) from None
        return read_completion(response)

    async def close(self) -> None:
        """Close the channels; calls under way are cancelled."""
        for channels in self._channels.values():
            await channels.close()

    async def _renew(self, token: int, target: Target, timeout: float) -> None:
        if self._emulator_host:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._token.renew(token)
        except (GoogleAuthError, TimeoutError) as error:
            raise explain_auth(error, target) from None

    def _add_route(self, model: ModelRef) -> _Route:
        location = model.location or self._location
        path = _resource_name(model.model, project=self._project, location=location)
        endpoint = self._emulator_host or endpoint_of(location)
        route = _Route(
            path=path,
            target=Target(project=self._project, model=model.model, location=location, endpoint=endpoint),
            metadata=(
                # The service finds the model by this header before it reads the request.
                routing_header.to_grpc_metadata((("model", path),)),
                client_info.ClientInfo(user_agent="content-worker").to_grpc_metadata(),
            ),
        )
        self._routes[model] = route
        if endpoint not in self._channels:
            self._channels[endpoint] = Channels(
                endpoint, open_channel=self._open_channel, connections=self._connections
            )
        return route


async def _open_authorised(token: AccessToken, endpoint: str) -> grpc.aio.Channel:
    channel: grpc.aio.Channel = Transport.create_channel(
        f"{endpoint}:443", credentials=await token.credentials(), options=(*_OWN_CONNECTION, *KEEPALIVE)
    )
    return channel


def _resource_name(model: str, *, project: str, location: str) -> str:
    """A model by its short name, as `publishers/…/models/…`, or (a tuned one) as `projects/…/endpoints/…`."""
    if model.startswith("projects/"):
        return model
    short = model if model.startswith("publishers/") else f"publishers/google/models/{model}"
    return f"projects/{project}/locations/{location}/{short}"


async def _open_plaintext(endpoint: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(endpoint, options=(*_OWN_CONNECTION, *TO_EMULATOR))
