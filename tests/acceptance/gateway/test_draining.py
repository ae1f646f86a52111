"""Taking a replica away without cutting what it works on."""

import asyncio
from collections import Counter
from collections.abc import Callable

from tests.acceptance.gateway.rig import WITHIN_S, Answer, Gateway, Upstream, ask, load, until
from websockets.asyncio.client import connect

Start = Callable[..., Upstream]


async def opened(gateway: Gateway, replicas: list[Upstream]) -> None:
    """Put these in the table and wait until all are in rotation."""
    gateway.apply(*(r.endpoint() for r in replicas))
    await until(lambda: len(gateway.healthy()) == len(replicas))


def test_drain_then_removal_cuts_no_stream(gateway: Gateway, replica: Start) -> None:
    """A stream outlives the draining and the removal of its replica, and is counted while it drains."""
    old, new = replica("old"), replica("new")
    gateway.start(old.endpoint())

    async def story() -> tuple[Answer, int, Counter[str]]:
        await until(lambda: gateway.healthy() == {"old"})
        stream = asyncio.create_task(ask(gateway.table.port, "/search/stream/30"))
        await asyncio.sleep(0.3)
        await opened(gateway, [old, new])
        gateway.apply(old.endpoint(draining=True), new.endpoint())
        await until(lambda: gateway.read().endpoints["old"].draining)
        meanwhile = await load(gateway.table.port, "/search/x", rate=100, seconds=1)
        in_flight = gateway.read().endpoints["old"].in_flight
        gateway.apply(new.endpoint())
        return await stream, in_flight, Counter(answer.origin for answer in meanwhile)

    stream, in_flight, origins = asyncio.run(story())
    assert (True, 30) == (stream.whole, stream.body.count(b"tick"))
    assert 1 == in_flight
    assert {"new": 100} == origins


def test_removal_cuts_no_websocket(gateway: Gateway, replica: Start) -> None:
    """A WebSocket goes on with a replica that was drained and has left the table."""
    old, new = replica("old"), replica("new")
    gateway.start(old.endpoint())

    async def story() -> tuple[int, bytes]:
        await until(lambda: gateway.healthy() == {"old"})
        client = await asyncio.open_connection("127.0.0.1", gateway.table.port)
        await handshake(client)
        gateway.apply(old.endpoint(draining=True), new.endpoint())
        await until(lambda: gateway.read().endpoints["old"].draining)
        in_flight = gateway.read().endpoints["old"].in_flight
        gateway.apply(new.endpoint())
        await until(lambda: set(gateway.read().endpoints) == {"new"})
        await asyncio.sleep(1.5)
        return in_flight, await echo(client)

    assert (1, b"still here") == asyncio.run(story())


async def handshake(client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Ask for a WebSocket and get it."""
    reader, writer = client
    writer.write(
        b"GET /search/live HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")


async def echo(client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
    """What comes back of ten bytes."""
    reader, writer = client
    writer.write(b"still here")
    try:
        async with asyncio.timeout(WITHIN_S):
            return await reader.readexactly(10)
    finally:
        writer.close()


def test_websocket_frames_pass(gateway: Gateway, replica: Start) -> None:
    """A real client's handshake is accepted through the gateway."""
    gateway.start(replica("a").endpoint())

    async def story() -> str:
        await until(lambda: gateway.healthy() == {"a"})
        async with connect(f"ws://127.0.0.1:{gateway.table.port}/search/live", close_timeout=0.1) as client:
            return client.state.name

    assert "OPEN" == asyncio.run(story())


def test_all_draining_refuses_new_requests(gateway: Gateway, replica: Start) -> None:
    """When the last replica drains, new requests get 503 `draining` and the one in flight ends well."""
    only = replica("only")
    gateway.start(only.endpoint())

    async def story() -> tuple[Answer, Answer]:
        await until(lambda: gateway.healthy() == {"only"})
        running = asyncio.create_task(ask(gateway.table.port, "/search/busy/1"))
        await asyncio.sleep(0.2)
        gateway.apply(only.endpoint(draining=True))
        await until(lambda: gateway.read().endpoints["only"].draining)
        return await ask(gateway.table.port, "/search/x"), await running

    late, running = asyncio.run(story())
    assert (503, "draining", "1") == (late.status, late.reason, late.headers["retry-after"])
    assert (200, "only") == (running.status, running.origin)


def test_removal_without_drain_cuts_nothing(gateway: Gateway, replica: Start) -> None:
    """A healthy replica taken out of the table at once still ends the requests it has."""
    old, new = replica("old"), replica("new")
    gateway.start(old.endpoint())

    async def story() -> Answer:
        await until(lambda: gateway.healthy() == {"old"})
        running = asyncio.create_task(ask(gateway.table.port, "/search/busy/1.5", "POST"))
        await asyncio.sleep(0.2)
        gateway.apply(new.endpoint())
        await until(lambda: set(gateway.read().endpoints) == {"new"})
        return await running

    assert "old" == asyncio.run(story()).origin
