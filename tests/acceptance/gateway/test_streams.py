"""Long answers and tired connections."""

import asyncio
import time
from collections.abc import Callable

from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, failed, until

Start = Callable[..., Upstream]


def test_timeout_does_not_cut_a_stream(gateway: Gateway, replica: Start) -> None:
    """`timeout_s` limits the wait for headers; the body may take much longer."""
    gateway.start(replica("a").endpoint(), timeout_s=0.5)

    async def story() -> Answer:
        await until(lambda: gateway.healthy() == {"a"})
        return await ask(gateway.table.port, "/search/stream/20")

    answer = asyncio.run(story())
    assert (True, 20) == (answer.whole, answer.body.count(b"tick"))
    assert answer.seconds >= 2.0


def test_chunks_arrive_one_by_one(gateway: Gateway, replica: Start) -> None:
    """The gateway holds nothing back: the first chunk of a stream comes long before its end."""
    gateway.start(replica("a").endpoint())

    async def story() -> float:
        await until(lambda: gateway.healthy() == {"a"})
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.table.port)
        writer.write(b"GET /search/stream/100 HTTP/1.1\r\nhost: test\r\n\r\n")
        began = time.monotonic()
        await reader.readuntil(b"tick\n")
        writer.close()
        return time.monotonic() - began

    assert asyncio.run(story()) < 5.0


def test_tired_connections_lose_no_request(gateway: Gateway, replica: Start) -> None:
    """Replicas close idle connections after 50 ms, requests come just then: no GET is lost."""
    ends = [replica(name, "--keep-alive", "0.05").endpoint() for name in ("a", "b")]
    gateway.start(*ends)

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 2)
        answers = []
        for turn in range(60):
            answers += await asyncio.gather(*(ask(gateway.table.port, "/search/x") for _ in range(8)))
            await asyncio.sleep(0.0485 + (turn % 6) * 0.0005)
        return answers

    assert [] == failed(asyncio.run(story()))


def test_long_bodies_pass_though_they_cannot_be_repeated(gateway: Gateway, replica: Start) -> None:
    """A body beyond what is kept for a retry goes through whole."""
    gateway.start(replica("a").endpoint())

    async def story() -> Answer:
        await until(lambda: gateway.healthy() == {"a"})
        return await ask(gateway.table.port, "/search/echo", "PUT", body=b"x" * 5_000_000)

    assert asyncio.run(story()).body.endswith(b"5000000")
    assert 1 == gateway.read().not_repeatable


def test_kept_body_is_repeated_whole(gateway: Gateway, replica: Start) -> None:
    """A PUT of a megabyte is sent again, whole, when its replica dies under it."""
    a, b = replica("a", "--slower", "1"), replica("b", "--slower", "1")
    gateway.start(a.endpoint(), b.endpoint())

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 2)
        body = b"x" * 1_000_000
        asked = [ask(gateway.table.port, "/search/slowecho", "PUT", body=body) for _ in range(8)]
        running = asyncio.gather(*asked)
        await asyncio.sleep(0.6)
        a.kill()
        return await running

    answers = asyncio.run(story())
    assert {("b", b"1000000")} == {(answer.origin, answer.body) for answer in answers}


def test_idle_connections_are_closed_by_the_gateway(gateway: Gateway, replica: Start) -> None:
    """No connection is kept as long as a common server keeps it, so none is found closed by a POST."""
    gateway.start(replica("a").endpoint())

    async def story() -> tuple[int, float]:
        await until(lambda: gateway.healthy() == {"a"})
        await asyncio.gather(*(ask(gateway.table.port, "/search/busy/0.1") for _ in range(5)))
        opened = gateway.read().endpoints["a"].connections
        return opened, await until(lambda: gateway.read().endpoints["a"].connections == 0)

    opened, took = asyncio.run(story())
    assert (5, True) == (opened, took < 10)


def test_client_learns_of_a_cut_soon(gateway: Gateway, replica: Start) -> None:
    """Some three seconds after a replica's death the client of its stream knows, long before its end."""
    a = replica("a")
    gateway.start(a.endpoint())

    async def story() -> float:
        await until(lambda: gateway.healthy() == {"a"})
        running = asyncio.create_task(ask(gateway.table.port, "/search/stream/600", patience_s=60))
        await asyncio.sleep(0.5)
        a.kill()
        killed = time.monotonic()
        await running
        return time.monotonic() - killed

    assert asyncio.run(story()) < 30
