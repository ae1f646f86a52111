"""What can be read of a running gateway, what it costs, and who may."""

import asyncio
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, free_port, load, until

from lamplighter.targets.local.gateway import Endpoint, admin, failurelog, statistics

Start = Callable[..., Upstream]


def test_public_and_internal_answers_are_apart(gateway: Gateway, replica: Start) -> None:
    """Each listener's answers are counted by their kind, service by service."""
    gateway.start(replica("a").endpoint())
    assert gateway.table.internal_port

    async def story() -> None:
        await until(lambda: gateway.healthy() == {"a"})
        for path in ("x", "x", "status/404", "status/500"):
            await ask(gateway.table.port, f"/search/{path}")
        await ask(gateway.table.internal_port or 0, "/search/x")

    asyncio.run(story())
    read = gateway.read()
    assert (2, 1, 1) == (read.public.good, read.public.refused, read.public.failed)
    assert (1, 0, 0) == (read.internal.good, read.internal.refused, read.internal.failed)


def test_cut_bodies_are_counted_apart(gateway: Gateway, replica: Start) -> None:
    """An answer that began with 200 and was cut by its replica's death is good and cut."""
    a = replica("a")
    gateway.start(a.endpoint())

    async def story() -> list[Answer]:
        await until(lambda: gateway.healthy() == {"a"})
        running = asyncio.gather(*(ask(gateway.table.port, "/search/stream/50") for _ in range(5)))
        await asyncio.sleep(0.5)
        a.kill()
        return await running

    answers = asyncio.run(story())
    assert {(200, False)} == {(answer.status, answer.whole) for answer in answers}
    assert (5, 0) == (gateway.read().public.cut, gateway.read().internal.cut)


def test_latency_is_of_the_first_byte(gateway: Gateway, replica: Start) -> None:
    """A second's stream counts with the few milliseconds after which it began."""
    gateway.start(replica("a").endpoint())

    async def story() -> None:
        await until(lambda: gateway.healthy() == {"a"})
        await asyncio.gather(*(ask(gateway.table.port, "/search/stream/10") for _ in range(20)))
        await until(lambda: gateway.read().public.latency.total == 20)

    asyncio.run(story())
    latency = gateway.read().public.latency
    assert 20 == latency.total
    assert (latency.quantile_ms(0.5) or 0) < 600


def test_latency_matches_the_work(gateway: Gateway, replica: Start) -> None:
    """Work of 120 ms gives a median of about that, also as the difference of two reads."""
    gateway.start(replica("a").endpoint())

    async def story() -> statistics.Latency:
        await until(lambda: gateway.healthy() == {"a"})
        await load(gateway.table.port, "/search/x", rate=100, seconds=0.5)
        await until(lambda: gateway.read().public.latency.total == 50)
        before = gateway.read().public.latency
        await load(gateway.table.port, "/search/busy/0.12", rate=100, seconds=0.5)
        await until(lambda: gateway.read().public.latency.total == 100)
        return gateway.read().public.latency.since(before)

    latency = asyncio.run(story())
    assert 50 == latency.total
    assert 100 <= (latency.quantile_ms(0.5) or 0) <= 500


def test_unchecked_replica_is_unknown(gateway: Gateway, replica: Start) -> None:
    """A replica that hangs from the start is unknown until its first check has failed."""
    gateway.start(replica("a").endpoint())
    hung = replica("hung")
    end = hung.endpoint()
    hung.send(signal.SIGSTOP)
    gateway.apply(*gateway.table.backends[0].endpoints, end)

    async def story() -> None:
        await until(lambda: "hung" in gateway.read().endpoints)
        assert "unknown" == gateway.read().endpoints["hung"].health
        await until(lambda: gateway.read().endpoints["hung"].health == "unhealthy")

    asyncio.run(story())


def test_a_read_of_ten_replicas_is_cheap(gateway: Gateway) -> None:
    """Ten replicas are read in at most 3 ms of processor time, at the best of ten."""
    gateway.start(*(Endpoint(f"r{n}", free_port()) for n in range(10)))
    gateway.read()
    took_s = []
    for _ in range(10):
        began = time.process_time()
        for _ in range(5):
            gateway.read()
        took_s.append((time.process_time() - began) / 5)
    assert min(took_s) <= 0.003


def test_admin_socket_is_the_owners(tmp_path: Path) -> None:
    """However deep the folder lies, the socket works and only its owner may use it."""
    gateway = Gateway(tmp_path / ("deep" * 20) / ("er" * 40) / "gateway")
    try:
        gateway.start()
        assert 0o600 == stat.S_IMODE((gateway.folder / "admin.sock").stat().st_mode)
        assert set() == set(gateway.read().endpoints)
    finally:
        gateway.kill()


def test_no_gateway_is_unavailable(tmp_path: Path) -> None:
    """Where no gateway runs nothing is known, and the error says so."""
    with pytest.raises(admin.GatewayUnavailableError):
        statistics.read(tmp_path)


def test_hung_gateway_keeps_nobody_waiting(gateway: Gateway) -> None:
    """A read of a gateway that hangs gives up at its deadline."""
    gateway.start()
    assert gateway.process
    gateway.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(admin.GatewayUnavailableError):
        statistics.read(gateway.folder, deadline_s=0.3)
    assert time.monotonic() - began < 10


def test_failures_are_logged_with_their_replica(gateway: Gateway, replica: Start) -> None:
    """A lost request leaves one line; good ones none; a log that is too long begins anew."""
    a = replica("a")
    gateway.start(a.endpoint())

    async def story() -> None:
        await until(lambda: gateway.healthy() == {"a"})
        await ask(gateway.table.port, "/search/x")
        running = asyncio.create_task(ask(gateway.table.port, "/search/busy/5", "POST"))
        await asyncio.sleep(0.2)
        a.kill()
        await running
        await until(lambda: (gateway.folder / "failures.log").stat().st_size > 0)

    asyncio.run(story())
    lines = (gateway.folder / "failures.log").read_text().splitlines()
    assert [True] == [f"127.0.0.1:{a.port}" in line for line in lines]
    assert (True, False) == (failurelog.trim(gateway.folder, 10), failurelog.trim(gateway.folder, 10))
