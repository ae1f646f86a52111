"""Starting, hung, lying and overburdened replicas: who gets requests, and how soon that changes."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable

from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, failed, free_port, load, until

from lamplighter.targets.local.gateway import Check, Endpoint

Start = Callable[..., Upstream]


def test_new_replica_serves_at_once(gateway: Gateway, replica: Start) -> None:
    """Of replicas that were in the table before they listened one at least is asked within 0.3 s."""
    a = replica("a")
    gateway.start(a.endpoint())

    async def served_s(name: str) -> float:
        port = free_port()
        late = replica(name, "--delay", "1", "--port", str(port))
        gateway.apply(a.endpoint(), Endpoint(name, port))
        await asyncio.to_thread(lambda: late.port)  # from here on it answers
        return await until_served_by(name, gateway)

    async def story() -> float:
        return min([await served_s(f"late{number}") for number in range(4)])

    assert asyncio.run(story()) <= 0.3


async def until_served_by(name: str, gateway: Gateway) -> float:
    """Ask without a pause until this replica answers; the seconds it took."""
    began = asyncio.get_running_loop().time()
    while (await ask(gateway.table.port, "/search/x")).origin != name:
        pass
    return asyncio.get_running_loop().time() - began


def test_starting_replicas_get_nothing(gateway: Gateway, replica: Start) -> None:
    """One healthy replica among nine that do not listen yet: it gets all, nothing fails."""
    a = replica("a")
    absent = [Endpoint(f"absent{n}", free_port()) for n in range(9)]
    gateway.start(a.endpoint(), *absent)

    async def story() -> list[Answer]:
        await until(lambda: gateway.healthy() == {"a"})
        return await load(gateway.table.port, "/search/x", rate=200, seconds=1, method="POST")

    assert {"a": 200} == Counter(answer.origin for answer in asyncio.run(story()))
    assert 0 == sum(e.tries for e in gateway.read().endpoints.values() if e.id != "a")


def test_hung_replica_leaves_rotation(gateway: Gateway, replica: Start) -> None:
    """A replica that accepts and never answers is taken out; its GETs are answered elsewhere."""
    a, hung = replica("a"), replica("hung")
    gateway.start(a.endpoint(), hung.endpoint(), timeout_s=1.0)

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 2)
        hung.send(signal.SIGSTOP)
        asked = asyncio.create_task(load(gateway.table.port, "/search/x", rate=100, seconds=3))
        await until(lambda: gateway.healthy() == {"a"})
        return await asked

    assert [] == failed(asyncio.run(story()))


def test_hung_replica_is_found_without_traffic(gateway: Gateway, replica: Start) -> None:
    """With no request to show it, the checks alone take a hung replica out, in about 3 s."""
    a, hung = replica("a"), replica("hung")
    gateway.start(a.endpoint(), hung.endpoint())

    async def story() -> float:
        await until(lambda: len(gateway.healthy()) == 2)
        hung.send(signal.SIGSTOP)
        return await until(lambda: gateway.read().endpoints["hung"].health == "unhealthy")

    assert asyncio.run(story()) <= 20.0


def test_liars_are_ejected_but_never_more_than_half(gateway: Gateway, replica: Start) -> None:
    """Three of four pass their checks and fail every request: two are ejected, not the third."""
    replicas = [replica("honest"), *(replica(f"liar{n}", "--lies") for n in range(3))]
    gateway.start(*(r.endpoint() for r in replicas))

    async def story() -> set[str]:
        await until(lambda: len(gateway.healthy()) == 4)
        await load(gateway.table.port, "/search/x", rate=150, seconds=2)
        return {e.id for e in gateway.read().endpoints.values() if e.ejected}

    ejected = asyncio.run(story())
    assert "honest" not in ejected
    assert len(ejected) == 2


def test_a_single_liar_stays(gateway: Gateway, replica: Start) -> None:
    """The only replica of a service is never ejected: its own errors say more than a 503 of ours."""
    gateway.start(replica("liar", "--lies").endpoint())

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 1)
        return await load(gateway.table.port, "/search/x", rate=50, seconds=1)

    assert {("liar", 500, ""): 50} == Counter((a.origin, a.status, a.reason) for a in asyncio.run(story()))


def test_all_unhealthy_still_serve(gateway: Gateway, replica: Start) -> None:
    """When every replica fails its checks, too busy perhaps, they get the requests nevertheless."""
    replicas = [replica(name, "--health", "503") for name in ("a", "b")]
    gateway.start(*(r.endpoint() for r in replicas))

    async def story() -> list[Answer]:
        await until(lambda: {e.health for e in gateway.read().endpoints.values()} == {"unhealthy"})
        return await load(gateway.table.port, "/search/x", rate=50, seconds=1)

    assert [] == failed(asyncio.run(story()))


def test_replica_without_health_path(gateway: Gateway, replica: Start) -> None:
    """With no path to ask, a replica that accepts a connection is healthy."""
    gateway.start(replica("a").endpoint(), check=Check())

    async def story() -> None:
        await until(lambda: gateway.healthy() == {"a"})

    asyncio.run(story())
