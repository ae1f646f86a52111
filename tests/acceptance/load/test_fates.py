"""The generator against a server that misbehaves: each kind of trouble is called by its name."""

import asyncio
from typing import Any

import pytest
from benchmarks.load.generator import Event, Generator
from benchmarks.load.profile import Stage
from benchmarks.load.sample import Fate, Sample
from benchmarks.load.traffic import Kind, Traffic
from websockets.asyncio.server import Server, ServerConnection, serve


def sent(url: str, path: str, kind: Kind = Kind.GET, **more: Any) -> Sample:
    """What became of one request for this path, with 0.3 s as the bound of slowness."""
    samples = asyncio.run(_sent(url, path, kind, more))
    assert 1 == len(samples)
    return samples[0]


async def _sent(url: str, path: str, kind: Kind, more: dict[str, Any]) -> list[Sample]:
    events: list[Event] = []
    fields = {"slow_s": 0.3, "give_up_s": 1.0, "stream_s": 1.0, "websocket_s": 1.2} | more
    traffic = Traffic(
        url=url, stages=(Stage(0.11, 10),), spacing="constant", mix={kind: 1}, paths={kind: path}, **fields
    )
    await Generator(traffic, events.append).run()
    return [event for event in events if isinstance(event, Sample)]


@pytest.mark.parametrize(
    ("path", "expected", "why"),
    [
        ("/ok", Fate.OK, ""),
        ("/until-closed", Fate.OK, ""),
        ("/500", Fate.SERVER_ERROR, "status 500"),
        ("/404", Fate.REJECTED, "status 404"),
        ("/reset", Fate.NO_HEADERS, "ConnectionResetError"),
        ("/close", Fate.NO_HEADERS, "closed by the server"),
        ("/nonsense", Fate.NO_HEADERS, "malformed"),
        ("/never", Fate.NO_HEADERS, "gave up"),
        ("/late-headers", Fate.SLOW, "headers after"),
        ("/late-body", Fate.SLOW, "complete after"),
        ("/stuck-body", Fate.SLOW, "gave up"),
        ("/cut-length", Fate.CUT, "closed by the server after 4 of 100 body bytes"),
        ("/cut-reset", Fate.CUT, "ConnectionResetError"),
        ("/cut-chunked", Fate.CUT, "after 3 of unknown body bytes"),
    ],
)
def test_plain_request_is_judged(scripted: Any, path: str, expected: Fate, why: str) -> None:
    """Each way an answer can go wrong has its own name and says why."""
    found = sent(scripted.url, path)
    assert expected is found.fate, found
    assert why in found.why


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/stream", Fate.OK),
        ("/stream-no-end", Fate.CUT),
        ("/stream-cut", Fate.CUT),
        ("/500", Fate.SERVER_ERROR),
    ],
)
def test_stream_is_judged_by_its_end(scripted: Any, path: str, expected: Fate) -> None:
    """A stream may last, but must end as it should; one that lacks its end mark was cut."""
    found = sent(scripted.url, path, Kind.STREAM)
    assert expected is found.fate, found


def test_stream_latency_is_to_its_headers(scripted: Any) -> None:
    """A stream of 0.6 s whose headers come at once is not slow, and its silence is known."""
    found = sent(scripted.url, "/stream", Kind.STREAM)
    assert found.took_s - found.latency_s > 0.5
    assert 0.55 < found.gap_s <= found.took_s


def test_refused_connection_is_a_connect_error(unused_port: int) -> None:
    """Where nobody listens, the request failed before it was sent."""
    assert Fate.CONNECT_ERROR is sent(f"http://127.0.0.1:{unused_port}", "/ok").fate


def test_headers_that_explain_are_kept(scripted: Any) -> None:
    """The gateway's reason, the replica and its process are in the record."""
    assert "no-replica" == sent(scripted.url, "/500").reason
    fine = sent(scripted.url, "/ok")
    assert ("a", 77) == (fine.replica, fine.pid)


def test_unsafe_requests_are_not_repeated(scripted: Any) -> None:
    """A POST that was cut off arrives once: the client does not retry."""
    sent(scripted.url, "/reset", Kind.POST_KEYED)
    assert 1 == len(scripted.heads)
    assert "idempotency-key: load-1-0\r\n" in scripted.heads[0]


def test_only_keyed_posts_carry_a_key(scripted: Any) -> None:
    """A POST without a key has an id to count it by, and no idempotency key."""
    sent(scripted.url, "/ok", Kind.POST)
    assert scripted.heads[0].startswith("POST /ok ")
    assert "x-load-id: load-1-0\r\n" in scripted.heads[0]
    assert "idempotency-key" not in scripted.heads[0]


async def echo(socket: ServerConnection) -> None:
    """Answer what comes."""
    async for message in socket:
        await socket.send(message)


async def close_restarting(socket: ServerConnection) -> None:
    """Close as a server does that is about to restart."""
    await socket.send(await socket.recv())
    await socket.close(1012)


async def vanish(socket: ServerConnection) -> None:
    """Drop the connection without a word."""
    await socket.recv()
    socket.transport.abort()


async def wrong(socket: ServerConnection) -> None:
    """Break, as an application does."""
    raise RuntimeError("broken on purpose")


async def mute(socket: ServerConnection) -> None:
    """Never answer."""
    await socket.wait_closed()


@pytest.mark.parametrize(
    ("handler", "expected", "closed_by", "code"),
    [
        (echo, Fate.OK, "client", 1000),
        (close_restarting, Fate.CLOSED, "server", 1012),
        (vanish, Fate.CUT, "", None),
        (wrong, Fate.SERVER_ERROR, "server", 1011),
        (mute, Fate.SLOW, "", None),
    ],
)
def test_websocket_is_judged_by_its_close(
    handler: Any, expected: Fate, closed_by: str, code: int | None
) -> None:
    """Who closed a WebSocket, and with which code, is known."""

    async def held() -> list[Sample]:
        async with serve(handler, "127.0.0.1", 0) as server:
            return await _sent(address_of(server), "/ws", Kind.WEBSOCKET, {})

    (found,) = asyncio.run(held())
    assert (expected, closed_by, code) == (found.fate, found.closed_by, found.close_code), found


def test_websocket_refused_by_a_gateway_is_a_server_error(scripted: Any) -> None:
    """A handshake answered with 500 has failed like any other request."""
    assert (Fate.SERVER_ERROR, 500) == (
        (found := sent(scripted.url, "/500", Kind.WEBSOCKET)).fate,
        found.status,
    )


def test_websocket_echoes_each_second() -> None:
    """A WebSocket held for 1.2 s carries two echoes."""

    async def held() -> list[Sample]:
        async with serve(echo, "127.0.0.1", 0) as server:
            return await _sent(address_of(server), "/ws", Kind.WEBSOCKET, {})

    (found,) = asyncio.run(held())
    assert 2 == found.count


def address_of(server: Server) -> str:
    """The http url of a listening server."""
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
