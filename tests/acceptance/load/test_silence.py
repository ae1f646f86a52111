"""A socket is silenced from outside and given back, and its owner notices nothing."""

import asyncio
from pathlib import Path

import pytest
from benchmarks.load.silence import HOWS, Silence


async def _asked(path: Path, patience_s: float = 30.0) -> str:
    """Ask the server; what went wrong, if it did."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        return type(error).__name__
    writer.write(b"?")
    try:
        async with asyncio.timeout(patience_s):
            return "yes" if await reader.read(100) == b"yes" else "nonsense"
    except TimeoutError:
        return "TimeoutError"
    finally:
        writer.close()


async def _server(path: Path) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            writer.write(b"yes")
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, str(path))


@pytest.mark.parametrize(
    ("how", "met"),
    list(zip(HOWS, ("ConnectionRefusedError", "TimeoutError", "nonsense", "TimeoutError"), strict=True)),
)
def test_socket_is_silent_and_then_speaks_again(tmp_path: Path, how: str, met: str) -> None:
    """Whoever asks meets what was chosen, and afterwards the owner itself."""
    path = tmp_path / "a.sock"

    async def story() -> list[str]:
        async with await _server(path):
            silence = Silence(path, how)
            assert await silence.begin()
            meanwhile = await _asked(path, 0.3 if met == "TimeoutError" else 30.0)
            assert await silence.end()
            return [meanwhile, await _asked(path)]

    assert [met, "yes"] == asyncio.run(story())


def test_socket_that_its_owner_made_anew_stays(tmp_path: Path) -> None:
    """A process that was started again meanwhile keeps its own socket."""
    path = tmp_path / "a.sock"

    async def story() -> tuple[bool, str]:
        async with await _server(path):
            silence = Silence(path, "refuse")
            await silence.begin()
            path.unlink()
            async with await _server(path):
                return await silence.end(), await _asked(path)

    assert (False, "yes") == asyncio.run(story())
