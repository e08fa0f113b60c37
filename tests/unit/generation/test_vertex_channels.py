"""Connections that go silent: on the wire, through a proxy that forgets them; and which of them are given up."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from services.channel_options import KEEPALIVE
from services.errors import ModelUnavailable
from services.generation.providers.vertex import VertexProvider
from services.generation.providers.vertex_channels import SILENT_SECONDS, Channels
from services.generation.providers.vertex_wire import build_request
from tests.emulators.silent_proxy import SilentProxy
from tests.emulators.vertex import VertexEmulator
from tests.unit.generation.doubles import BEST, Clock, lesson_task

LONG, SHORT = 60.0, 0.3
"""Time limits of calls in seconds: one that nothing here takes, and one that is for calls on silent connections."""

OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)
QUICK_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 500),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class Wire:
    """Channels to an emulator behind a proxy, and how many were opened."""

    def __init__(self, proxy: SilentProxy, *, connections: int, options: tuple[tuple[str, int], ...]) -> None:
        self.proxy = proxy
        self.opened: list[grpc.aio.Channel] = []
        self._options = (OWN_CONNECTION, *options)
        self.channels = Channels(
            proxy.host, open_channel=self._open, connections=connections, silent_seconds=SHORT / 2
        )

    async def _open(self, endpoint: str) -> grpc.aio.Channel:
        self.opened.append(grpc.aio.insecure_channel(endpoint, options=self._options))
        return self.opened[-1]

    async def call(self, timeout: float = LONG) -> str:
        """What the call came to, as a gRPC status."""
        request = build_request(
            "projects/p/locations/global/publishers/google/models/gemini-3.8-flash", lesson_task(), None
        )
        try:
            await self.channels.generate(request, timeout=timeout, metadata=())
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return "OK"


def on_the_wire(
    scenario: Callable[[Wire], Awaitable[None]],
    *,
    connections: int = 1,
    options: tuple[tuple[str, int], ...] = (),
) -> None:
    async def run() -> None:
        async with VertexEmulator() as emulator, SilentProxy(emulator.host) as proxy:
            wire = Wire(proxy, connections=connections, options=options)
            try:
                await scenario(wire)
            finally:
                await wire.channels.close()

    asyncio.run(run())


def test_a_connection_that_dies_silently_is_noticed_by_its_pings() -> None:
    # Given a connection on which calls were answered
    async def scenario(wire: Wire) -> None:
        assert await wire.call() == "OK"
        # When it goes silent, and another call is made
        wire.proxy.silence()
        broken = await wire.call()
        # Then that call ends long before its time, and the next one is answered on a new connection
        assert broken == "UNAVAILABLE"
        await gone(wire.opened[0])
        assert await wire.call() == "OK"
        assert (len(wire.proxy.links), len(wire.opened)) == (2, 1)

    on_the_wire(scenario, options=QUICK_KEEPALIVE)


def test_where_nobody_pings_a_call_that_times_out_has_the_connection_replaced() -> None:
    # Given a connection on which calls were answered
    async def scenario(wire: Wire) -> None:
        assert await wire.call() == "OK"
        # When it goes silent, and another call is made
        wire.proxy.silence()
        with capture_logs() as logs:
            late = await wire.call(SHORT)
        # Then there is another connection for the next call, the old one is closed, and that is told
        assert late == "DEADLINE_EXCEEDED"
        assert await wire.call() == "OK"
        assert [channel.get_state() for channel in wire.opened] == [
            grpc.ChannelConnectivity.SHUTDOWN,
            grpc.ChannelConnectivity.READY,
        ]
        assert [(entry["event"], entry["endpoint"]) for entry in logs] == [
            ("connection.replaced", wire.proxy.host)
        ]

    on_the_wire(scenario)


def test_each_connection_is_judged_by_itself() -> None:
    # Given two connections, of which the first goes silent
    async def scenario(wire: Wire) -> None:
        first, healthy = [await wire.call() for _ in range(2)], wire.proxy.links[1]
        wire.proxy.links[0].is_silent = True
        # When four calls are made, in turn
        later = [await wire.call(SHORT) for _ in range(4)]
        # Then one of them failed, one connection was replaced, and the other one goes on
        assert first == ["OK", "OK"]
        assert sorted(later) == ["DEADLINE_EXCEEDED", "OK", "OK", "OK"]
        assert len(wire.proxy.links) == 3
        assert not healthy.is_silent

    on_the_wire(scenario, connections=2)


def test_a_connection_that_is_silent_from_the_start_is_replaced() -> None:
    # Given a connection that is accepted and then forgotten
    async def scenario(wire: Wire) -> None:
        wire.proxy.starts_silent = True
        # When the very first call is made
        first = await wire.call(SHORT)
        wire.proxy.starts_silent = False
        # Then the next one is answered
        assert first == "DEADLINE_EXCEEDED"
        assert await wire.call() == "OK"

    on_the_wire(scenario)


def test_the_provider_keeps_its_connections_alive() -> None:
    # Given the provider as it is, with what it would open
    options: list[Any] = []

    def insecure_channel(endpoint: str, *, options: Any) -> grpc.aio.Channel:
        seen.append(options)
        return real(endpoint, options=options)

    real, seen = grpc.aio.insecure_channel, options

    async def run() -> None:
        async with VertexEmulator() as emulator:
            provider = VertexProvider("school", emulator_host=emulator.host)
            await provider.complete(lesson_task(), model=BEST, timeout=LONG)
            await provider.close()

    # When it makes a call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc.aio, "insecure_channel", insecure_channel)
        asyncio.run(run())
    # Then its channel pings, and has a connection of its own
    (opened,) = options
    assert set(KEEPALIVE) < set(opened)
    assert OWN_CONNECTION in opened


def test_a_call_on_a_silent_connection_is_told_as_one_that_may_be_repeated() -> None:
    # Given the provider on a connection that goes silent
    async def run() -> list[str]:
        async with VertexEmulator() as emulator, SilentProxy(emulator.host) as proxy:
            channel = grpc.aio.insecure_channel(proxy.host, options=(OWN_CONNECTION, *QUICK_KEEPALIVE))

            async def open_channel(_endpoint: str) -> grpc.aio.Channel:
                return channel

            provider = VertexProvider("school", open_channel=open_channel)
            await provider.complete(lesson_task(), model=BEST, timeout=LONG)
            proxy.silence()
            # When it makes another call
            with pytest.raises(ModelUnavailable) as caught:
                await provider.complete(lesson_task(), model=BEST, timeout=LONG)
            await gone(channel)
            after = await provider.complete(lesson_task(), model=BEST, timeout=LONG)
            await provider.close()
            return [caught.value.kind, after.finish]

    # Then it is told that another one may help, and it does
    assert asyncio.run(run()) == ["unavailable", "stop"]


async def gone(channel: grpc.aio.Channel) -> None:
    """Wait until the channel knows that its connection is broken; a call in the same instant may still go there."""
    await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)


@dataclass
class FakeChannel:
    """Answers calls when it is told to, by their number; knows whether it was closed."""

    waiting: list["asyncio.Future[str]"] = field(default_factory=list)
    is_closed: bool = False

    def unary_unary(self, _method: str, **_serializers: Any) -> Callable[..., Awaitable[str]]:
        async def call(_request: Any, **_options: Any) -> str:
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            return str(await future)

        return call

    def answer(self, number: int) -> None:
        self.waiting[number].set_result("answer")

    def fail(self, number: int, code: grpc.StatusCode) -> None:
        nothing = grpc.aio.Metadata()
        self.waiting[number].set_exception(
            grpc.aio.AioRpcError(code, nothing, nothing, details=None, debug_error_string=None)
        )

    async def close(self, grace: float | None = None) -> None:
        self.is_closed = True


class Lab:
    """One connection of fake channels, a clock that is moved by hand, and calls that are started by hand."""

    def __init__(self) -> None:
        self.opened: list[FakeChannel] = []
        self.clock = Clock()
        self._tasks: list[asyncio.Task[None]] = []
        self.channels = Channels("host", open_channel=self._open, clock=self.clock)

    async def _open(self, _endpoint: str) -> Any:
        await asyncio.sleep(0)
        self.opened.append(FakeChannel())
        return self.opened[-1]

    async def start(self, count: int = 1) -> None:
        self._tasks += [asyncio.create_task(self._call()) for _ in range(count)]
        await settle()

    async def _call(self) -> None:
        with suppress(grpc.aio.AioRpcError):
            await self.channels.generate("request", timeout=LONG, metadata=())

    async def time_out(self, channel: int, *numbers: int) -> None:
        for number in numbers:
            self.opened[channel].fail(number, grpc.StatusCode.DEADLINE_EXCEEDED)
        await settle()


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def in_lab(scenario: Callable[[Lab], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario(Lab()))


def test_many_calls_that_time_out_together_open_one_connection() -> None:
    async def scenario(lab: Lab) -> None:
        # Given ten calls on a connection
        await lab.start(10)
        lab.clock.seconds = LONG
        # When all of them time out
        await lab.time_out(0, *range(10))
        # Then there is one new connection, and the old one is closed
        await lab.start()
        assert [channel.is_closed for channel in lab.opened] == [True, False]

    in_lab(scenario)


def test_the_last_calls_of_a_replaced_connection_may_still_be_answered() -> None:
    async def scenario(lab: Lab) -> None:
        # Given two calls, of which one times out
        await lab.start(2)
        lab.clock.seconds = LONG
        await lab.time_out(0, 0)
        assert [channel.is_closed for channel in lab.opened] == [False, False]
        # When the other one is answered after all
        lab.opened[0].answer(1)
        await settle()
        # Then its connection is closed, now that nothing waits on it
        assert [channel.is_closed for channel in lab.opened] == [True, False]

    in_lab(scenario)


@pytest.mark.parametrize("code", [None, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND])
def test_a_slow_call_is_no_sign_of_silence_while_others_are_answered(code: grpc.StatusCode | None) -> None:
    async def scenario(lab: Lab) -> None:
        # Given a call that waits, and another one that is answered or refused meanwhile
        await lab.start(2)
        lab.clock.seconds = LONG - 1
        lab.opened[0].answer(1) if code is None else lab.opened[0].fail(1, code)
        await settle()
        # When the first one times out
        lab.clock.seconds = LONG
        await lab.time_out(0, 0)
        # Then the connection stays
        await lab.start()
        assert len(lab.opened) == 1

    in_lab(scenario)


def test_silence_counts_from_the_last_answer_for_calls_that_were_under_way() -> None:
    async def scenario(lab: Lab) -> None:
        # Given two calls, of which one is answered before the connection goes silent
        await lab.start(2)
        lab.clock.seconds = 1
        lab.opened[0].answer(0)
        await settle()
        # When the other one times out
        lab.clock.seconds = LONG
        await lab.time_out(0, 1)
        # Then the connection is replaced
        assert len(lab.opened) == 2

    in_lab(scenario)


def test_calls_with_little_time_left_condemn_nothing_but_together_they_do() -> None:
    async def scenario(lab: Lab) -> None:
        # Given a call that had a moment only
        await lab.start()
        lab.clock.seconds = 1
        await lab.time_out(0, 0)
        assert len(lab.opened) == 1
        # When calls go on to time out for long enough
        await lab.start()
        lab.clock.seconds = SILENT_SECONDS
        await lab.time_out(0, 1)
        # Then the connection is replaced
        assert len(lab.opened) == 2

    in_lab(scenario)


def test_a_quiet_hour_between_calls_is_no_silence() -> None:
    async def scenario(lab: Lab) -> None:
        # Given a connection that was answered on, and then not used for an hour
        await lab.start()
        lab.opened[0].answer(0)
        await settle()
        lab.clock.seconds = 3600
        # When the next call has a moment only
        await lab.start()
        lab.clock.seconds += 1
        await lab.time_out(0, 1)
        # Then the connection stays
        assert len(lab.opened) == 1

    in_lab(scenario)


def test_closing_closes_what_was_replaced_too() -> None:
    async def scenario(lab: Lab) -> None:
        # Given a replaced connection with a call that still waits
        await lab.start(2)
        lab.clock.seconds = LONG
        await lab.time_out(0, 0)
        # When the provider is closed
        await lab.channels.close()
        # Then nothing stays open
        assert [channel.is_closed for channel in lab.opened] == [True, True]

    in_lab(scenario)
