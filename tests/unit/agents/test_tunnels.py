"""Tunnels over calls: what goes in comes out, in order, though calls overtake each other or fail."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from lamplighter.runtime.agents import sockets
from lamplighter.runtime.ray.tunnel import OVER, Back, Call, Entrance, Exit, Order, There

LINES = [f"line {n}\n".encode() * (n % 50 + 1) for n in range(300)]


async def echoing(path: Path) -> asyncio.Server:
    """A server that says again what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(10_000):
                writer.write(data)
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(echo, sock=sockets.listening(path))


async def ended(server: asyncio.Server) -> None:
    """End a server, and what is left of its connections."""
    for _ in range(10):
        await asyncio.sleep(0)
    server.close()
    await server.wait_closed()


async def said(path: Path) -> bytes:
    """Say all lines through a socket; return as much as comes back, or less if the connection ends."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    back = b""
    with contextlib.suppress(ConnectionError):
        for line in LINES:
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0)
        while len(back) < sum(map(len, LINES)) and (data := await reader.read(100_000)):
            back += data
    writer.close()
    return back


async def through(
    folder: Path, way: Callable[[Exit], Call], *, here: bool = True, connections: int = 3
) -> list[bytes]:
    """What several connections hear at once through a tunnel to an echo."""
    near, far = [folder / "near"], [folder / "far"]
    server = await echoing(far[0])
    leaving = Exit(far, lambda _: here)
    call = way(leaving)

    async def find(_: int) -> Call | None:
        return call

    entrance = Entrance(near, find)
    await entrance.start()
    try:
        return list(await asyncio.gather(*(said(near[0]) for _ in range(connections))))
    finally:
        await entrance.close()
        leaving.close()
        await ended(server)


def overtaking(leaving: Exit) -> Call:
    """Calls that come in another order than they were made, there and back."""
    chance = Random(3)  # noqa: S311 - how late

    async def call(trunk: str, pieces: list[There]) -> list[Back]:
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        back = await leaving.exchange(trunk, pieces)
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        return back

    return call


def failing(leaving: Exit) -> Call:
    """Calls of which the third fails."""
    calls = 0

    async def call(trunk: str, pieces: list[There]) -> list[Back]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ConnectionError
        return await leaving.exchange(trunk, pieces)

    return call


def direct(leaving: Exit) -> Callable[[str, list[There]], Awaitable[list[Back]]]:
    """Calls as they are."""
    return leaving.exchange


@pytest.mark.parametrize("way", [direct, overtaking])
def test_all_that_goes_in_comes_back_in_order(way: Callable[[Exit], Call], tmp_path: Path) -> None:
    """Three connections share a trunk, and each hears what it said."""
    assert [b"".join(LINES)] * 3 == asyncio.run(through(tmp_path, way))


def test_a_call_that_fails_ends_its_connections(tmp_path: Path) -> None:
    """Whoever had one sees the end, and no byte out of place before it."""
    heard = asyncio.run(through(tmp_path, failing))
    assert all(b"".join(LINES).startswith(each) for each in heard)
    assert any(each != b"".join(LINES) for each in heard)


def test_a_shard_that_is_not_there_refuses(tmp_path: Path) -> None:
    """A connection to a place that has let go of the shard ends at once."""
    assert [b""] * 3 == asyncio.run(through(tmp_path, direct, here=False))


def test_whoever_goes_is_gone_at_the_other_end(tmp_path: Path) -> None:
    """A connection that ends at the entrance ends at the shard too, after what it said last."""

    async def lived() -> bytes:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read())
            writer.close()

        server = await asyncio.start_unix_server(hear, sock=sockets.listening(tmp_path / "far"))
        leaving = Exit([tmp_path / "far"], lambda _: True)

        async def find(_: int) -> Call | None:
            return leaving.exchange

        entrance = Entrance([tmp_path / "near"], find)
        await entrance.start()
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "near"))
        writer.write(b"the last words")
        writer.close()
        async with asyncio.timeout(30):
            found = await heard
        await entrance.close()
        leaving.close()
        await ended(server)
        return found

    assert b"the last words" == asyncio.run(lived())


def test_a_late_piece_of_an_ended_connection_opens_nothing(tmp_path: Path) -> None:
    """It came after the end, and is passed over."""

    async def lived() -> int:
        server = await echoing(tmp_path / "far")
        opened = 0

        def here(_: int) -> bool:
            nonlocal opened
            opened += 1
            return True

        leaving = Exit([tmp_path / "far"], here)
        await leaving.exchange("trunk", [(0, "key", 0, b"x")])
        await leaving.exchange("trunk", [(0, "key", OVER, b"")])
        waiting = asyncio.create_task(leaving.exchange("trunk", [(0, "key", 1, b"y")]))
        await asyncio.sleep(0)
        waiting.cancel()
        leaving.close()
        await ended(server)
        return opened

    assert 1 == asyncio.run(lived())


def test_a_socket_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    """A shard on this machine is reached directly; its socket stays when the entrance goes."""

    async def lived() -> bytes:
        server = await echoing(tmp_path / "own")

        async def find(_: int) -> Call | None:
            raise AssertionError

        entrance = Entrance([tmp_path / "own"], find)
        await entrance.start()
        heard = await said(tmp_path / "own")
        await entrance.close()
        assert (tmp_path / "own").exists()
        await ended(server)
        return heard

    assert b"".join(LINES) == asyncio.run(lived())


def test_pieces_come_in_order_and_once() -> None:
    """One that is early waits, one that comes again is dropped."""
    order = Order()
    assert [b"", b"ab", b"", b"c"] == [
        order.take(1, b"b"),
        order.take(0, b"a"),
        order.take(1, b"b"),
        order.take(2, b"c"),
    ]
