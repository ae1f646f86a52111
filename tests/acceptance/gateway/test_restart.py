"""The gateway itself dies, or cannot start."""

import asyncio
import socket
import time
from collections.abc import Callable

import msgspec
import pytest
from tests.acceptance.gateway.rig import WITHIN_S, Gateway, Upstream, ask, free_port, load, until

from lamplighter.targets.local.gateway import Failure, failure, render, write

Start = Callable[..., Upstream]


def test_serves_again_within_a_second(gateway: Gateway, replica: Start) -> None:
    """Killed under load and started on the same port: answers come within a second, at the best of five."""
    gateway.start(replica("a").endpoint())

    async def again_s() -> float:
        await until(lambda: gateway.healthy() == {"a"})
        await load(gateway.table.port, "/search/x", rate=200, seconds=0.5)
        began = time.monotonic()
        gateway.kill()
        gateway.spawn()
        while (await ask(gateway.table.port, "/search/x")).status != 200:
            assert time.monotonic() - began < WITHIN_S
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def story() -> float:
        return min([await again_s() for _ in range(5)])

    assert asyncio.run(story()) <= 1.0


def test_port_taken(gateway: Gateway) -> None:
    """A gateway whose port is taken ends, and its last words name the port."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        gateway.table = msgspec.structs.replace(gateway.table, port=port)
        write(gateway.folder, render(gateway.table))
        gateway.spawn()
        assert gateway.process
        assert 1 == gateway.process.wait(10)
    why = failure(gateway.log())
    assert ("port-taken", f"127.0.0.1:{port}") == (why.kind, why.address)


@pytest.mark.parametrize("internal", [False, True])
def test_two_gateways_never_share_a_port(gateway: Gateway, *, internal: bool) -> None:
    """A second gateway on the same port ends too: the port is not shared silently."""
    gateway.start()
    port = gateway.table.internal_port if internal else gateway.table.port
    second = Gateway(
        gateway.folder.with_name("second"), msgspec.structs.replace(gateway.table, port=port or 0)
    )
    write(second.folder, render(second.table))
    second.spawn()
    try:
        assert second.process
        assert 1 == second.process.wait(5)
        assert "port-taken" == failure(second.log()).kind
    finally:
        second.kill()


def test_address_of_another_machine(gateway: Gateway) -> None:
    """An address that no interface has is told apart from a taken port."""
    gateway.table = msgspec.structs.replace(gateway.table, host="203.0.113.1", port=free_port())
    write(gateway.folder, render(gateway.table))
    gateway.spawn()
    assert gateway.process
    gateway.process.wait(10)
    assert "address-unavailable" == failure(gateway.log()).kind


def test_broken_configuration(gateway: Gateway) -> None:
    """A bootstrap that Envoy refuses is a defect of ours and says so."""
    gateway.folder.mkdir()
    (gateway.folder / "bootstrap.json").write_text('{"lanterns": 3}')
    gateway.spawn()
    assert gateway.process
    gateway.process.wait(10)
    why = failure(gateway.log())
    assert isinstance(why, Failure)
    assert "configuration" == why.kind
