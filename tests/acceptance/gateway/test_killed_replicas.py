"""Replicas die with requests in flight; who may be asked again is, and nobody else."""

import asyncio
from collections.abc import Callable

from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, failed, load, until

Start = Callable[..., Upstream]


async def ready(gateway: Gateway, count: int) -> None:
    """Wait until so many replicas are in rotation."""
    await until(lambda: len(gateway.healthy()) == count)


async def kill_in_turn(
    gateway: Gateway, replicas: list[Upstream], start: Start, asked: asyncio.Task[list[Answer]]
) -> int:
    """Kill one after the other for as long as is asked; another on a new port takes its place.

    Each is killed with requests in flight.
    """
    killed = 0
    while not asked.done():
        victim = replicas.pop(0)
        await until(lambda name=victim.name: asked.done() or gateway.read().endpoints[name].in_flight > 0)
        victim.kill()
        killed += 1
        replicas.append(start(f"r{killed + 100}"))
        gateway.apply(*(r.endpoint() for r in replicas[:-1]))
        await asyncio.to_thread(lambda: replicas[-1].port)
        gateway.apply(*(r.endpoint() for r in replicas))
        await asyncio.sleep(0.6)
    return killed


def test_no_get_fails_while_replicas_are_killed(gateway: Gateway, replica: Start) -> None:
    """Thousands of GETs, a busy replica killed every 0.6 s and back on a new port: none fails."""
    replicas = [replica(f"r{n}") for n in range(4)]
    gateway.start(*(r.endpoint() for r in replicas))

    async def story() -> tuple[list[Answer], int]:
        await ready(gateway, 4)
        asked = asyncio.create_task(load(gateway.table.port, "/search/busy/0.05", rate=400, seconds=7))
        killed = await kill_in_turn(gateway, replicas, replica, asked)
        return await asked, killed

    answers, killed = asyncio.run(story())
    assert (2800, []) == (len(answers), failed(answers))
    assert gateway.read().retries >= killed - 1 > 0


def test_keyed_posts_are_repeated(gateway: Gateway, replica: Start) -> None:
    """A POST with an Idempotency-Key is as safe from a kill as a GET."""
    a, b = replica("a"), replica("b")
    gateway.start(a.endpoint(), b.endpoint())

    async def story() -> list[Answer]:
        await ready(gateway, 2)
        key = {"idempotency-key": "k"}
        path = "/search/busy/0.5"
        asked = [ask(gateway.table.port, path, "POST", headers=key, body=b"x" * 100_000) for _ in range(40)]
        running = asyncio.gather(*asked)
        await asyncio.sleep(0.3)
        a.kill()
        return await running

    assert ["b"] * 40 == [answer.origin for answer in asyncio.run(story())]


def test_plain_posts_are_not_repeated(gateway: Gateway, replica: Start) -> None:
    """A POST that was sent to a replica that died gets 503 `cut` and is executed by no other."""
    a, b = replica("a"), replica("b")
    gateway.start(a.endpoint(), b.endpoint())

    async def story() -> tuple[list[Answer], int]:
        await ready(gateway, 2)
        asked = [ask(gateway.table.port, "/search/busy/0.5", "POST", body=b"pay") for _ in range(20)]
        running = asyncio.gather(*asked)
        await asyncio.sleep(0.3)
        a.kill()
        answers = await running
        return answers, int((await ask(b.port, "/executed")).body)

    answers, executed = asyncio.run(story())
    cut = [answer for answer in answers if answer.status == 503]
    assert {"cut"} == {answer.reason for answer in cut}
    assert executed == len(answers) - len(cut)


def test_posts_go_on_when_nothing_was_sent(gateway: Gateway, replica: Start) -> None:
    """A POST whose connection is refused was executed by nobody and goes to the next replica."""
    dead, alive = replica("dead"), replica("alive")
    gateway.start(dead.endpoint(), alive.endpoint())

    async def story() -> list[Answer]:
        await ready(gateway, 2)
        dead.kill()
        return list(await asyncio.gather(*(ask(gateway.table.port, "/search/x", "POST") for _ in range(40))))

    assert ["alive"] * 40 == [answer.origin for answer in asyncio.run(story())]


def test_one_survivor_carries_all(gateway: Gateway, replica: Start) -> None:
    """Three of four die at one time and the gateway is not told: still no GET fails."""
    replicas = [replica(f"r{n}") for n in range(4)]
    gateway.start(*(r.endpoint() for r in replicas), retries=3)

    async def story() -> list[Answer]:
        await ready(gateway, 4)
        asked = asyncio.create_task(load(gateway.table.port, "/search/busy/0.05", rate=300, seconds=4))
        await asyncio.sleep(1)
        for victim in replicas[:3]:
            victim.kill()
        return await asked

    assert [] == failed(asyncio.run(story()))


def test_all_requests_of_a_busy_replica_are_saved(gateway: Gateway, replica: Start) -> None:
    """Hundreds in flight on the one that dies: the retry budget holds them all, not Envoy's three."""
    a, b = replica("a"), replica("b")
    gateway.start(a.endpoint(), b.endpoint())

    async def story() -> list[Answer]:
        await ready(gateway, 2)
        running = asyncio.gather(*(ask(gateway.table.port, "/search/busy/1.0") for _ in range(600)))
        await asyncio.sleep(0.8)
        a.kill()
        return await running

    assert ["b"] * 600 == [answer.origin for answer in asyncio.run(story()) if answer.status == 200]
    assert gateway.read().retries_denied == 0
