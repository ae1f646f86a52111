"""gRPC through the gateway, with a real server and client: held, streamed, drained, retried, counted."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from tests.acceptance.gateway.rig import Gateway, Upstream, until
from tests.acceptance.zero.rig import Door, door

from lamplighter.targets.local.gateway.table import Check

SERVER = Path(__file__).with_name("grpc_server.py")
HEALTH = Check(grpc="")


class Server(Upstream):
    """One gRPC replica, a process of its own."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        line = [sys.executable, str(SERVER), name, *options]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._port = 0


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Starts servers: `server("a", "--sick")`."""
    started: list[Server] = []

    def start(name: str, *options: str) -> Server:
        started.append(Server(name, *options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


Start = Callable[..., Server]


@asynccontextmanager
async def calling(gateway: Gateway) -> AsyncIterator[tuple[Door, grpc.aio.Channel]]:
    """A service that speaks gRPC, at zero, and a client's channel to it. gRPC paths have no prefix."""
    async with door(gateway, protocol="grpc", check=HEALTH, wait_s=20.0) as here:
        await here.route("/")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{here.port}") as channel:
            yield here, channel


async def test_held_calls_of_every_kind(gateway: Gateway, server: Start) -> None:
    """A unary call, a stream and a conversation wait on one connection, and all of them go on."""
    async with calling(gateway) as (here, channel):
        echo = asyncio.ensure_future(channel.unary_unary("/words.Words/Echo")(b"hi"))
        count = channel.unary_stream("/words.Words/Count")(b"5")
        talk = channel.stream_stream("/words.Words/Talk")()
        await talk.write(b"ping")
        await here.holds(3)
        here.show(server("a").endpoint())
        counted = [each async for each in count]
        spoken = await talk.read()
        await talk.done_writing()
        assert (b"hi", 5, b"ping") == (await echo, len(counted), spoken)


async def test_100_held_calls(gateway: Gateway, server: Start) -> None:
    """None is lost, though they share one connection."""
    async with calling(gateway) as (here, channel):
        call = channel.unary_unary("/words.Words/Echo")
        asked = [asyncio.ensure_future(call(str(n).encode())) for n in range(100)]
        await here.holds(100)
        here.show(server("a").endpoint())
        answers = await asyncio.gather(*asked)
    assert [str(n).encode() for n in range(100)] == answers


async def test_a_call_that_waited_in_vain_is_unavailable(gateway: Gateway) -> None:
    """The caller gets a gRPC status, with the reason in its words."""
    async with calling(gateway) as (here, channel):
        here.show(wait_s=0.5)
        await asyncio.sleep(0.3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/words.Words/Echo")(b"hi")
    assert (grpc.StatusCode.UNAVAILABLE, True) == (
        caught.value.code(),
        "did not start within" in (caught.value.details() or ""),
    )


async def test_a_callers_deadline_holds_while_it_waits(gateway: Gateway) -> None:
    """A call that may take a second does not wait longer, and its place is freed."""
    async with calling(gateway) as (here, channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/words.Words/Echo")(b"hi", timeout=1.0)
        await here.holds(0)
    assert grpc.StatusCode.DEADLINE_EXCEEDED is caught.value.code()


async def test_a_sick_server_gets_nothing(gateway: Gateway, server: Start) -> None:
    """Health is asked by the gRPC health protocol."""
    async with calling(gateway) as (here, channel):
        here.show(server("sick", "--sick").endpoint(), server("well").endpoint())
        answers = [await origin(channel) for _ in range(20)]
    assert {"well"} == set(answers)


async def origin(channel: grpc.aio.Channel) -> str:
    """Return who answered a call."""
    call = channel.unary_unary("/words.Words/Echo")(b"hi")
    await call
    return str(dict(await call.initial_metadata())["x-from"])


async def test_a_stream_outlives_the_drain_of_its_server(gateway: Gateway, server: Start) -> None:
    """New calls go elsewhere at once; the stream comes to its end on the connection that it has."""
    async with calling(gateway) as (here, channel):
        old, new = server("old"), server("new")
        here.show(old.endpoint())
        stream = aiter(channel.unary_stream("/words.Words/Count")(b"15"))
        assert b"0" == await anext(stream)
        here.show(old.endpoint(draining=True), new.endpoint())
        await until(lambda: "new" in gateway.healthy())
        await asyncio.sleep(0.3)
        origins = {await origin(channel) for _ in range(10)}
        rest = [each async for each in stream]
    assert ({"new"}, 14) == (origins, len(rest))


async def test_calls_with_a_key_outlive_a_kill(gateway: Gateway, server: Start) -> None:
    """Those that may be repeated are sent to another server; none fails."""
    async with calling(gateway) as (here, channel):
        doomed = server("a", "--slower", "0.3")
        here.show(doomed.endpoint(), server("b", "--slower", "0.3").endpoint())
        await until(lambda: gateway.healthy() == {"a", "b"})
        call = channel.unary_unary("/words.Words/Echo")
        asked = [
            asyncio.ensure_future(call(b"hi", metadata=(("idempotency-key", str(n)),))) for n in range(40)
        ]
        await asyncio.sleep(0.15)
        doomed.kill()
        assert [b"hi"] * 40 == await asyncio.gather(*asked)


async def test_failures_in_trailers_are_counted(gateway: Gateway, server: Start) -> None:
    """A status of the server's fault is a failed answer; one of the caller's is not."""
    async with calling(gateway) as (here, channel):
        here.show(server("a").endpoint())
        fail = channel.unary_unary("/words.Words/Fail")
        for status in (grpc.StatusCode.INTERNAL, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
            with pytest.raises(grpc.aio.AioRpcError):
                await fail(str(status.value[0]).encode())
        assert await origin(channel)
        counted = gateway.read().public
    assert (2, 2) == (counted.failed, counted.good)
