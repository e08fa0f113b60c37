"""Access tokens that the service does not accept, against a server that looks at them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import google.auth.credentials
import grpc
import pytest
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.grpc import AuthMetadataPlugin
from structlog.testing import capture_logs

from services.generation.providers.vertex import VertexProvider
from services.generation.providers.vertex_token import AccessToken
from services.generation.rung import Rung, RungReport
from tests.emulators.vertex_faults import Faults
from tests.emulators.vertex_service import VertexService
from tests.unit.generation.doubles import Lesson, lesson_task, rung


class Credentials(google.auth.credentials.Credentials):  # type: ignore[misc]  # google.auth has no types here
    """Their token is `token-N` after N renewals; it never expires by the clock. Renewals fail while `error` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "token-0"
        self.renewals = 0
        self.error: GoogleAuthError | None = None

    def refresh(self, _request: object) -> None:
        self.renewals += 1
        if self.error is not None:
            raise self.error
        self.token = f"token-{self.renewals}"


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # of no type at run time
    """Lets calls with an accepted token through, and refuses the others as Google does."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.seen: list[str] = []

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        (token,) = [value for key, value in details.invocation_metadata if key == "authorization"]
        self.seen.append(token.removeprefix("Bearer "))
        if self.seen[-1] in self.accepted:
            return await continuation(details)

        async def refuse(_request: Any, context: Any) -> None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials."
            )

        return grpc.unary_unary_rpc_method_handler(refuse)


class World:
    """A server behind the gate, credentials, and a rung that asks with them."""

    def __init__(self, model: Rung, credentials: Credentials, gate: Gate) -> None:
        self.model, self.credentials, self.gate = model, credentials, gate

    async def ask(self) -> RungReport[Lesson]:
        return await self.model.ask(lesson_task())


def in_world(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> list[Any]:
    """Run the scenario; returns what was logged."""
    local, address = grpc.LocalConnectionType.UDS, f"unix:{folder}/s"
    credentials, gate = Credentials(), Gate()

    async def open_channel(_endpoint: str) -> grpc.aio.Channel:
        plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(credentials, None))
        both = grpc.composite_channel_credentials(grpc.local_channel_credentials(local), plugin)
        return grpc.aio.secure_channel(address, both)

    async def run() -> None:
        server = grpc.aio.server(interceptors=[gate])
        server.add_generic_rpc_handlers(VertexService(faults=Faults(), latency_seconds=0.0).handlers())
        server.add_secure_port(address, grpc.local_server_credentials(local))
        await server.start()
        provider = VertexProvider("school", token=AccessToken(lambda: credentials), open_channel=open_channel)
        try:
            await scenario(World(rung(provider), credentials, gate))  # type: ignore[arg-type]  # the real provider
        finally:
            await provider.close()
            await server.stop(None)

    with capture_logs() as logs:
        asyncio.run(run())
    return logs


def test_a_token_that_is_not_accepted_any_more_is_renewed_and_the_call_repeated(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        # Given a token that the service gave up, though the clock says that it is good
        world.gate.accepted = {"token-1"}
        # When the model is asked, and asked again
        first, second = await world.ask(), await world.ask()
        # Then both are answered: by two calls, and by one with the new token
        assert first.data is not None
        assert second.data is not None
        assert (first.spend.calls, second.spend.calls) == (2, 1)
        assert world.gate.seen == ["token-0", "token-1", "token-1"]

    # And nobody is bothered
    assert in_world(tmp_path, scenario) == []


def test_many_calls_that_fail_with_the_same_token_renew_it_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        # Given a token that the service gave up
        world.gate.accepted = {"token-1"}
        # When forty calls find out at the same moment
        reports = await asyncio.gather(*(world.ask() for _ in range(40)))
        # Then there is one renewal, and every one of them is answered
        assert all(report.data is not None for report in reports)
        assert world.credentials.renewals == 1

    assert in_world(tmp_path, scenario) == []


def test_a_fresh_token_that_is_refused_too_closes_the_rung(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        # Given an account whose tokens are worth nothing
        # When the model is asked
        report = await world.ask()
        # Then a fresh token was tried, and the refusal says how to log in
        assert world.gate.seen == ["token-0", "token-1"]
        assert report.failure is not None
        assert (report.failure.kind, report.failure.code) == ("unauthenticated", 401)
        assert "gcloud auth application-default login" in report.failure.message

    assert [entry["event"] for entry in in_world(tmp_path, scenario)] == ["rung.closed"]


def test_credentials_that_are_revoked_close_the_rung(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        # Given credentials that cannot get another token
        world.credentials.error = RefreshError("invalid_grant: Token has been expired or revoked.")
        # When the model is asked
        report = await world.ask()
        # Then that is a refusal
        assert report.failure is not None
        assert report.failure.kind == "unauthenticated"

    assert [entry["event"] for entry in in_world(tmp_path, scenario)] == ["rung.closed"]


def test_an_issuer_of_tokens_that_does_not_answer_is_no_refusal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        # Given a token that the service gave up, and nobody who issues another
        world.gate.accepted = {"token-9"}
        world.credentials.error = TransportError("connection refused")
        # When the model is asked
        report = await world.ask()
        # Then the rung stays open: it was busy
        assert report.failure is not None
        assert report.failure.kind == "unavailable"

    assert [entry["event"] for entry in in_world(tmp_path, scenario)] == ["rung.failed"]


@pytest.mark.parametrize("version", [0, 1])
def test_a_token_is_renewed_for_those_only_who_were_refused_with_it(version: int) -> None:
    # Given a token that was renewed once
    credentials = Credentials()

    async def run() -> None:
        token = AccessToken(lambda: credentials)
        await token.renew(0)
        # When somebody was refused with the one before, or with this one
        await token.renew(version)

    asyncio.run(run())
    # Then it is renewed in the second case
    assert credentials.renewals == 1 + version
