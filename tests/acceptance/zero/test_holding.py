"""Requests to a service at zero are held in the gateway, whatever they carry, and go on to a replica."""

import asyncio
import base64
from collections.abc import Callable

import pytest
from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, failed, until
from tests.acceptance.zero.rig import Door, door

from lamplighter.targets.local.activator import HELD_MAX
from lamplighter.targets.local.supervisor.endings import SETTLE_S

Start = Callable[..., Upstream]
SEARCH = "/search/echo"


async def woken(here: Door, held: int, one: Upstream) -> None:
    """Wait until so many requests are held, then give the service a replica."""
    await here.holds(held)
    here.show(await asyncio.to_thread(one.endpoint))


def asking(here: Door, count: int, path: str = SEARCH, **more: object) -> list["asyncio.Task[Answer]"]:
    """Begin so many requests."""
    return [asyncio.create_task(ask(here.port, path, **more)) for _ in range(count)]  # type: ignore[arg-type]


async def test_500_concurrent_requests_wait_for_one_replica(gateway: Gateway, replica: Start) -> None:
    """None is lost, and the first of them is the one that is told of."""
    async with door(gateway) as here:
        asked = asking(here, 500)
        await woken(here, 500, replica("a"))
        answers = await asyncio.gather(*asked)
    assert ([], 500, ["search", "search"]) == (failed(answers), len(answers), here.changes)


async def test_what_comes_later_goes_straight_through(gateway: Gateway, replica: Start) -> None:
    """Once awake the activator is not asked any more."""
    async with door(gateway) as here:
        asked = asking(here, 1)
        await woken(here, 1, replica("a"))
        await asyncio.gather(*asked)
        await until(lambda: "typed_per_filter" not in (gateway.folder / "rds.public.json").read_text())
        (gateway.folder / "activator.sock").unlink()
        answers = await asyncio.gather(*asking(here, 50))
    assert [] == failed(answers)


@pytest.mark.parametrize("size", [0, 1000, 3 << 20])
async def test_a_body_waits_with_its_request(gateway: Gateway, replica: Start, size: int) -> None:
    """Also one that is longer than what the gateway keeps of it: the client has to wait."""
    async with door(gateway) as here:
        asked = asking(here, 1, "/search/slowecho", method="POST", body=b"x" * size)
        await woken(here, 1, replica("a"))
        (answer,) = await asyncio.gather(*asked)
    assert (200, str(size).encode()) == (answer.status, answer.body)


async def test_a_stream_is_held_and_comes_whole(gateway: Gateway, replica: Start) -> None:
    """The answer streams as if it had never waited."""
    async with door(gateway) as here:
        asked = asking(here, 1, "/search/stream/5")
        await woken(here, 1, replica("a"))
        (answer,) = await asyncio.gather(*asked)
    assert (True, 5) == (answer.whole, answer.body.count(b"tick"))


async def test_a_websocket_is_held_and_opens(gateway: Gateway, replica: Start) -> None:
    """The handshake waits; then bytes go both ways."""
    async with door(gateway) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        key = base64.b64encode(b"k" * 16).decode()
        head = "GET /search/ HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        writer.write(f"{head}sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode())
        await woken(here, 1, replica("a"))
        async with asyncio.timeout(60):
            opened = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"hello")
            echoed = await reader.readexactly(5)
        writer.close()
    assert (True, b"hello") == (opened.startswith(b"HTTP/1.1 101"), echoed)


async def test_callers_inside_are_held_as_well(gateway: Gateway, replica: Start) -> None:
    """Another service's request on the internal port waits like anybody's."""
    async with door(gateway) as here:
        asked = asyncio.create_task(ask(gateway.table.internal_port or 0, SEARCH))
        await woken(here, 1, replica("a"))
        answer = await asked
    assert (200, "a") == (answer.status, answer.origin)


async def test_several_requests_of_one_connection(gateway: Gateway, replica: Start) -> None:
    """Keep-alive outlives the wait."""
    async with door(gateway) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"GET /search/status/200 HTTP/1.1\r\nhost: a\r\n\r\n" * 2)
        await woken(here, 1, replica("a"))
        async with asyncio.timeout(60):
            answers = [await reader.readuntil(b"\r\n\r\na") for _ in range(2)]
        writer.close()
    assert [True, True] == [each.startswith(b"HTTP/1.1 200") for each in answers]


async def test_a_client_that_gives_up_frees_its_place(gateway: Gateway) -> None:
    """It is not counted as waiting any more, and nothing is sent in its name."""
    async with door(gateway) as here:
        asked = asking(here, 3)
        await here.holds(3)
        asked[0].cancel()
        await here.holds(2)
        for each in asked:
            each.cancel()
        await here.holds(0)


async def test_nothing_comes_in_time(gateway: Gateway) -> None:
    """Everyone is answered at the deadline, with the reason, and may try again."""
    async with door(gateway, wait_s=0.5) as here:
        answers = await asyncio.gather(*asking(here, 20))
    seen = {(each.status, each.reason, each.headers["retry-after"]) for each in answers}
    assert {(503, "not-started", "1")} == seen
    assert b"did not start within 0.5 s: nobody started it" in answers[0].body
    assert all(0.4 < each.seconds < 15 for each in answers)


async def test_too_many_are_refused_at_once(gateway: Gateway, replica: Start) -> None:
    """What waits already is served; what is beyond the bound is told when to come again."""
    async with door(gateway, wait_s=60.0) as here:
        asked = asking(here, HELD_MAX + 300, "/search/status/200", patience_s=50.0)
        await until(lambda: sum(each.done() for each in asked) == 300)
        refused = [each.result() for each in asked if each.done()]
        await woken(here, HELD_MAX, replica("a"))
        answers = await asyncio.gather(*asked)
    assert {(503, "too-many-waiting", "1")} == {
        (each.status, each.reason, each.headers["retry-after"]) for each in refused
    }
    assert 300 == len(failed(answers))


async def test_what_is_held_outlives_the_activator(gateway: Gateway, replica: Start) -> None:
    """Its successor is asked again, and the requests go on from there."""
    async with door(gateway) as here:
        asked = asking(here, 100)
        await here.holds(100)
        await here.close()
        await asyncio.sleep(1)
        here.activator = here.another()
        await here.listen()
        await woken(here, 100, replica("a"))
        answers = await asyncio.gather(*asked)
    assert [] == failed(answers)


async def test_with_no_activator_a_replica_serves_all_the_same(gateway: Gateway, replica: Start) -> None:
    """One that is lost for good holds nobody up for longer than the gateway asks again: twenty seconds."""
    async with door(gateway) as here:
        await here.close()
        write_with(here, replica("a"))
        (answer,) = await asyncio.gather(*asking(here, 1, patience_s=40.0))
    assert (200, "a") == (answer.status, answer.origin)


def write_with(here: Door, one: Upstream) -> None:
    """Give the service a replica; nobody is there to tell the gateway that it is awake."""
    here.show(one.endpoint())


async def test_a_replica_that_is_not_ready_gets_nothing(gateway: Gateway, replica: Start) -> None:
    """Requests wait for its first good check, not for its process."""
    async with door(gateway) as here:
        one = replica("a", "--health", "503")
        asked = asking(here, 20)
        await woken(here, 20, one)
        await asyncio.sleep(1)
        assert 20 == here.held
        here.show(one.endpoint(), replica("b").endpoint())
        answers = await asyncio.gather(*asked)
    assert {"b"} == {each.origin for each in answers}


async def test_the_last_replica_goes_and_requests_are_held(gateway: Gateway, replica: Start) -> None:
    """From the moment that it drains nothing new is sent to it, and what it has it finishes."""
    async with door(gateway) as here:
        one = replica("a")
        first = asking(here, 1, "/search/busy/1.5")
        await woken(here, 1, one)
        await until(lambda: here.gateway.read().in_flight == 1)
        here.show(one.endpoint(draining=True))
        await asyncio.sleep(SETTLE_S)
        second = asking(here, 1)
        await here.holds(1)
        here.show(one.endpoint(draining=True), replica("b").endpoint())
        answers = await asyncio.gather(*first, *second)
    assert [(200, "a"), (200, "b")] == [(each.status, each.origin) for each in answers]
