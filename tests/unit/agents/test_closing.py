"""A host that ends: whoever connects at that moment learns of it."""

import asyncio
import gc
import socket
from pathlib import Path

import pytest
from tests.unit.agents.crew import Reader

from lamplighter.runtime import Runtime


@pytest.mark.parametrize("rounds", range(5))
def test_a_connection_made_as_a_host_ends_is_closed(rounds: int, tmp_path: Path) -> None:
    """However far the loop has come in accepting it: else its sender would wait for ever for an answer."""

    async def story() -> bytes:
        loop = asyncio.get_running_loop()
        path = tmp_path / "sock"
        with socket.socket(socket.AF_UNIX) as caller:
            caller.setblocking(False)
            runtime = Runtime(tmp_path / "host", [Reader], sockets=[path])
            await runtime.__aenter__()
            caller.connect(str(path))
            for _ in range(rounds):
                await asyncio.sleep(0)
            await runtime.__aexit__()
            async with asyncio.timeout(5):
                return await loop.sock_recv(caller, 1)

    gc.disable()  # else a connection that was forgotten would be closed by chance
    try:
        assert b"" == asyncio.run(story())
    finally:
        gc.enable()


def test_the_socket_of_a_new_owner_stays(tmp_path: Path) -> None:
    """An owner that lost its folder takes its own socket away, not its successor's."""

    async def story() -> bool:
        path = tmp_path / "sock"
        async with Runtime(tmp_path / "host", [Reader], sockets=[path]):
            path.rename(tmp_path / "former")
            path.touch()
        return path.exists()

    assert asyncio.run(story())
